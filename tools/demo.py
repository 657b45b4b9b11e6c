#!/usr/bin/env python3
"""Runs poise against poise-sim on loopback and judges what came out.  Called by tools/demo."""
import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from fractions import Fraction

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("POISE_BUILD", os.path.join(ROOT, "build", "release"))
POISE = os.path.join(BUILD, "tools", "poise", "poise")
SIM = os.path.join(BUILD, "tools", "sim", "poise-sim")
TAPES = os.path.join(ROOT, "tests", "data", "tape")

# Enough must happen for the invariants to mean something.
LEAST_FILLS, LEAST_PARTIAL, LEAST_HEDGES = 20, 3, 10


class Binance:
    """Quotes BTCUSD_PERP, hedges on BTCUSDT: two products of one venue."""

    config = "demo.toml"
    venues = ("binance",)
    accounts = {"coinm": "binance", "usdm": "binance"}
    quoted, hedging = "BTCUSD_PERP", "BTCUSDT"
    contract = 100  # USD of one of the quoted leg's units
    tape = {"inverse": "coinm_btcusd_perp.jsonl.gz", "linear": "usdm_btcusdt.jsonl.gz"}
    money = {"binance": "linear.USDT=100000,inverse.BTC=0.5"}
    disconnect = ("disconnect:scope=coinm-public", "disconnect:scope=coinm-private")
    simulator = ()

    @staticmethod
    def sides(report):
        """What the simulator tells of each venue, and which of its wallets is not traded from."""
        return [(report, "spot")]

    @staticmethod
    def unsettled(report, restarted):
        """What the venue states of a currency beside its cash and our books may have or not: nothing."""
        return {}


class Deribit(Binance):
    """Quotes BTC-PERPETUAL on Deribit, hedges on Binance's BTCUSDT: two venues of opposite kinds."""

    config = "demo_deribit.toml"
    venues = ("binance", "deribit")
    accounts = {"deribit": "deribit", "usdm": "binance"}
    quoted = "BTC-PERPETUAL"
    contract = 1
    tape = {"deribit.inverse": "coinm_btcusd_perp.jsonl.gz", "linear": "usdm_btcusdt.jsonl.gz"}
    money = {"binance": "linear.USDT=100000", "deribit": "BTC=0.5"}
    disconnect = ("disconnect:scope=deribit-public", "disconnect:scope=deribit-private")
    simulator = ("--tier", "1")  # of the venue's limits; the account's credits in the configuration are the same

    @staticmethod
    def sides(report):
        return [(report, "spot"), (report["deribit"], None)]

    @staticmethod
    def unsettled(report, restarted):
        """Funding accrues all the time and is cash at the settlement. The venue states it with the session's profit,
        and an engine that is started again takes the venue's word for what moved meanwhile: so ours may lie anywhere
        between, and one unit of rounding beyond."""
        free = {b["asset"]: Fraction(b["free"]) + Fraction(b["locked"])
                for b in report["deribit"]["accounts"][0]["balances"]}
        beside = {}
        for money in report["deribit"]["venue"]["money"][0]["currencies"]:
            accrued = Fraction(money["balance"]) + Fraction(money["session_rpl"]) - free.get(money["currency"], 0)
            if accrued != 0 or (restarted and money["currency"] == "BTC"):
                beside[money["currency"]] = abs(accrued) + Fraction(1, 10**8)
        return beside


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.05)
    raise SystemExit(f"demo: {what} did not happen within {seconds} s")


class Demo:
    def __init__(self, options, folder=os.path.join(ROOT, "build", "demo")):
        self.options = options
        self.folder = folder
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.shared = f"/dev/shm/poise-{os.path.basename(folder)}-{os.getpid()}"
        shutil.rmtree(self.shared, ignore_errors=True)
        os.makedirs(self.shared, mode=0o700)
        self.port, self.control = free_port(), free_port()
        self.market = Deribit if getattr(options, "deribit", False) else Binance
        self.keys = {venue: (secrets.token_hex(16), secrets.token_hex(32)) for venue in self.market.money}
        self.report = os.path.join(self.folder, "sim-report.json")
        self.sim = self.engine = self.table = None
        self.faults = []
        self.tape_start, self.speed = "5", "1"  # second 180 of the recording

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start_sim(self):
        ready = self.path("sim-ready")
        command = [SIM, "--port", str(self.port), "--cert-dir", self.path("cert"), "--seed", str(self.options.seed),
                   "--tape-start", self.tape_start, "--speed", self.speed,
                   "--latency-ms", "feed=1..5,order=1..5,ack=1..5,private=1..5",
                   "--report", self.report, "--control", str(self.control), "--ready-file", ready]
        command += self.market.simulator
        for place, tape in self.market.tape.items():
            command += ["--tape", f"{place}={os.path.join(TAPES, tape)}"]
        for venue, money in self.market.money.items():
            key, secret = self.keys[venue]
            command += ["--account", f"{'' if venue == 'binance' else venue + ':'}{key}:{secret}:{money}"]
        self.sim = subprocess.Popen(command, stdout=open(self.path("sim.log"), "w"), stderr=subprocess.STDOUT)
        wait_for("the simulator's start", lambda: os.path.exists(ready) or self.sim.poll() is not None, 20)
        if self.sim.poll() is not None:
            raise SystemExit("demo: the simulator did not start:\n" + open(self.path("sim.log")).read()[-2000:])

    def engine_command(self):
        settings = {"engine.state_dir": self.path("state"), "engine.shared_dir": self.shared}
        for venue in self.market.venues:
            key, secret = self.keys[venue]
            key_file = self.path(f"{venue}.key.toml")
            with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(f'api_key = "{key}"\napi_secret = "{secret}"\n')
            settings[f"venue.{venue}.connect_to"] = f"127.0.0.1:{self.port}"
            settings[f"venue.{venue}.ca_file"] = self.path("cert", "ca.pem")
            for account, of in self.market.accounts.items():
                if of == venue:
                    settings[f"account.{account}.key_file"] = key_file
        command = [POISE, "run", os.path.join(ROOT, "config", self.market.config)]
        for name, value in settings.items():
            command += ["--set", f"{name}={value}"]
        return command

    def start_engine(self):
        self.engine = subprocess.Popen(self.engine_command(), stdout=open(self.path("engine.out"), "a"),
                                       stderr=open(self.path("engine.log"), "a"))
        wait_for("the engine's counters page",
                 lambda: os.path.exists(os.path.join(self.shared, "counters")) or self.engine.poll() is not None, 30)

    def figures(self):
        out = subprocess.run([POISE, "monitor", self.shared, "--once", "--json"], capture_output=True, text=True)
        return json.loads(out.stdout) if out.returncode == 0 and out.stdout else {}

    def sim_report(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}/report", timeout=5) as answer:
            return json.load(answer)

    def inject(self, spec):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}/fault", data=spec.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            answer.read()
        self.faults.append(spec)

    def show_table(self):
        if self.options.json and not sys.stderr.isatty():
            return
        every = "500" if sys.stderr.isatty() else "10000"
        self.table = subprocess.Popen([POISE, "monitor", self.shared, "--every-ms", every], stdout=sys.stderr)

    def trade(self):
        begin = time.monotonic()
        seconds = self.options.seconds
        disconnect_at = seconds * 0.4
        while self.options.forever or time.monotonic() - begin < seconds:
            if self.engine.poll() is not None:
                raise SystemExit("demo: the engine left by itself:\n" + open(self.path("engine.log")).read()[-3000:])
            if self.sim.poll() is not None:
                raise SystemExit("demo: the simulator left by itself:\n" + open(self.path("sim.log")).read()[-3000:])
            if not self.faults and time.monotonic() - begin > disconnect_at:
                for spec in self.market.disconnect:
                    self.inject(spec)
            time.sleep(0.2)
        return time.monotonic() - begin

    def stop(self):
        if self.table:
            self.table.terminate()
            self.table.wait()
        self.engine.send_signal(signal.SIGTERM)
        try:
            return self.engine.wait(timeout=45)
        except subprocess.TimeoutExpired:
            self.engine.kill()
            return -9

    def end(self):
        for process in (self.table, self.engine, self.sim):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
        if not self.options.keep:
            shutil.rmtree(self.shared, ignore_errors=True)


def books(report, market=Binance):
    """The simulator's own accounts: positions with their marks, and wallets."""
    positions, wallets = [], {}
    for side, apart in market.sides(report):
        marks = {m["symbol"]: Fraction(m["mark"]) for m in side["markets"]}
        account = side["accounts"][0]
        for h in account["holdings"]:
            if h["symbol"] not in (market.quoted, market.hedging) or h["kind"] == "spot":
                continue
            qty, notional = Fraction(h["position"]), Fraction(h["entry_notional"])
            positions.append({"symbol": h["symbol"], "kind": h["kind"], "qty": qty, "mark": marks[h["symbol"]],
                              "notional": notional if qty > 0 else -notional, "fills": h["fills"],
                              "open_orders": len(h["open_orders"]), "jump": h["tape_jump_pnl"]})
        for b in account["balances"]:
            if b["wallet"] != apart:
                wallets[b["asset"]] = wallets.get(b["asset"], 0) + Fraction(b["free"]) + Fraction(b["locked"])
    return positions, wallets


def equity_usd(positions, wallets, factor, contract):
    """Everything at the marks times factor, in USD, exactly: coin at the inverse mark, USDT as one USD."""
    coin_mark = next(p["mark"] for p in positions if p["kind"] == "inverse") * factor
    total = wallets.get("USDT", 0) + wallets.get("BTC", 0) * coin_mark
    for p in positions:
        mark = p["mark"] * factor
        if p["kind"] == "inverse":
            total += (p["notional"] - p["qty"] * contract / mark) * coin_mark
        else:
            total += p["qty"] * mark - p["notional"]
    return total


def delta_coin(positions, wallets):
    """Coin owned plus contract delta at entry (inverse: does not move with the mark), in BTC."""
    return wallets.get("BTC", 0) + sum(p["notional"] if p["kind"] == "inverse" else p["qty"] for p in positions)


def judge(demo, code, seconds, final, report, replay):
    """The summary: what was promised against the simulator's own books."""
    contract = demo.market.contract
    positions, wallets = books(report, demo.market)
    instance = final["instances"][0]
    hedge_mark = next(p["mark"] for p in positions if p["kind"] == "linear")
    smallest = max(Fraction(1, 1000), Fraction(-(-(100 * 1000) // hedge_mark), 1000))
    delta = delta_coin(positions, wallets)
    base = equity_usd(positions, wallets, Fraction(1), contract)
    swing = max(abs(equity_usd(positions, wallets, 1 + move, contract) - base) for move in (Fraction(1, 10), Fraction(-1, 10)))
    # What the smallest order is worth when the price moves by a tenth, and the same of the basis: the hedge
    # moves with its own mark, the coin with the other's.
    basis = abs(hedge_mark / next(p["mark"] for p in positions if p["kind"] == "inverse") - 1)
    hedged = abs(next(p["qty"] for p in positions if p["kind"] == "linear"))
    allowed = (smallest + hedged * basis) * hedge_mark / 10

    ours = {p["symbol"]: Fraction(p["qty"]) for p in final["positions"]}
    theirs = {p["symbol"]: p["qty"] for p in positions}
    same_positions = all(ours.get(k, 0) == theirs.get(k, 0) for k in set(ours) | set(theirs))
    our_cash = {b["currency"]: Fraction(b["total"]) for b in final["balances"]}
    beside = demo.market.unsettled(report, final["run"] > 1)
    same_cash = bool(our_cash) and all(abs(our_cash.get(k, 0) - v) <= beside.get(k, 0) for k, v in wallets.items())

    invariants = {
        "engine_left_by_itself_cleanly": code == 0,
        "delta_within_smallest_order": abs(delta) <= smallest,
        "revaluation_within_tolerance": swing <= allowed,
        "no_lost_or_doubled_fill": final["executions"] == sum(p["fills"] for p in positions),
        "nothing_rests": all(p["open_orders"] == 0 for p in positions),
        "replay_identical": replay == 0,
        "positions_equal": same_positions,
        "balances_equal": same_cash,
        "never_halted": not final["halted"],
    }
    activity = {
        f"fills_at_least_{LEAST_FILLS}": instance["fills"] >= LEAST_FILLS,
        "fills_on_both_sides": instance["buys"] > 0 and instance["sells"] > 0,
        f"partial_fills_at_least_{LEAST_PARTIAL}": instance["partials"] >= LEAST_PARTIAL,
        f"hedges_at_least_{LEAST_HEDGES}": instance["hedges"] >= LEAST_HEDGES,
        "a_requote_a_second": instance["requotes"] >= seconds,
        "disconnect_recovered": bool(demo.faults) and final["reconnects"] >= 1,
    }
    part = {k: v for k, v in instance["pnl"].items()}
    return {
        "ok": all(invariants.values()) and all(activity.values()),
        "seconds": round(seconds, 1),
        "fills": instance["fills"], "buys": instance["buys"], "sells": instance["sells"],
        "partial_fills": instance["partials"], "hedges": instance["hedges"], "requotes": instance["requotes"],
        "max_naked_ms": instance["max_naked_ns"] / 1e6,
        "final_delta": str(Decimal(delta.numerator) / Decimal(delta.denominator)),
        "smallest_hedge": str(Decimal(smallest.numerator) / Decimal(smallest.denominator)),
        "revaluation_usd": float(swing), "revaluation_allowed_usd": float(allowed),
        "pnl": part, "pnl_currency": final["report_currency"],
        "conversion": "USDT/USD is fixed at 1: the demo has no market for it",
        "tape_jumps": {p["symbol"]: p["jump"] for p in positions},
        "latency_us": final.get("latency_us", {}),
        "latency_note": f"{os.cpu_count()} processors: engine, simulator and everything else share them, so latencies include sharing",
        "model": report["model"],
        "invariants": invariants, "activity": activity,
    }


def main():
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--forever", action="store_true", help="until interrupted")
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object on standard output")
    parser.add_argument("--keep", action="store_true", help="leave the shared directory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deribit", action="store_true", help="quote on Deribit, hedge on Binance")
    options = parser.parse_args()

    demo = Demo(options)
    try:
        demo.start_sim()
        demo.start_engine()
        demo.show_table()
        begin = time.monotonic()
        try:
            seconds = demo.trade()
        except KeyboardInterrupt:
            seconds = time.monotonic() - begin
        code = demo.stop()
        report = demo.sim_report()
        final_path = demo.path("state", "final.json")
        if not os.path.exists(final_path):
            raise SystemExit("demo: the engine left no final.json:\n" + open(demo.path("engine.log")).read()[-3000:])
        final = json.load(open(final_path))
        replay = subprocess.run([POISE, "replay", demo.path("state", "journal")], capture_output=True, text=True)
        with open(demo.path("replay.log"), "w") as file:
            file.write(replay.stdout + replay.stderr)
        summary = judge(demo, code, seconds, final, report, replay.returncode)
    finally:
        demo.end()

    if options.json:
        print(json.dumps(summary))
    else:
        for name, value in summary.items():
            if isinstance(value, dict):
                print(f"{name}:")
                for key, inner in value.items():
                    print(f"  {key:32} {inner}")
            else:
                print(f"{name:26} {value}")
    bad = [k for d in ("invariants", "activity") for k, v in summary[d].items() if not v]
    if bad:
        say("demo: did not hold: " + ", ".join(bad))
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
