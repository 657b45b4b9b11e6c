#!/usr/bin/env python3
"""Runs poise against poise-sim on loopback and judges what came out.  Called by tools/demo."""
import argparse
import json
import os
import subprocess
import sys
import time
from decimal import Decimal

sys.dont_write_bytecode = True
import rig

# Enough must happen for the invariants to mean something.
LEAST_FILLS, LEAST_PARTIAL, LEAST_HEDGES = 20, 3, 10


def say(text):
    print(text, file=sys.stderr, flush=True)


def show_table(stage, options):
    if options.json and not sys.stderr.isatty():
        return None
    every = "500" if sys.stderr.isatty() else "10000"
    return subprocess.Popen([rig.POISE, "monitor", stage.shared, "--every-ms", every], stdout=sys.stderr)


def trade(stage, options):
    begin = time.monotonic()
    disconnect_at = options.seconds * 0.4
    try:
        while options.forever or time.monotonic() - begin < options.seconds:
            stage.alive()
            if not stage.faults and time.monotonic() - begin > disconnect_at:
                for spec in stage.market.disconnect:
                    stage.inject(spec)
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    return time.monotonic() - begin


def decimal(value):
    return str(Decimal(value.numerator) / Decimal(value.denominator))


def summary_of(stage, outcome, seconds):
    """What was promised, and whether enough happened."""
    final = outcome.final
    instance = final["instances"][0]
    activity = {
        f"fills_at_least_{LEAST_FILLS}": instance["fills"] >= LEAST_FILLS,
        "fills_on_both_sides": instance["buys"] > 0 and instance["sells"] > 0,
        f"partial_fills_at_least_{LEAST_PARTIAL}": instance["partials"] >= LEAST_PARTIAL,
        f"hedges_at_least_{LEAST_HEDGES}": instance["hedges"] >= LEAST_HEDGES,
        "a_requote_a_second": instance["requotes"] >= seconds,
        "disconnect_recovered": bool(stage.faults) and final["reconnects"] >= 1,
    }
    return {
        "ok": not outcome.broken and all(activity.values()),
        "seconds": round(seconds, 1),
        "fills": instance["fills"], "buys": instance["buys"], "sells": instance["sells"],
        "partial_fills": instance["partials"], "hedges": instance["hedges"], "requotes": instance["requotes"],
        "max_naked_ms": instance["max_naked_ns"] / 1e6,
        "final_delta": decimal(outcome.delta), "smallest_hedge": decimal(outcome.smallest),
        "revaluation_usd": float(outcome.swing), "revaluation_allowed_usd": float(outcome.allowed),
        "pnl": dict(instance["pnl"]), "pnl_currency": final["report_currency"],
        "conversion": "USDT/USD is fixed at 1: the demo has no market for it",
        "tape_jumps": {p["symbol"]: p["jump"] for p in outcome.positions},
        "latency_us": final.get("latency_us", {}),
        "latency_note": f"{os.cpu_count()} processors: engine, simulator and everything else share them, so latencies include sharing",
        "model": outcome.report["model"],
        "invariants": outcome.invariants, "activity": activity,
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

    stage = rig.Rig(os.path.join(rig.ROOT, "build", "demo"), rig.Deribit if options.deribit else rig.Binance,
                    seed=options.seed, keep=options.keep)
    table = None
    try:
        stage.start_sim()
        stage.start_engine()
        table = show_table(stage, options)
        seconds = trade(stage, options)
        if table:
            table.terminate()
        outcome = stage.finish()
        summary = summary_of(stage, outcome, seconds)
    except rig.Failure as failure:
        raise SystemExit(f"demo: {failure}")
    finally:
        if table:
            table.terminate()
            table.wait()
        stage.end()

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
    for sentence in outcome.statement:
        say(f"demo: {sentence}")
    if bad:
        say("demo: did not hold: " + ", ".join(bad))
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
