#!/usr/bin/env python3
"""A bad day in ten minutes: the real processes over TLS, faults of every kind, SIGKILL on both sides.  Called by
tools/soak.

At random moments a fault of poise-sim opens, or the engine, the venue or both are killed and started again; the venue
keeps its accounts (poise-sim --state).  What is open overlaps as it comes.  A kill is followed until a quote is in
the market again.  At the end everything falls quiet, the engine stops, and the same is asked as at the end of
tools/demo: delta, positions, cash and the statement to the last unit, no execution lost or counted twice, no id used
twice, every run replayed byte for byte, nothing resting, nothing halted.  And from the venue's own list of fills: how
long an exposure stood, outside the disturbances and after them.

The random choices come from the seed; what two processes make of them in real time does not."""
import argparse
import json
import os
import random
import shutil
import statistics
import sys
import time
from fractions import Fraction

sys.dont_write_bytecode = True
import rig

NAKED_S = 1.5    # risk.max_naked_ms of the configurations
LADDER_S = 12.0  # four rungs of quote.btc.ladder_step_ms
PATIENCE_S = 60  # how long a way back may take with faults open
# Binance gives an address 2,400 of request weight a minute; a start takes some 300 of it and the life of an engine
# some 700.  More starts than this and the venue would refuse even hedges for the rest of the minute.
STARTS_A_MINUTE = 4

# What may be asked of poise-sim, {s} being the seconds it lasts.  Each is survivable by a sound engine without a
# person: an order whose fate is unknown is known before the ladder ends.
BINANCE_FAULTS = {
    "disconnect": ["disconnect:scope=public", "disconnect:scope=private", "disconnect:scope=wsapi", "disconnect:at=0s"],
    "server_shutdown": ["server_shutdown:ms=500"],
    "listenkey_expired": ["listenkey_expired:scope=coinm", "listenkey_expired:scope=usdm"],
    "silence": ["silence:scope=usdm-public,for={s}s", "silence:scope=coinm-public,for={s}s", "silence:scope=coinm-private,for={s}s"],
    "gap": ["gap:for={s}s,p=0.2"],
    "dup_reports": ["dup_reports:for={s}s,p=0.5"],
    "reorder_reports": ["reorder_reports:for={s}s,p=0.3"],
    "drop_private": ["drop_private:for={s}s,p=0.3"],
    "partial": ["partial:for={s}s"],
    "reject": ["reject:scope=place,for={s}s,p=0.5"],
    "rate_limit": ["rate_limit:scope=place,for=2s,p=0.5"],
    "slow_ack": ["slow_ack:ms=300,for={s}s"],
    "unknown_503": ["unknown_503:scope=place,for={s}s,p=0.2"],
    "timeout_1007": ["timeout_1007:scope=place,ms=1500,for={s}s,p=0.2"],
    "no_reply": ["no_reply:scope=place,for={s}s,p=0.2", "no_reply:scope=cancel,for={s}s,p=0.2"],
    "clock_skew": ["clock_skew:ms=400,for={s}s"],
    "query_2013": ["query_2013:ms=400,for={s}s"],
    "maintenance": ["maintenance:scope=coinm,for={s}s"],
    "deposit": ["deposit:scope=usdm,asset=USDT,amount=7.25", "deposit:scope=usdm,asset=USDT,amount=-3.5"],
    "funding_rate": ["funding_rate:scope=usdm,p=0.0003", "funding_rate:scope=coinm,p=0.0002"],
}
DERIBIT_FAULTS = {
    **{kind: [spec for spec in specs if "coinm" not in spec] for kind, specs in BINANCE_FAULTS.items()
       if kind not in ("maintenance",)},
    "disconnect_deribit": ["disconnect:scope=deribit-public", "disconnect:scope=deribit-private"],
    "silence_deribit": ["silence:scope=deribit-private,for={s}s", "silence:scope=deribit-public,for={s}s"],
    "gap_deribit": ["gap:scope=deribit-public,for={s}s,p=0.2"],
    "reports_deribit": ["dup_reports:scope=deribit-private,for={s}s,p=0.5", "reorder_reports:scope=deribit-private,for={s}s,p=0.3",
                        "drop_private:scope=deribit-private,for={s}s,p=0.3"],
    "reject_deribit": ["reject:scope=deribit-order-place,for={s}s,p=0.5,code=10009"],
    "rate_limit_deribit": ["rate_limit:scope=deribit-order,count=1"],
    "unknown_deribit": ["timeout_1007:scope=deribit-order-place,ms=1500,for={s}s,p=0.2", "no_reply:scope=deribit-order-place,for={s}s,p=0.2"],
    "heartbeat_only": ["heartbeat_only:scope=deribit,for={s}s"],
    "settlement": ["settlement:scope=deribit"],
}
# What takes a while to get over: a person resumes after a position was closed by force, and new rules are read first.
# Runs of two minutes and more have them as well.
LONG_FAULTS = {
    "withdrawal": ["withdrawal:scope=usdm,asset=USDT,amount=2.75"],
    "tick_size": ["tick_size:scope=usdm,ms=2", "tick_size:scope=coinm,ms=2"],
    "sequence": ["sequence:for={s}s,p=0.2"],
    "liquidate": ["liquidate:scope=usdm", "liquidate:scope=coinm"],
    "deleverage": ["deleverage:scope=usdm,p=0.5", "deleverage:scope=coinm,p=0.5"],
}
LONG_DERIBIT_FAULTS = {
    **{kind: [spec for spec in specs if "coinm" not in spec] for kind, specs in LONG_FAULTS.items()},
    "withdrawal_deribit": ["withdrawal:scope=deribit,asset=BTC,amount=0.001", "deposit:scope=deribit,asset=BTC,amount=0.002"],
    "tick_size_deribit": ["tick_size:scope=deribit,ms=2"],
    "sequence_deribit": ["sequence:scope=deribit-public,for={s}s,p=0.2"],
    "liquidate_deribit": ["liquidate:scope=deribit"],
    "deleverage_deribit": ["deleverage:scope=deribit,p=0.5"],
}
FORCED = ("liquidate", "deleverage")  # the venue closes a leg: the engine closes the other one and halts, a person resumes


class Soak:
    def __init__(self, options, stage, rng):
        self.options, self.stage, self.rng = options, stage, rng
        self.kinds = dict(DERIBIT_FAULTS if options.deribit else BINANCE_FAULTS)
        self.long = options.seconds >= 120
        if self.long:
            self.kinds.update(LONG_DERIBIT_FAULTS if options.deribit else LONG_FAULTS)
        self.begin = time.monotonic()
        self.kills = {"engine": 0, "venue": 0}
        self.asked = {}
        self.recovery = {"engine": [], "venue": [], "both": []}
        self.calm_recovery = []
        self.open_until = self.begin      # of the faults asked for
        self.disturbed = []               # (from, until) on the venue's clock, seconds
        self.deepest = Fraction(0)
        self.told = 0.0
        self.waiting = []                 # kinds not yet played in this round
        self.starts = []                  # when each of the last minute was
        self.halted_until = 0.0           # of a market
        self.forced_until = 0.0           # the venue closed a position: the engine may halt for it
        self.deck = []                    # whom the next kills hit: short runs see every kind, too

    def seconds(self):
        return time.monotonic() - self.begin

    def say(self, what, always=False):
        every = 0.5 if sys.stderr.isatty() else 15
        if not always and time.monotonic() - self.told < every:
            return
        self.told = time.monotonic()
        line = (f"soak {self.seconds():4.0f} s  killed: engine {self.kills['engine']}, venue {self.kills['venue']}  "
                f"faults {sum(self.asked.values())} of {len(self.asked)} kinds  {what}")
        print(f"\r{line[:150]:<150}" if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n",
              file=sys.stderr, flush=True)

    # ---- what goes wrong

    def fault(self):
        if not self.waiting:
            self.waiting = list(self.kinds)
            self.rng.shuffle(self.waiting)
        kind = self.waiting.pop()
        spec = self.rng.choice(self.kinds[kind]).format(s=self.rng.randint(2, 6))
        lasts = float(spec.split("for=")[1].split("s")[0]) if "for=" in spec else 2.0
        self.stage.inject(spec)
        if kind.startswith(FORCED):
            self.forced_until = time.monotonic() + PATIENCE_S
        if kind == "maintenance":
            self.halted_until = time.monotonic() + lasts + 2
        self.asked[kind] = self.asked.get(kind, 0) + 1
        self.open_until = max(self.open_until, time.monotonic() + lasts)
        self.disturbed.append((time.time(), time.time() + lasts))
        self.say(spec)

    def victim(self):
        """Whom the next kill hits; None when the venue's own limit leaves no room for what that will ask for, or, in a short
        run, a market is halted: an engine that starts then looks every ten seconds whether it is still."""
        if not self.deck:
            self.deck = ["engine", "venue", "both"] + (["engine", "engine", "venue"] if self.options.seconds >= 120 else [])
            self.rng.shuffle(self.deck)
        now = time.monotonic()
        if now < self.halted_until and not self.long:
            return None
        self.starts = [at for at in self.starts if now - at < 60]
        cost = 2 if self.deck[-1] == "both" else 1
        if len(self.starts) + cost > STARTS_A_MINUTE:
            return None
        self.starts += [now] * cost
        return self.deck.pop()

    def kill(self, whom):
        stage, calm = self.stage, time.monotonic() > self.open_until + 3
        since, begin = time.time(), time.monotonic()
        if whom != "venue":
            stage.kill_engine()
            self.kills["engine"] += 1
        if whom != "engine":
            stage.kill_sim()
            self.kills["venue"] += 1
            if whom == "venue":
                stage.wait_pulled()
            time.sleep(self.rng.uniform(0, 1.0))
            if whom == "venue":
                stage.start_sim(60)
        if whom != "venue":
            stage.launch_engine()
        if whom == "both":
            time.sleep(self.rng.uniform(0, 1.0))
            stage.start_sim(60)
        if whom != "engine":
            begin = time.monotonic()  # until here nobody could have quoted
        while not stage.quoting():
            stage.alive()
            self.resume(stage.figures())
            self.say(f"waiting for a quote, {whom} killed")
            if time.monotonic() - begin > PATIENCE_S:
                raise rig.Failure(f"no quote {PATIENCE_S} s after SIGKILL of {whom}")
            time.sleep(0.005)
        took = time.monotonic() - begin
        self.recovery[whom].append(took)
        if whom == "engine" and calm:
            self.calm_recovery.append(took)
        self.disturbed.append((since, time.time()))
        self.say(f"{whom} killed, quoting after {took:.2f} s")

    def resume(self, figures):
        """The person: after a position was closed by force, and for nothing else."""
        if not figures.get("engine.halted"):
            return
        if time.monotonic() > self.forced_until:
            raise rig.Failure("the engine halted")
        since = time.time()
        rig.wait_for("the other leg closed", lambda: self.stage.figures().get("i.btc.naked_ns", 1) == 0, PATIENCE_S)
        if self.stage.command("resume") != 0:
            raise rig.Failure("resume was refused")
        rig.wait_for("the end of the halt", lambda: not self.stage.figures().get("engine.halted"), 10)
        self.disturbed.append((since, time.time()))

    def quoting(self):
        self.resume(self.stage.figures())
        return self.stage.quoting()

    def watch(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.stage.alive()
            figures = self.stage.figures()
            self.resume(figures)
            self.say(f"fills {figures.get('i.btc.fills', 0)} in run {figures.get('engine.run', 0)}")
            time.sleep(min(0.2, max(0.0, until - time.monotonic())))

    # ---- the day

    def play(self):
        stage, rng = self.stage, self.rng
        since = time.time()
        stage.start_sim()
        stage.start_engine()
        stage.wait_quoting()
        self.disturbed.append((since, time.time()))
        self.begin = self.open_until = time.monotonic()
        quiet = min(20.0, self.options.seconds / 3)
        while self.seconds() < self.options.seconds - quiet:
            self.watch(rng.uniform(0.3, 1.2 if self.options.seconds < 120 else 5.0))
            whom = self.victim() if rng.random() < 0.42 else None
            if whom:
                self.kill(whom)
            else:
                self.fault()
        self.watch(max(0.0, self.open_until - time.monotonic()) + 1)
        rig.wait_for("quoting", self.quoting, PATIENCE_S)
        self.watch(max(2.0, self.options.seconds - self.seconds()))
        # the last fills are hedged, and nothing is in doubt
        rig.wait_for("a quiet end", lambda: self.quoting() and stage.figures().get("i.btc.naked_ns", 1) == 0, PATIENCE_S)
        return stage.finish()

    def naked(self, outcome):
        """The longest exposure beyond the smallest order from the venue's own fills, and those that stood too long."""
        sides = self.stage.market.sides(outcome.report)
        fills = sorted((fill for side, _ in sides for fill in side["accounts"][0]["fills"]), key=lambda f: f["time_ns"])
        exposure, since, longest, wrong = Fraction(0), None, 0.0, []
        for fill in fills:
            qty, price = Fraction(fill["qty"]), Fraction(fill["price"])
            coin = qty if fill["kind"] == "linear" else qty * self.stage.market.contract / price
            exposure += coin if fill["side"] == "buy" else -coin
            if since is None and abs(exposure + self.coin()) > outcome.smallest:
                since = fill["time_ns"] / 1e9
            elif since is not None and abs(exposure + self.coin()) <= outcome.smallest:
                spell, until = fill["time_ns"] / 1e9 - since, fill["time_ns"] / 1e9
                longest = max(longest, spell)
                over = [end for start, end in self.disturbed if start < until and end > since - LADDER_S]
                allowed = NAKED_S if not over else max(NAKED_S, max(over) - since + NAKED_S + LADDER_S)
                if spell > allowed:
                    wrong.append(f"{spell:.2f} s until {fill['time_ns']}")
                since = None
        return longest, wrong

    def coin(self):
        return Fraction(1, 2)  # what both configurations allot, in BTC


def quantiles(values):
    return {"n": len(values), "p50": round(statistics.median(values), 3), "max": round(max(values), 3)} if values else {"n": 0}


def summary_of(soak, outcome, seed):
    longest, spells = soak.naked(outcome)
    outcome.invariants["naked_time_bounded"] = not spells
    fired = dict(outcome.report["fault_kinds"])
    for kind, times in outcome.report.get("deribit", {}).get("fault_kinds", {}).items():
        fired[kind] = fired.get(kind, 0) + times
    fills = [fill for side, _ in soak.stage.market.sides(outcome.report) for fill in side["accounts"][0]["fills"]]
    return {
        "ok": all(outcome.invariants.values()),
        "seconds": round(soak.seconds(), 1), "seed": seed,
        "violations": sorted(name for name, held in outcome.invariants.items() if not held),
        "kills": soak.kills, "runs": outcome.final["run"],
        "faults_asked": dict(sorted(soak.asked.items())), "faults_struck": fired,
        "fills": sum(f["maker"] for f in fills), "hedges": sum(not f["maker"] for f in fills),
        "orders": sum(len(side["accounts"][0]["order_list"]) for side, _ in soak.stage.market.sides(outcome.report)),
        "recovery_s": {whom: quantiles(times) for whom, times in soak.recovery.items()},
        "recovery_undisturbed_s": quantiles(soak.calm_recovery),
        "longest_naked_s": round(longest, 3), "naked_too_long": spells,
        "statement": "equal to the last unit" if not outcome.statement else outcome.statement,
        "runs_that_differ": outcome.different,
        "invariants": outcome.invariants,
    }


def main():
    parser = argparse.ArgumentParser(prog="tools/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--deribit", action="store_true", help="quote on Deribit, hedge on Binance")
    parser.add_argument("--speed", help="of the recording (default 1, 2 when the run is short)")
    parser.add_argument("--json", action="store_true", help="the report as one JSON object on standard output")
    parser.add_argument("--keep", action="store_true", help="keep what was written although all held")
    options = parser.parse_args()
    options.seconds = options.seconds or options.minutes * 60

    folder = os.path.join(rig.ROOT, "build", "soak")
    stage = rig.Rig(folder, rig.Deribit if options.deribit else rig.Binance, options.seed, keep=True, tape_start="5",
                    speed=options.speed or ("1" if options.seconds >= 120 else "2"), remembers=True, settings=["quote.btc.ladder_step_ms=3000"])
    soak = Soak(options, stage, random.Random(options.seed))
    why, summary = None, {"ok": False}
    try:
        summary = summary_of(soak, soak.play(), options.seed)
    except (rig.Failure, OSError, ValueError) as error:
        why = str(error) or repr(error)
        summary = {"ok": False, "seconds": round(soak.seconds(), 1), "seed": options.seed, "violations": [why],
                   "kills": soak.kills, "faults_asked": soak.asked}
    finally:
        stage.end()
    with open(stage.path("soak.json"), "w") as file:
        json.dump(summary, file, indent=1)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if not summary["ok"]:  # before anything is printed: whoever reads may have gone
        kept = f"{folder}.failed-{options.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(folder, kept)
    if options.json:
        print(json.dumps(summary))
    else:
        for name, value in summary.items():
            print(f"{name:24} {value}")
    if not summary["ok"]:
        print(f"soak: {'; '.join(summary['violations'])}\nsoak: seed {options.seed}; kept in {kept} and {stage.shared}", file=sys.stderr)
        return 1
    if not options.keep:
        shutil.rmtree(stage.shared, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
