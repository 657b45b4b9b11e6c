#!/usr/bin/env python3
"""Works out fills, worth and expiry of every kind in exact fractions, and by another way than ring/kind.c.

It keeps a list of open lots and averages them only when something closes; nothing is rounded before the last
line.  Prints the story as kind_expected.h; --check FILE compares instead.
"""
import random
import sys
from fractions import Fraction as F
from math import ceil, floor

# name: kind, settles in coin, contract, decimals of price and quantity, strike, call
CASES = {
    "SPOT": ("SPOT", False, F(1), 2, 5, None, None),
    "LINEAR": ("LINEAR_PERPETUAL", False, F(1), 2, 3, None, None),
    "INVERSE": ("INVERSE_PERPETUAL", True, F(100), 1, 0, None, None),
    "QUANTO": ("QUANTO_PERPETUAL", False, F(1, 10**6), 2, 0, None, None),  # 100 satoshi per dollar of ETH
    "LINEAR_DATED": ("LINEAR_FUTURE", False, F(1, 100), 1, 0, None, None),
    "INVERSE_DATED": ("INVERSE_FUTURE", True, F(10), 1, 0, None, None),
    "COIN_CALL": ("OPTION", True, F(1), 4, 1, F(60000), True),
    "COIN_PUT": ("OPTION", True, F(1), 4, 1, F(60000), False),
    "USDC_CALL": ("OPTION", False, F(1), 1, 2, F(62000), True),
    "USDC_PUT": ("OPTION", False, F(1), 1, 2, F(62000), False),
    "MILLI_PUT": ("OPTION", True, F(1, 1000), 4, 4, F(61000), False),  # finer than 1e-8: roundings show
    "SHARE": ("ETF_SHARE", False, F(57, 10**5), 2, 0, None, None),
    "POOL": ("AMM_POOL", False, F(1), 2, 5, None, None),
}
TYPICAL = {"SPOT": 6100000, "LINEAR": 6100000, "INVERSE": 610000, "QUANTO": 310000, "LINEAR_DATED": 612000,
           "INVERSE_DATED": 612000, "COIN_CALL": 420, "COIN_PUT": 310, "USDC_CALL": 21000, "USDC_PUT": 18000,
           "MILLI_PUT": 377,
           "SHARE": 3490, "POOL": 6100000}


def to(value, decimals, how):
    return how(value * 10**decimals)


def half_even(value):
    return round(value)  # of a Fraction: exact, ties to even


class Holding:
    def __init__(self, name):
        self.name = name
        self.kind, self.coin, self.contract, self.price_decimals, self.qty_decimals, self.strike, self.call = CASES[name]
        self.size = F(0)  # signed, contracts or coins
        self.cost = F(0)  # what was paid for what is open, in what profit is counted in

    def worth(self, size, price):
        if self.kind == "ETF_SHARE":
            return size * price
        if self.coin and self.kind != "OPTION":
            return size * self.contract / price
        return size * self.contract * price

    def fill(self, side, units, price_units):
        price = F(price_units, 10**self.price_decimals)
        size = F(units, 10**self.qty_decimals) * (1 if side == 0 else -1)
        made = F(0)
        if self.size * size < 0:
            closing = min(abs(size), abs(self.size)) * (1 if size > 0 else -1)
            given_up = self.cost * abs(closing) / abs(self.size)
            got = -self.worth(closing, price)
            made = given_up - got if self.futures_in_coin() else got - given_up
            self.cost -= given_up
            self.size += closing
            rest = size - closing
        else:
            rest = size
        self.cost += self.worth(rest, price)
        self.size += rest
        coin = to(size * self.contract, 8, floor) if self.kind in ("SPOT", "AMM_POOL") else 0
        paid = 0
        if self.kind in ("SPOT", "AMM_POOL", "OPTION", "ETF_SHARE"):
            paid = to(-self.worth(size, price), 8, floor)
        realised = 0 if self.kind in ("SPOT", "AMM_POOL") else to(made, 8, half_even)
        return coin, paid, realised

    def futures_in_coin(self):
        return self.coin and self.kind != "OPTION"

    def open(self, price_units):
        price = F(price_units, 10**self.price_decimals)
        worth = self.worth(self.size, price)
        if self.kind in ("SPOT", "AMM_POOL"):
            return 0
        if self.kind in ("OPTION", "ETF_SHARE"):
            return to(worth, 12, half_even)
        return to(self.cost - worth if self.coin else worth - self.cost, 12, half_even)

    def expire(self, delivery):
        """Cash and profit at a delivery price."""
        if self.kind == "OPTION":
            each = max(F(0), delivery - self.strike if self.call else self.strike - delivery)
            if self.coin:
                each /= delivery
            paid = self.size * self.contract * each
            return to(paid, 8, floor), to(paid - self.cost, 8, half_even)
        worth = self.worth(self.size, delivery)
        made = self.cost - worth if self.coin else worth - self.cost
        return 0, to(made, 8, half_even)


def swap_out(x, y, amount, fee):
    kept = amount * (1 - fee)
    return floor(y - x * y / (x + kept))  # k stays: y' = k / x'


def swap_in(x, y, out, fee):
    return ceil((F(x * y, y - out) - x) / (1 - fee))


def main():
    dice = random.Random(20261128)
    out = ["/* Made by kind_by_hand.py: do not edit.  Per fill: what, side, quantity, price, coin, paid, realised,",
           " * cost in 1e-12, mark, open in 1e-12; per expiry: what, delivery, paid, realised. */",
           "/* clang-format off */", "enum hand_case { " + ", ".join("HAND_" + name for name in CASES) + " };",
           "static const struct hand_instrument hand_instruments[] = {"]
    for name, (kind, coin, contract, price, qty, strike, call) in CASES.items():
        option = "OPTION_NONE" if strike is None else "OPTION_CALL" if call else "OPTION_PUT"
        out.append("    [HAND_%s] = { KIND_%s, %s, %d, %d, %d, %s, %d }," % (
            name, kind, str(coin).lower(), contract * 10**8, price, qty, option, (strike or 0) * 10**8))
    out += ["};", "static const struct hand_fill hand_fills[] = {"]
    expiries = []
    for name in CASES:
        holding = Holding(name)
        # buy, add, close a part, through zero, cover through zero again: then at random
        story = [(0, 10, 0), (0, 5, 30), (1, 7, 11), (1, 12, -25), (0, 9, 7)]
        for _ in range(40):
            story.append((dice.randrange(2), dice.randint(1, 40), dice.randint(-60, 60)))
        for side, units, off in story:
            price = TYPICAL[name] + off
            mark = TYPICAL[name] + dice.randint(-90, 90)
            coin, paid, realised = holding.fill(side, units, price)
            out.append("    { HAND_%s, %d, %d, %d, %d, %d, %d, %d, %d, %d }," % (
                name, side, units, price, coin, paid, realised, to(holding.cost, 12, half_even), mark,
                holding.open(mark)))
        if holding.strike is not None or "DATED" in name:
            if holding.size == 0:
                raise SystemExit("nothing left to expire: " + name)
            for delivery in (F(6123457, 100), F(5587654, 100)):
                paid, made = holding.expire(delivery)
                expiries.append("    { HAND_%s, %d, %d, %d }," % (name, delivery * 10**8, paid, made))
    out += ["};", "static const struct hand_expiry hand_expiries[] = {"] + expiries
    out += ["};", "static const struct hand_swap hand_swaps[] = {"]
    for _ in range(200):
        x, y = dice.randint(1, 10**15), dice.randint(1, 10**15)
        amount = dice.randint(0, 10 ** dice.randint(1, 14))
        ppm = dice.choice((0, 500, 2500, 3000, 10000))
        fee = F(ppm, 10**6)
        got = swap_out(x, y, amount, fee)
        out.append("    { %d, %d, %d, %d, %d, %d }," % (x, y, amount, ppm, got, swap_in(x, y, got, fee)))
    out += ["};", "/* clang-format on */", ""]
    text = "\n".join(out)
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        return 0 if open(sys.argv[2]).read() == text else 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
