#!/usr/bin/env python3
"""The engine's processes against poise-sim over TLS: each fault, kill -9, edited configuration, placements.

    wire.py                 every scenario
    wire.py kill_nine ...   only these
    wire.py --list

    wire.py --alone         every scenario, with an engine of its own

A scenario starts a fresh simulator and engine, lets something go wrong, lets the engine recover, stops it and
asks for the same invariants as tools/demo (without its minimum activity).  The random choices come from
--seed, which is printed.  Faults that need nothing of their own come one after another to the same engine; where
that goes wrong, each is played by itself."""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
sys.dont_write_bytecode = True
import rig  # noqa: E402


class Run(rig.Rig):
    """One simulator and one engine at a time; either may be killed and started again."""

    def __init__(self, name, seed, build, settings=(), deribit=False, remembers=False):
        # The busiest part of the recording, hurried.  A lost order is known for lost after five seconds at the
        # earliest; the ladder must not end before, or a slow machine turns a fault that recovers into a halt, which
        # a person has to lift.
        super().__init__(os.path.join(build, "wire", name), rig.Deribit if deribit else rig.Binance, seed,
                         tape_start="22", speed="3", settings=["quote.btc.ladder_step_ms=3000", *settings],
                         remembers=remembers)

    def flatten(self):
        """poise flatten in another process; what the simulator still shows of us afterwards must be nothing."""
        command = self.engine_command()
        command[1] = "flatten"
        with open(self.path("flatten.log"), "a") as log:
            code = subprocess.run(command, stdout=log, stderr=log, timeout=90).returncode
        held = [p["symbol"] for p in rig.books(self.sim_report(), self.market)[0] if p["qty"] != 0 or p["open_orders"] != 0]
        if code != 0 or held:
            raise SystemExit(f"flatten left with {code}, and {held or 'nothing'} is still there")

    def another(self, *words, settings=()):
        """One more process with the same configuration and more words, to its end: exit code and what it said."""
        command = self.engine_command() + list(words)
        for setting in settings:
            command += ["--set", setting]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        with open(self.path("another.log"), "a") as log:
            log.write(done.stderr)
        return done.returncode, done.stderr

    def expect(self, code, words, *more, settings=()):
        got, said = self.another(*more, settings=settings)
        if got != code or words not in said:
            raise SystemExit(f"left with {got}, not {code}, or did not say {words!r}: {said[-600:]}")

    def begin_anew(self):
        """Whatever the engine has done so far is forgotten, as if it had never run."""
        self.kill_engine()
        shutil.rmtree(self.path("state"), ignore_errors=True)
        shutil.rmtree(self.shared, ignore_errors=True)

    def account_is(self, *words):
        """Another simulator, whose accounts say this of themselves."""
        self.kill_sim()
        command = self.sim_command
        self.sim_command = lambda: command() + [part for word in words for part in ("--account-is", word)]
        self.start_sim()
        self.sim_command = command

    def written(self):
        journal = self.path("state", "journal")
        return sum(os.path.getsize(os.path.join(journal, name)) for name in os.listdir(journal))

    def at_venue(self):
        return {p["symbol"]: p for p in rig.books(self.sim_report(), self.market)[0]}

    def verdict(self):
        """Stops the engine and answers what did not hold."""
        outcome = self.finish()
        with open(self.path("summary.json"), "w") as file:
            json.dump({"invariants": outcome.invariants, "statement": outcome.statement, "runs_that_differ": outcome.different},
                      file, indent=1)
        return outcome.broken + outcome.statement


LONG = False  # --long: what stands still does so for as long as it would on a bad day
SCENARIOS = {}


def scenario(settings=(), deribit=False, remembers=False, simulator=()):
    def add(function):
        SCENARIOS[function.__name__] = (function, settings, deribit, remembers, simulator)
        return function
    return add


@scenario()
def a_quiet_run(run, rng):
    run.wait_quoting()
    run.wait_fills(4)


@scenario()
def kill_nine(run, rng):
    """SIGKILL at random points, restart with inventory: the truth comes back each time."""
    for _ in range(4):
        run.wait_quoting()
        time.sleep(rng.uniform(0.2, 3.0))
        run.kill_engine()
        run.start_engine()
    run.wait_quoting()
    run.wait_fills(2)


@scenario(remembers=True)
def venue_killed(run, rng):
    """SIGKILL of the simulator at random points: it forgets nothing, and the engine finds its way back."""
    for _ in range(3):
        run.wait_quoting()
        run.wait_fills(1)
        run.kill_sim()
        run.wait_pulled()
        time.sleep(rng.uniform(0.1, 1.5))
        run.start_sim()
    run.wait_quoting()
    run.wait_fills(2)


@scenario()
def edited_configuration(run, rng):
    """A restart with another size and a limit below what is held: reduce-only until it fits."""
    run.wait_quoting()
    run.wait_fills(4)
    run.kill_engine()
    run.settings += ["quote.btc.size=3", "quote.btc.min_profit_bp=-6"]
    run.start_engine()
    run.wait_quoting()
    run.wait_fills(2)


@scenario()
def flatten_running(run, rng):
    """Unwound from another terminal while it trades; then resumed, it hedges its coin and quotes again."""
    run.wait_quoting()
    run.wait_fills(3)
    run.flatten()
    if run.command("resume") != 0:
        raise SystemExit("resume was refused")
    run.wait_quoting()
    run.wait_fills(2)


@scenario()
def flatten_dead(run, rng):
    """Killed with inventory, unwound by another process, started again."""
    run.wait_quoting()
    run.wait_fills(3)
    run.kill_engine()
    run.flatten()
    run.start_engine()
    run.wait_quoting()
    run.wait_fills(2)


@scenario()
def halted_and_resumed(run, rng):
    """A halt from another terminal cancels what rests; nothing comes back before a person resumes."""
    run.wait_quoting()
    run.wait_fills(1)
    if run.command("halt") != 0 or run.command("pause", "nobody") != 1 or run.command("dance") != 2:
        raise SystemExit("control answered otherwise than it says")
    run.wait_figure("the halt", lambda f: f.get("i.btc.bid_qty", 1) + f.get("i.btc.ask_qty", 1) == 0, 10)
    time.sleep(2)
    if any(p["open_orders"] for p in rig.books(run.sim_report(), run.market)[0]):
        raise SystemExit("something rests after the halt")
    if run.command("resume") != 0:
        raise SystemExit("resume was refused")
    run.wait_quoting()
    run.wait_fills(1)


@scenario(deribit=True)
def wrong_accounts(run, rng):
    """Accounts in a mode that is not ours are refused with the switch to turn, before anything is opened there."""
    run.begin_anew()
    run.account_is("self_trade")
    run.expect(4, "switch the account's self-trade prevention on")
    run.account_is("hedge", "withdraw")
    run.expect(4, "switch the account to one-way mode")
    run.expect(4, "may withdraw: live trading would refuse it", "--recover-only")
    run.account_is()
    run.start_engine()
    run.wait_quoting()


@scenario()
def reboot(run, rng):
    """Power lost: tmpfs is gone, the newest segment's end torn off.  The state directory is moved and moved back."""
    run.wait_quoting()
    run.wait_fills(2)
    run.expect(4, "is traded by another engine")
    run.kill_engine()
    shutil.rmtree(run.shared)
    journal = run.path("state", "journal")
    newest = max(os.listdir(journal), key=lambda name: (name.startswith("run-"), os.path.getmtime(os.path.join(journal, name))))
    with open(os.path.join(journal, newest), "r+b") as file:
        file.truncate(os.path.getsize(file.name) - 100)
    moved = run.path("moved")
    os.rename(run.path("state"), moved)
    before = run.at_venue()
    run.expect(0, "run 1: ", "--recover-only", settings=(f"engine.state_dir={moved}",))
    after = run.at_venue()
    if any(before[s]["open_orders"] < after[s]["open_orders"] for s in before):
        raise SystemExit("recovery alone has ordered something")
    os.rename(moved, run.path("state"))
    run.start_engine()
    run.wait_quoting()
    run.wait_fills(1)


def by_policy(run, rng):
    """on_restart = cancel leaves nothing of before, flatten unwinds."""
    run.wait_quoting()
    run.wait_fills(2)
    run.kill_engine()
    run.settings += ["quote.btc.on_restart=cancel"]
    run.start_engine()
    run.wait_quoting()
    run.wait_fills(1)
    run.kill_engine()
    run.settings += ["quote.btc.on_restart=flatten"]
    run.start_engine()
    rig.wait_for("the unwinding", lambda: all(p["qty"] == 0 for p in run.at_venue().values()), 30)
    if run.command("resume") != 0:
        raise SystemExit("resume was refused")
    run.wait_quoting()


@scenario()
def on_restart(run, rng):
    by_policy(run, rng)


@scenario(deribit=True)
def deribit_on_restart(run, rng):
    by_policy(run, rng)


@scenario(settings=("account.coinm.dead_man_ms=5000", "account.usdm.dead_man_ms=5000"))
def suspended(run, rng):
    """Every thread stands still, for a minute with --long: the venue's dead-man takes the quotes, and who wakes acts on
    nothing stale."""
    run.wait_quoting()
    run.wait_fills(1)
    run.engine.send_signal(signal.SIGSTOP)
    try:
        time.sleep(6.5)
        left = [p["symbol"] for p in run.at_venue().values() if p["open_orders"]]
        time.sleep(53.5 if LONG else 2)
    finally:
        run.engine.send_signal(signal.SIGCONT)
    if left:
        raise SystemExit(f"{left} still rest after the dead-man's time")
    run.wait_quoting()
    run.wait_fills(2)


@scenario()
def disk_hangs(run, rng):
    """No write to the state directory comes back: quotes are filled and hedged all the same."""
    run.begin_anew()
    blocked = run.path("blocked")
    os.environ.update(LD_PRELOAD=os.path.join(rig.BUILD, "tests", "wire", "libblocked_disk.so"),
                      POISE_DISK=run.path("state"), POISE_DISK_BLOCKED=blocked)
    try:
        run.start_engine()
    finally:
        del os.environ["LD_PRELOAD"]
    run.wait_quoting()
    open(blocked, "w").close()
    try:
        time.sleep(1)
        begin, written = run.at_venue(), run.written()
        rig.wait_for("executions of both legs", lambda: all(p["fills"] >= begin[s]["fills"] + 2 for s, p in run.at_venue().items()), 30)
        if run.written() != written:
            raise SystemExit("the disk took something")
    finally:
        os.unlink(blocked)
    run.wait_quoting()
    run.wait_fills(1)


@scenario(settings=("cores.feed=-1", "cores.strategy=-2", "cores.gateway=-3", "cores.cold=-4"))
def split_placement(run, rng):
    run.wait_quoting()
    run.wait_fills(4)


@scenario(settings=('engine.io_backend=spin',))
def recv_spin(run, rng):
    run.wait_quoting()
    run.wait_fills(4)


@scenario(settings=('engine.io_backend=uring',))
def io_uring(run, rng):
    run.wait_quoting()
    run.wait_fills(4)


FAULTS = []  # those that need nothing of their own, so that several may happen to one engine
CHAIN = 6


def fault_scenario(name, *specs, seconds=5.0, settings=(), deribit=False):
    def body(run, rng):
        run.wait_quoting()
        run.wait_fills(1)
        for spec in specs:
            run.inject(spec)
        time.sleep(seconds)
        run.wait_quoting(40)
        run.wait_fills(1)
    body.__name__ = name
    scenario(settings, deribit)(body)
    if not settings:
        FAULTS.append(name)


# Each fault of poise-sim, once on its own; `for=` is its window.
fault_scenario("disconnect_public", "disconnect:scope=public")
fault_scenario("disconnect_private", "disconnect:scope=private")
fault_scenario("disconnect_orders", "disconnect:scope=wsapi")
fault_scenario("disconnect_everything", "disconnect:at=0s")
fault_scenario("server_shutdown", "server_shutdown:ms=500")
fault_scenario("listen_key_expired", "listenkey_expired:scope=coinm")
fault_scenario("silence_public", "silence:scope=usdm-public,for=5s", seconds=8)
fault_scenario("silence_private", "silence:scope=coinm-private,for=4s", seconds=8)
fault_scenario("gap", "gap:for=4s,p=0.2")
fault_scenario("dup_reports", "dup_reports:for=8s,p=0.5")
fault_scenario("reorder_reports", "reorder_reports:for=8s,p=0.3")
fault_scenario("drop_private", "drop_private:for=3s,p=0.3", seconds=8)
fault_scenario("partial", "partial:for=8s")
fault_scenario("reject", "reject:scope=place,for=3s,p=0.5")
fault_scenario("rate_limit", "rate_limit:scope=place,for=2s,p=0.5")
fault_scenario("slow_ack", "slow_ack:ms=300,for=5s")
fault_scenario("unknown_503", "unknown_503:scope=place,for=4s,p=0.2", seconds=10)
fault_scenario("timeout_1007", "timeout_1007:scope=place,ms=1500,for=4s,p=0.2", seconds=10)
fault_scenario("no_reply", "no_reply:scope=place,for=4s,p=0.2", seconds=10)
fault_scenario("query_2013", "no_reply:scope=place,for=4s,p=0.2", "query_2013:ms=400", seconds=10)
fault_scenario("clock_skew", "clock_skew:ms=400,for=5s")

# Payments: the statement is equal to the account to the last unit, whatever of their news was heard.

FUNDING_SECONDS = 10
OFTEN = ("--funding-interval", str(FUNDING_SECONDS))


def funding_booked(run):
    """What the statement has under funding, of all legs, without their signs."""
    lines, balanced = run.statement()
    return sum(abs(Fraction(line["funding"])) for line in lines if balanced and line["type"] == "cash")


def wait_funding(run, beyond, seconds=3 * FUNDING_SECONDS):
    rig.wait_for("booked funding", lambda: funding_booked(run) > beyond, seconds)


def no_more_funding(run):
    """What is paid while the engine leaves cannot be in its statement."""
    run.inject("funding_rate:p=0,count=1")
    time.sleep(3)  # the last row is asked for and read


@scenario(simulator=OFTEN)
def funding_reports_lost(run, rng):
    """Half of what the private streams tell is lost over a settlement of funding, and its rows are read."""
    run.wait_quoting()
    run.wait_fills(3)
    run.inject("drop_private:scope=usdm-private,for=12s,p=0.5")
    run.inject("drop_private:scope=coinm-private,for=12s,p=0.5")
    time.sleep(13)
    run.wait_quoting()
    wait_funding(run, 0)
    no_more_funding(run)


@scenario(simulator=OFTEN)
def down_over_funding(run, rng):
    """Killed with a position, and funding is paid before the next start: it is booked as what it was."""
    run.wait_quoting()
    run.wait_fills(3)
    time.sleep(0.5)
    run.kill_engine()
    booked = funding_booked(run)
    time.sleep(FUNDING_SECONDS + 1)
    run.start_engine()
    run.wait_quoting()
    wait_funding(run, booked, 5)
    no_more_funding(run)


@scenario(deribit=True)
def deribit_down_over_settlement(run, rng):
    """Killed while funding runs up, and the session is settled before the next start: neither what had accrued nor
    the open profit that was paid out is taken for a transfer, and the session's funding is booked once."""
    run.inject("funding_rate:scope=deribit,p=0.05,count=1")
    run.wait_quoting()
    run.wait_fills(2)
    time.sleep(3)
    run.kill_engine()
    run.start_engine()
    run.wait_quoting()
    time.sleep(2)
    run.kill_engine()
    run.inject("settlement:scope=deribit")
    time.sleep(4)
    run.start_engine()
    run.wait_quoting()
    wait_funding(run, 0, 5)
    run.wait_fills(1)


# Two venues: what the second one's protocol can do to us.  A socket that is cut there takes its orders along.


@scenario(deribit=True)
def deribit_kill_nine(run, rng):
    for _ in range(3):
        run.wait_quoting()
        time.sleep(rng.uniform(0.2, 3.0))
        run.kill_engine()
        run.start_engine()
    run.wait_quoting()
    run.wait_fills(2)


@scenario(deribit=True)
def deribit_flatten_dead(run, rng):
    run.wait_quoting()
    run.wait_fills(2)
    run.kill_engine()
    run.flatten()
    run.start_engine()
    run.wait_quoting()
    run.wait_fills(1)


fault_scenario("deribit_disconnect_public", "disconnect:scope=deribit-public", deribit=True)
fault_scenario("deribit_disconnect_private", "disconnect:scope=deribit-private", deribit=True)
fault_scenario("deribit_silence", "silence:scope=deribit-private,for=4s", seconds=8, deribit=True)
fault_scenario("deribit_gap", "gap:scope=deribit-public,for=4s,p=0.2", deribit=True)
fault_scenario("deribit_reports", "dup_reports:scope=deribit-private,for=8s,p=0.5",
               "reorder_reports:scope=deribit-private,for=8s,p=0.3", deribit=True)
fault_scenario("deribit_drop_private", "drop_private:scope=deribit-private,for=3s,p=0.3", seconds=8, deribit=True)
fault_scenario("deribit_reject", "reject:scope=deribit-order-place,for=3s,p=0.5,code=10009", deribit=True)
fault_scenario("deribit_rate_limit", "rate_limit:scope=deribit-order,count=1", seconds=6, deribit=True)
fault_scenario("deribit_unknown", "timeout_1007:scope=deribit-order-place,ms=1500,for=4s,p=0.2", seconds=10, deribit=True)
fault_scenario("deribit_no_reply", "no_reply:scope=deribit-order-place,for=4s,p=0.2", seconds=10, deribit=True)
fault_scenario("deribit_settlement", "settlement:scope=deribit", seconds=6, deribit=True)


def play(name, options, attempt):
    """One scenario in a fresh folder; answers what did not hold."""
    function, settings, deribit, remembers, simulator = SCENARIOS[name]
    rng = random.Random(f"{options.seed}/{name}/{attempt}")
    run = Run(name, rng.randrange(1 << 30), options.build, settings, deribit, remembers)
    run.simulator += simulator
    begin = time.monotonic()
    try:
        run.start_sim()
        run.start_engine()
        function(run, rng)
        broken = run.verdict()
    except (SystemExit, Exception) as error:  # a scenario that cannot end is a failure with its reason
        broken = [str(error)]
    finally:
        run.end()
    print(f"{'FAIL' if broken else 'ok':4} {name} {time.monotonic() - begin:.1f} s {'; '.join(broken)}", flush=True)
    return broken


def keep(name, options, broken):
    kept = os.path.join(options.build, "wire", name)
    shutil.rmtree(kept + ".failed", ignore_errors=True)
    os.rename(kept, kept + ".failed")
    print(f"AGAIN {name}: {'; '.join(broken)}: kept in {kept}.failed", flush=True)


def chains():
    """What there is to play, in order: the faults that may happen to one engine are a list of names."""
    plan = []
    for name in SCENARIOS:
        last = plan[-1] if plan else None
        fits = (name in FAULTS and isinstance(last, list) and len(last) < CHAIN
                and SCENARIOS[last[0]][1:] == SCENARIOS[name][1:])
        if fits:
            last.append(name)
        else:
            plan.append([name] if name in FAULTS else name)
    return plan


def play_chain(names, options):
    """One engine, one fault after another; only where that goes wrong is each played by itself."""
    chain = f"{names[0]}_and_{len(names) - 1}_more"
    def body(run, rng):
        for name in names:
            SCENARIOS[name][0](run, rng)
    SCENARIOS[chain] = (body, *SCENARIOS[names[0]][1:])
    broken = play(chain, options, 0)
    del SCENARIOS[chain]
    if broken:
        keep(chain, options, broken)
    return broken


def main():
    global LONG
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true", help="what stands still does so for a minute")
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--once", action="store_true", help="a failure is final: for soaks and for looking for rare ones")
    parser.add_argument("--alone", action="store_true", help="each fault has an engine of its own")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    options = parser.parse_args()
    LONG = options.long
    if options.list:
        print("\n".join(SCENARIOS))
        return 0
    print(f"seed {options.seed}")
    passed = failed = again = 0
    plan = options.scenario or (list(SCENARIOS) if options.alone or options.once else chains())
    for names in [part for part in plan if isinstance(part, list)]:
        if not play_chain(names, options):
            passed += len(names)
            plan.remove(names)
    for name in [name for part in plan for name in ([part] if isinstance(part, str) else part)]:
        broken = play(name, options, 0)
        if broken and not options.once:
            # Real processes on a shared machine: a failure is kept and told, and must not happen twice.
            keep(name, options, broken)
            again += 1
            broken = play(name, options, 1)
        failed += bool(broken)
        passed += not broken
    if again:
        print(f"{again} scenarios were played twice: look at what was kept")
    print(f"wire: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
