"""poise and poise-sim as processes on loopback, watched from outside: what tools/demo, tools/soak and tests/wire share.

A Rig starts, kills and stops both, and says afterwards which of the promises did not hold: what the engine tells
is compared with the simulator's own books, and what the simulator tells with the journal."""
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import types
import urllib.request
from fractions import Fraction

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("POISE_BUILD", os.path.join(ROOT, "build", "release"))
POISE = os.path.join(BUILD, "tools", "poise", "poise")
SIM = os.path.join(BUILD, "tools", "sim", "poise-sim")
QUOTING = 2  # of the figure i.NAME.state
TAPES = os.path.join(ROOT, "tests", "data", "tape")


class Failure(SystemExit):
    """Something that must happen did not: the sentence says what."""


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
    raise Failure(f"{what} did not happen within {seconds} s")


class Rig:
    """One simulator and one engine at a time, in a folder of their own."""

    def __init__(self, folder, market=Binance, seed=1, keep=False, tape_start="5", speed="1", settings=(), remembers=False):
        self.folder = folder
        self.market = market
        self.seed = seed
        self.keep = keep
        self.tape_start, self.speed = tape_start, speed  # second 180 of the recording is 5
        self.settings = list(settings)
        self.simulator = []  # options of the simulator beside those of the market
        self.remembers = remembers  # the simulator has a state file: it may be killed
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.shared = f"/dev/shm/poise-{os.path.basename(folder)}-{os.getpid()}"
        shutil.rmtree(self.shared, ignore_errors=True)
        os.makedirs(self.shared, mode=0o700)
        self.port, self.control = free_port(), free_port()
        self.keys = {venue: (secrets.token_hex(16), secrets.token_hex(32)) for venue in self.market.money}
        self.report = os.path.join(self.folder, "sim-report.json")
        self.sim = self.engine = None
        self.faults = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # ---- the simulator

    def sim_command(self):
        command = [SIM, "--port", str(self.port), "--cert-dir", self.path("cert"), "--seed", str(self.seed),
                   "--tape-start", self.tape_start, "--speed", self.speed,
                   "--latency-ms", "feed=1..5,order=1..5,ack=1..5,private=1..5",
                   "--report", self.report, "--control", str(self.control), "--ready-file", self.path("sim-ready")]
        command += ["--state", self.path("venue.state")] if self.remembers else []
        command += [*self.market.simulator, *self.simulator]
        for place, tape in self.market.tape.items():
            command += ["--tape", f"{place}={os.path.join(TAPES, tape)}"]
        for venue, money in self.market.money.items():
            key, secret = self.keys[venue]
            command += ["--account", f"{'' if venue == 'binance' else venue + ':'}{key}:{secret}:{money}"]
        return command

    def start_sim(self, seconds=20):
        ready = self.path("sim-ready")
        if os.path.exists(ready):
            os.unlink(ready)
        self.sim = subprocess.Popen(self.sim_command(), stdout=open(self.path("sim.log"), "a"), stderr=subprocess.STDOUT)
        wait_for("the simulator's start", lambda: os.path.exists(ready) or self.sim.poll() is not None, seconds)
        if self.sim.poll() is not None:
            raise Failure("the simulator did not start:\n" + open(self.path("sim.log")).read()[-2000:])

    def kill_sim(self):
        self.sim.send_signal(signal.SIGKILL)
        self.sim.wait()

    def sim_report(self, lists=True):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}/report{'' if lists else '?lists=0'}", timeout=10) as answer:
            return json.load(answer)

    def sim_executions(self):
        return sum(p["fills"] for p in books(self.sim_report(lists=False), self.market)[0])

    def inject(self, spec):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}/fault", data=spec.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            answer.read()
        self.faults.append(spec)

    # ---- the engine

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
        for setting in [f"{name}={value}" for name, value in settings.items()] + self.settings:
            command += ["--set", setting]
        return command

    def launch_engine(self):
        with open(self.path("engine.out"), "a") as out, open(self.path("engine.log"), "a") as log:
            self.engine = subprocess.Popen(self.engine_command(), stdout=out, stderr=log)

    def start_engine(self, seconds=75):
        """Starts close together may use a venue's minute up: the next one waits for it to pass."""
        self.launch_engine()
        wait_for("the engine's counters page",
                 lambda: os.path.exists(os.path.join(self.shared, "counters")) or self.engine.poll() is not None, seconds)

    def kill_engine(self):
        self.engine.send_signal(signal.SIGKILL)
        self.engine.wait()
        # or what waits for the next engine would read this one's last figures
        counters = os.path.join(self.shared, "counters")
        if os.path.exists(counters):
            os.unlink(counters)

    def figures(self):
        out = subprocess.run([POISE, "monitor", self.shared, "--once", "--json"], capture_output=True, text=True)
        return json.loads(out.stdout) if out.returncode == 0 and out.stdout else {}

    def command(self, *words):
        return subprocess.run([POISE, "control", self.shared, *words], capture_output=True, text=True).returncode

    def alive(self):
        """Neither process may leave by itself."""
        for process, name, log in ((self.engine, "engine", "engine.log"), (self.sim, "simulator", "sim.log")):
            if process.poll() is not None:
                raise Failure(f"the {name} left by itself ({process.returncode}):\n" + open(self.path(log)).read()[-3000:])

    def wait_figure(self, what, condition, seconds):
        wait_for(what, lambda: condition(self.figures()), seconds)

    def quoting(self):
        """The instance quotes, and something of it is in the market."""
        figures = self.figures()
        return figures.get("i.btc.state") == QUOTING and figures.get("i.btc.bid_qty", 0) + figures.get("i.btc.ask_qty", 0) > 0

    def wait_pulled(self, seconds=10):
        self.wait_figure("the end of quoting", lambda f: f.get("i.btc.state", QUOTING) != QUOTING, seconds)

    def wait_quoting(self, seconds=30):
        wait_for("quoting", self.quoting, seconds)

    def wait_fills(self, more, seconds=40):
        begin = self.sim_executions()
        wait_for(f"{more} executions", lambda: self.sim_executions() >= begin + more, seconds)

    # ---- the end

    def stop(self):
        self.engine.send_signal(signal.SIGTERM)
        try:
            return self.engine.wait(timeout=45)
        except subprocess.TimeoutExpired:
            self.engine.kill()
            return -9

    def executions(self, runs):
        """Distinct executions over the journals of all runs."""
        seen = set()
        for run in range(1, runs + 1):
            out = subprocess.run([POISE, "journal", self.path("state", "journal"), "--run", str(run), "--json",
                                  "--type", "fill"], capture_output=True, text=True).stdout
            for line in out.splitlines():
                fill = json.loads(line)
                seen.add((fill["instrument"], fill["side"], fill["exec_id"]))
        return len(seen)

    def replays(self, runs):
        """The runs that do not replay byte for byte; what the tool said is in replay.log."""
        different = []
        with open(self.path("replay.log"), "w") as log:
            for run in range(1, runs + 1):
                done = subprocess.run([POISE, "replay", self.path("state", "journal"), "--run", str(run)],
                                      capture_output=True, text=True)
                log.write(done.stdout + done.stderr)
                if done.returncode != 0:
                    different.append(run)
        return different

    def statement(self):
        """poise report --ledger: its lines, and whether it said that the books balance."""
        done = subprocess.run([POISE, "report", self.path("state"), "--ledger", "--json"], capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return lines, done.returncode == 0 and bool(lines) and lines[0]["balanced"]

    def finish(self):
        """Stops the engine, asks everything that is known, and judges."""
        code = self.stop()
        report = self.sim_report()
        final_path = self.path("state", "final.json")
        if not os.path.exists(final_path):
            raise Failure("the engine left no final.json:\n" + open(self.path("engine.log")).read()[-3000:])
        with open(final_path) as file:
            final = json.load(file)
        return judge(self, code, final, report)

    def end(self):
        for process in (self.engine, self.sim):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
        if not self.keep:
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


def statement_differences(rig, positions, wallets):
    """Where poise report --ledger says otherwise than the simulator's account, to the last unit."""
    lines, balanced = rig.statement()
    cash, held, wrong = {}, {}, [] if balanced else ["the books do not balance"]
    for line in lines:
        if line["type"] == "cash":
            cash[line["currency"]] = cash.get(line["currency"], 0) + Fraction(line["closing"])
        elif line["type"] == "position":
            symbol = line["instrument"].rsplit(".", 1)[-1]
            held[symbol] = held.get(symbol, 0) + Fraction(line["qty"])
    for currency in sorted(set(cash) | set(wallets)):
        ours, theirs = cash.get(currency, 0), wallets.get(currency, 0)
        if ours != theirs:
            wrong.append(f"{currency}: the statement says {float(ours):.8f}, the account {float(theirs):.8f}")
    for p in positions:
        if held.get(p["symbol"], 0) != p["qty"]:
            wrong.append(f"{p['symbol']}: the statement says {held.get(p['symbol'], 0)}, the account {p['qty']}")
    return wrong


def smallest_hedge(positions):
    mark = next(p["mark"] for p in positions if p["kind"] == "linear")
    return max(Fraction(1, 1000), Fraction(-(-(100 * 1000) // mark), 1000))


def judge(rig, code, final, report):
    """What was promised, against the simulator's own books, the journals and the statement."""
    contract = rig.market.contract
    positions, wallets = books(report, rig.market)
    hedge_mark = next(p["mark"] for p in positions if p["kind"] == "linear")
    smallest = smallest_hedge(positions)
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
    same_cash = bool(our_cash) and all(our_cash.get(k, 0) == v for k, v in wallets.items())

    names = [(id(side), o["client_id"]) for side, _ in rig.market.sides(report) for o in side["accounts"][0]["order_list"]]
    different = rig.replays(final["run"])
    statement = statement_differences(rig, positions, wallets)
    invariants = {
        "engine_left_by_itself_cleanly": code == 0,
        "delta_within_smallest_order": abs(delta) <= smallest,
        "revaluation_within_tolerance": swing <= allowed,
        "no_lost_or_doubled_fill": rig.executions(final["run"]) == sum(p["fills"] for p in positions),
        "no_id_reused": len(names) == len(set(names)),
        "nothing_rests": all(p["open_orders"] == 0 for p in positions),
        "replay_identical": not different,
        "positions_equal": same_positions,
        "balances_equal": same_cash,
        "statement_equals_account": not statement,
        "never_halted": not final["halted"],
    }
    return types.SimpleNamespace(final=final, report=report, positions=positions, wallets=wallets, delta=delta,
                                 smallest=smallest, swing=swing, allowed=allowed, statement=statement,
                                 different=different, invariants=invariants,
                                 broken=[name for name, held in invariants.items() if not held])
