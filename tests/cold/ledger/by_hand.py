#!/usr/bin/env python3
"""Works out what the ledger must say, in exact fractions and by another way.

It keeps no positions and no average prices: a fill of quantity q at price p is worth its own gain for ever
(linear, spot: q x (mid - p); inverse: q x 100 x (1/p - 1/mid)), and equity is the sum over all fills, fees and
payments.  Prints the story and the expected figures as expected.h; --check FILE compares instead.
"""
import random
import sys
from fractions import Fraction as F

USD, BTC, USDT = 0, 1, 2
INVERSE, LINEAR, STABLE, SPOT = 0, 1, 2, 3
DECIMALS = {INVERSE: (1, 0), LINEAR: (1, 3), STABLE: (4, 2), SPOT: (2, 5)}  # of price, of quantity
ALLOCATION = F(1, 2)  # of instance 0
PARTS = ("trading", "basis", "funding", "fee", "slippage", "residual", "rounding")


class Instance:
    def __init__(self, coin):
        self.fills = []  # (instrument, signed quantity, price)
        self.cash = {BTC: coin, USDT: F(0)}  # openings, fees, payments, and of spot the exchanged money
        self.parts = dict.fromkeys(PARTS, F(0))
        self.start = self.delta = self.coin_price = None


class World:
    def __init__(self):
        self.mid = {}
        self.instances = [Instance(ALLOCATION), Instance(F(0))]

    def rate(self, currency):
        return {USD: F(1), BTC: self.mid[INVERSE], USDT: self.mid[STABLE]}[currency]

    @staticmethod
    def gain(instrument, q, price, worth):
        """Money made by having traded at price what is worth `worth`; and its currency."""
        if instrument == INVERSE:
            return q * 100 * (1 / price - 1 / worth), BTC
        return q * (worth - price), USDT

    def equity(self, instance):
        value = sum(amount * self.rate(currency) for currency, amount in instance.cash.items())
        for instrument, q, price in instance.fills:
            if instrument != SPOT:
                money, currency = self.gain(instrument, q, price, self.mid[instrument])
                value += money * self.rate(currency)
        return value

    def coin_delta(self, instance):
        delta = instance.cash[BTC]
        for instrument, q, price in instance.fills:
            if instrument == INVERSE:
                delta += q * 100 / price  # gain at mid and contract delta at mid: the mid drops out
            elif instrument == LINEAR:
                delta += q
        return delta

    def look(self, instance):
        """Books what the delta held since the last look made of the coin's move."""
        coin_price = self.mid[LINEAR] * self.mid[STABLE]
        if instance.start is None:
            instance.start = self.equity(instance)
        else:
            instance.parts["residual"] += instance.delta * (coin_price - instance.coin_price)
        instance.delta = self.coin_delta(instance)
        instance.coin_price = coin_price

    def top(self, instrument, bid, ask):
        self.mid[instrument] = F((bid + ask) // 2, 10 ** DECIMALS[instrument][0])
        if len(self.mid) == 4:
            for instance in self.instances:
                self.look(instance)

    def fill(self, number, instrument, side, units, price_units, fee_e8, decision_units):
        instance = self.instances[number]
        price_decimals, qty_decimals = DECIMALS[instrument]
        price = F(price_units, 10 ** price_decimals)
        q = F(units, 10 ** qty_decimals) * (1 if side == 0 else -1)
        self.look(instance)
        money, currency = self.gain(instrument, q, price, self.mid[instrument])
        slip = F(0)
        if decision_units:
            slip = self.gain(instrument, q, price, F(decision_units, 10 ** price_decimals))[0]
        instance.parts["slippage"] += slip * self.rate(currency)
        instance.parts["trading"] += (money - slip) * self.rate(currency)
        instance.fills.append((instrument, q, price))
        if instrument == SPOT:
            instance.cash[BTC] += q
            instance.cash[USDT] -= q * price
        self.pay(number, "fee", currency, -F(fee_e8, 10 ** 8))

    def pay(self, number, part, currency, amount):
        instance = self.instances[number]
        instance.parts[part] += amount * self.rate(currency)
        instance.cash[currency] += amount
        instance.delta = self.coin_delta(instance)

    def figures(self, number):
        """Equity and parts in 1e-8; basis is what the others leave, because its definition is that."""
        instance = self.instances[number]
        if instance.start is None:
            return None
        equity = self.equity(instance)
        parts = dict(instance.parts)
        parts["basis"] = equity - instance.start - sum(parts.values())
        out = [equity] + [parts[name] for name in PARTS] + [self.coin_delta(instance)]
        return [int(value * 10 ** 8) for value in out]


def story():
    """First a few steps that one can follow with a pencil, then many from a seed."""
    steps = [
        ("TOP", STABLE, 9999, 10001, 0, 0, 0, 0),
        ("TOP", INVERSE, 618000, 618002, 0, 0, 0, 0),
        ("TOP", LINEAR, 618010, 618012, 0, 0, 0, 0),
        ("TOP", SPOT, 6179000, 6179001, 0, 0, 0, 0),
        # the owner's half coin is sold on the hedge leg, decided at 61801.0, filled half a dollar worse
        ("FILL", 0, LINEAR, 1, 500, 618005, 1545012500, 618010),
        # five contracts bought a dollar below mid, hedged 0.008
        ("FILL", 0, INVERSE, 0, 5, 617991, 162, 0),
        ("FILL", 0, LINEAR, 1, 8, 618010, 24720400, 618010),
        ("TOP", LINEAR, 620010, 620012, 0, 0, 0, 0),
        ("TOP", INVERSE, 620020, 620022, 0, 0, 0, 0),
        # three of the five sold again, then six: through zero
        ("FILL", 0, INVERSE, 1, 3, 620031, 97, 0),
        ("FILL", 0, INVERSE, 1, 6, 620041, 194, 0),
        ("FUNDING", 0, BTC, -1234, 0, 0, 0, 0),
        ("FUNDING", 0, USDT, 56789, 0, 0, 0, 0),
        ("TOP", STABLE, 9989, 9991, 0, 0, 0, 0),
        # spot bought, hedged on the linear leg, by the other instance
        ("FILL", 1, SPOT, 0, 12345, 6178900, 762785205, 0),
        ("FILL", 1, LINEAR, 1, 123, 620000, 381300000, 620010),
        ("TOP", SPOT, 6200100, 6200101, 0, 0, 0, 0),
    ]
    dice = random.Random(20240808)
    price = 62000
    for _ in range(300):
        price += dice.randint(-40, 40)
        kind = dice.randrange(6)
        inverse, linear = price * 10 + dice.randint(-30, 30), price * 10 + dice.randint(-30, 30)
        if kind == 0:
            steps.append(("TOP", INVERSE, inverse, inverse + 1, 0, 0, 0, 0))
        elif kind == 1:
            steps.append(("TOP", LINEAR, linear, linear + 1, 0, 0, 0, 0))
        elif kind == 2:
            steps.append(("TOP", SPOT, price * 100, price * 100 + dice.randint(1, 50), 0, 0, 0, 0))
            stable = 9990 + dice.randint(-20, 20)
            steps.append(("TOP", STABLE, stable, stable + 1, 0, 0, 0, 0))
        elif kind in (3, 4):
            side, contracts = dice.randrange(2), dice.randint(1, 9)
            steps.append(("FILL", 0, INVERSE, side, contracts, inverse, dice.randint(-50, 200), 0))
            steps.append(("FILL", 0, LINEAR, 1 - side, contracts * 2, linear, dice.randint(0, 10 ** 8),
                          linear + dice.randint(-9, 9)))
        else:
            side, units = dice.randrange(2), dice.randint(1, 9999)
            steps.append(("FILL", 1, SPOT, side, units, price * 100 + dice.randint(-99, 99),
                          dice.randint(0, 10 ** 7), 0))
    return steps


def main():
    world = World()
    out = ["/* Made by by_hand.py: do not edit.  Figures are equity, the seven parts and the delta, in 1e-8. */",
           "/* clang-format off */", "static const struct step steps[] = {"]
    for step in story():
        if step[0] == "TOP":
            world.top(step[1], step[2], step[3])
        elif step[0] == "FILL":
            world.fill(*step[1:])
        else:
            world.pay(step[1], "funding", step[2], F(step[3], 10 ** 8))
            for instance in world.instances:
                world.look(instance)
        figures = [world.figures(number) for number in (0, 1)]
        known = all(figures)
        told = ["{ " + ", ".join(str(value) for value in (row or [0] * 9)) + " }" for row in figures]
        out.append("    { STEP_%s, { %s }, %s, { %s } }," % (step[0], ", ".join(map(str, step[1:])),
                                                           str(known).lower(), ", ".join(told)))
    out += ["};", "/* clang-format on */", ""]
    text = "\n".join(out)
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        return 0 if open(sys.argv[2]).read() == text else 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
