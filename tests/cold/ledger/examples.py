#!/usr/bin/env python3
"""The examples of the ledger's test that one can follow with a pencil, and what they come to, in exact fractions.

Equity is worked out without positions: every fill has gained its own difference between its price and the mark for
ever.  Cash is worked out with lots (kind_by_hand.py of the ring's tests).  Prints examples.h; --check FILE compares.
"""
import os
import sys
from fractions import Fraction as F
from math import floor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ring"))
import kind_by_hand as hand  # noqa: E402

CURRENCIES = ("USD", "BTC", "USDT", "ETH")
# name: (kind, in coin, contract, decimals of price and quantity, strike, call), settlement, quote
TRADED = {
    "INVERSE": (("INVERSE_PERPETUAL", True, F(100), 1, 0, None, None), "BTC", "USD"),
    "LINEAR": (("LINEAR_PERPETUAL", False, F(1), 1, 3, None, None), "USDT", "USDT"),
    "SPOT": (("SPOT", False, F(1), 2, 5, None, None), "USDT", "USDT"),
    "QUANTO": (("QUANTO_PERPETUAL", False, F(1, 10**6), 2, 0, None, None), "BTC", "USD"),
    "DATED": (("INVERSE_FUTURE", True, F(10), 1, 0, None, None), "BTC", "USD"),
    "CALL": (("OPTION", True, F(1), 4, 1, F(60000), True), "BTC", "BTC"),
    "PUT": (("OPTION", False, F(1), 1, 2, F(62000), False), "USDT", "USDT"),
    "SHARE": (("ETF_SHARE", False, F(57, 10**5), 2, 0, None, None), "USD", "USD"),
    "POOL": (("AMM_POOL", False, F(1), 2, 5, None, None), "USDT", "USDT"),
}
AT = {"INVERSE": F(60000), "LINEAR": F(60000), "SPOT": F(60000), "QUANTO": F(3000), "DATED": F(60500),
      "CALL": F(5, 100), "PUT": F(2500), "SHARE": F(34), "POOL": F(60000)}

FILL, CASH, DELIVER, HELD, REPRICE = "FILL", "CASH", "DELIVER", "HELD", "REPRICE"

# Each: allocation of coin, steps, what it shows.
EXAMPLES = [
    ("an inverse short with the coin as collateral is flat in dollars", F(1), [
        (FILL, "INVERSE", 1, 600, F(60000), 0, "BTC")]),
    ("the naive contract delta would have sold the coin twice", F(1), [
        (FILL, "INVERSE", 1, 600, F(60000), 0, "BTC"), (FILL, "LINEAR", 1, 1000, F(60000), 0, "USDT")]),
    ("a fee in coin takes the hedge's coin away", F(1), [
        (FILL, "INVERSE", 1, 600, F(60000), 50000, "BTC")]),
    ("funding in coin does the same", F(1), [
        (FILL, "INVERSE", 1, 600, F(60000), 0, "BTC"), (CASH, "FUNDING", "INVERSE", "BTC", -30000)]),
    ("funding in a stable coin moves no coin", F(0), [
        (FILL, "LINEAR", 1, 250, F(60010), 1500000, "USDT"), (CASH, "FUNDING", "LINEAR", "USDT", 612345678)]),
    ("a position goes through zero", F(0), [
        (FILL, "INVERSE", 0, 10, F(59000), 17, "BTC"), (FILL, "INVERSE", 1, 25, F(61000), 41, "BTC"),
        (FILL, "INVERSE", 0, 7, F(60500), -3, "BTC")]),
    ("one leg expires and the other stays", F(0), [
        (FILL, "DATED", 1, 1000, F(60480), 20000, "BTC"), (FILL, "INVERSE", 0, 100, F(60020), 10000, "BTC"),
        (DELIVER, "DATED", F(6012345, 100))]),
    ("a market buy sized in quote currency gives what it bought", F(0), [
        (FILL, "SPOT", 0, 16663, F(6001234, 100), 1666, "BTC"), (FILL, "SPOT", 0, 3, F(6001300, 100), 1, "BTC")]),
    ("a position from before stands with nobody", F(0), [
        (HELD, "LINEAR", -500, F(61000)), (FILL, "LINEAR", 0, 500, F(60100), 1502500000, "USDT")]),
    ("a coin option is paid for in coin and pays in coin", F(0), [
        (FILL, "CALL", 0, 20, F(42, 1000), 60000, "BTC"), (DELIVER, "CALL", F(65000))]),
    ("a written call costs its writer", F(0), [
        (FILL, "CALL", 1, 15, F(42, 1000), 45000, "BTC"), (DELIVER, "CALL", F(6712345, 100))]),
    ("a put that ends worthless has cost its premium", F(0), [
        (FILL, "PUT", 0, 40, F(21005, 10), 1000000, "USDT"), (DELIVER, "PUT", F(63000))]),
    ("an open option is worth its price", F(0), [
        (FILL, "PUT", 0, 40, F(21005, 10), 1000000, "USDT"), (FILL, "PUT", 1, 15, F(26000, 10), 0, "USDT")]),
    ("a quanto is paid in another coin", F(0), [
        (FILL, "QUANTO", 0, 5000, F(298050, 100), 7450, "BTC"), (FILL, "QUANTO", 1, 2000, F(305000, 100), 0, "BTC")]),
    ("a share pays a dividend and costs a commission", F(0), [
        (FILL, "SHARE", 0, 300, F(3390, 100), 35000000, "USD"), (CASH, "DIVIDEND", "SHARE", "USD", 4500000000),
        (FILL, "SHARE", 1, 100, F(3450, 100), 35000000, "USD")]),
    ("a swap at a pool is an exchange", F(0), [
        (FILL, "POOL", 0, 10000, F(6012345, 100), 0, "USDT"), (FILL, "LINEAR", 1, 100, F(60000), 0, "USDT")]),
    ("a stand-in price is corrected", F(0), [
        (FILL, "LINEAR", 0, 100, F(60000), 0, "USDT"), (REPRICE, "LINEAR", F(60500)),
        (FILL, "LINEAR", 1, 100, F(60200), 0, "USDT"), (REPRICE, "LINEAR", F(60010))]),
]


def rate(currency, at):
    return {"USD": F(1), "BTC": at["INVERSE"], "USDT": F(1), "ETH": F(3000)}[currency]


class Story:
    def __init__(self, coin):
        self.cash = dict.fromkeys(CURRENCIES, F(0))  # exact
        self.cash["BTC"] = coin
        self.own = dict(self.cash)  # openings, fees and payments only
        self.fills = []
        self.holdings = {}
        self.gone = F(0)

    def holding(self, name):
        if name not in self.holdings:
            hand.CASES[name] = TRADED[name][0]
            self.holdings[name] = hand.Holding(name)
        return self.holdings[name]

    def take(self, name, side, units, price):
        row, settle, quote = TRADED[name]
        holding = self.holding(name)
        coin, paid, realised = holding.fill(side, units, int(price * 10 ** row[3]))
        kind = row[0]
        if kind in ("SPOT", "AMM_POOL"):
            self.cash["BTC"] += F(coin, 10**8)
            self.cash[quote] += F(paid, 10**8)
        elif kind in ("OPTION", "ETF_SHARE"):
            self.cash[settle] += F(paid, 10**8)
        else:
            self.cash[settle] += F(realised, 10**8)
        self.fills.append([name, F(units, 10 ** row[4]) * (1 if side == 0 else -1), price])

    def equity(self, at):
        """Without positions: what every fill's difference from the mark has made."""
        total = sum(amount * rate(currency, at) for currency, amount in self.own.items())
        for name, size, price in self.fills:
            row, settle, quote = TRADED[name]
            contract = row[2]
            if name in at["delivered"]:
                total += self.delivered_gain(name, size, price, at["delivered"][name]) * rate(settle, at)
            elif row[0] in ("INVERSE_PERPETUAL", "INVERSE_FUTURE"):
                total += size * contract * (1 / price - 1 / at[name]) * rate(settle, at)
            elif row[0] in ("SPOT", "AMM_POOL"):
                total += size * contract * at["INVERSE"] - size * contract * price * rate(quote, at)
            elif row[0] == "ETF_SHARE":
                total += size * (at[name] - price)
            else:
                total += size * contract * (at[name] - price) * rate(settle, at)
        return total

    @staticmethod
    def delivered_gain(name, size, price, delivery):
        row = TRADED[name][0]
        if row[0] == "INVERSE_FUTURE":
            return size * row[2] * (1 / price - 1 / delivery)
        over = max(F(0), delivery - row[5] if row[6] else row[5] - delivery)
        return size * row[2] * ((over / delivery if row[1] else over) - price)


def e8(value):
    return floor(value * 10**8)


def main():
    out = ["/* Made by examples.py: do not edit.  Money in 1e-8. */", "/* clang-format off */",
           "static const struct example examples[] = {"]
    for title, coin, steps in EXAMPLES:
        story = Story(coin)
        told = []
        delivered = {}
        for step in steps:
            if step[0] == FILL:
                _, name, side, units, price, fee, currency = step
                story.take(name, side, units, price)
                story.cash[currency] -= F(fee, 10**8)
                story.own[currency] -= F(fee, 10**8)
                told.append("{ EX_FILL, EX_%s, { %d, %d, %d, %d, %s } }" % (
                    name, side, units, price * 10 ** TRADED[name][0][3], fee, currency))
            elif step[0] == CASH:
                _, reason, name, currency, amount = step
                story.cash[currency] += F(amount, 10**8)
                story.own[currency] += F(amount, 10**8)
                told.append("{ EX_CASH, EX_%s, { CASH_%s, %d, 0, 0, %s } }" % (name, reason, amount, currency))
            elif step[0] == DELIVER:
                _, name, price = step
                paid, made = story.holding(name).expire(price)
                settle = TRADED[name][1]
                story.cash[settle] += F(paid if TRADED[name][0][0] == "OPTION" else made, 10**8)
                delivered[name] = price
                told.append("{ EX_DELIVER, EX_%s, { %d, 0, 0, 0, 0 } }" % (name, price * 10**8))
            elif step[0] == HELD:
                _, name, units, price = step
                told.append("{ EX_HELD, EX_%s, { %d, %d, 0, 0, 0 } }" % (
                    name, units, F(units, 10 ** TRADED[name][0][4]) * price * 10**4))
                # nobody's: it is not in the instance's equity
            else:
                _, name, price = step
                # the last fill's price was a stand-in: as if it had been told at once
                _, size, _ = story.fills[-1]
                units = int(abs(size) * 10 ** TRADED[name][0][4])
                kept = [fill for fill in story.fills[:-1]] + [[name, size, price]]
                again = Story(coin)
                again.own = story.own
                again.cash = dict(story.own)
                for fill in kept:
                    again.take(fill[0], 0 if fill[1] > 0 else 1,
                               int(abs(fill[1]) * 10 ** TRADED[fill[0]][0][4]), fill[2])
                story = again
                told.append("{ EX_REPRICE, EX_%s, { %d, %d, %d, 0, 0 } }" % (
                    name, 0 if size > 0 else 1, units, price * 10 ** TRADED[name][0][3]))
        equity = []
        for move in (F(1), F(11, 10), F(9, 10)):
            at = {name: price * (F(1) if name in ("CALL", "PUT") else move) for name, price in AT.items()}
            at["delivered"] = delivered
            equity.append(e8(story.equity(at)))
        out.append('    { "%s", %d, %d, { %s }, { %s }, { %s } },' % (
            title, coin * 10**8, len(steps), ", ".join(told),
            ", ".join(str(e8(story.cash[currency])) for currency in CURRENCIES), ", ".join(map(str, equity))))
    out += ["};", "/* clang-format on */", ""]
    text = "\n".join(out)
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        return 0 if open(sys.argv[2]).read() == text else 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
