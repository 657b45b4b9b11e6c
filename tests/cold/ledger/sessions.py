#!/usr/bin/env python3
"""Two days on a venue that settles at 08:00 (Deribit), worked out the venue's way, in exact fractions.

Every lot knows what it was opened at and what it was settled at last.  A session's profit is counted from the latter
and becomes balance at the settlement, with the funding that ran up: rate x position x time / 8 h.  What our own cash
must be is worked out apart: the first balance without what had accrued, profit from the opening prices, fees, and
funding when it is settled.  Prints sessions.h; --check FILE compares.
"""
import sys
from fractions import Fraction as F
from math import floor

E8 = 10**8
HOUR = F(1)


def e8(value):
    return floor(value * E8)


class Venue:
    """One inverse perpetual of 1 USD a contract; a long one gains q (1 / in - 1 / out) coin."""

    def __init__(self, coin, accrued):
        self.balance, self.rpl, self.accrued, self.lots = F(coin), F(0), F(accrued), []
        self.cash = F(coin)  # ours: what executions and settled funding made of it
        self.carried = F(accrued)

    def held(self):
        return sum(q for q, _, _ in self.lots)

    def pass_time(self, hours, rate, mark):
        self.accrued -= F(rate) * self.held() / F(mark) * F(hours) / 8

    def trade(self, qty, price, fee):
        held, price = self.held(), F(price)
        if held * qty < 0 and abs(qty) <= abs(held):
            share = F(-qty, held)
            for q, opened, settled in self.lots:
                self.rpl += q * share * (1 / settled - 1 / price)
                self.cash += q * share * (1 / opened - 1 / price)
            self.lots = [(q * (1 - share), o, s) for q, o, s in self.lots if share != 1]
        else:
            assert held * qty >= 0
            self.lots.append((F(qty), price, price))
        self.balance -= F(fee)
        self.cash -= F(fee)

    def upl(self, mark):
        return sum(q * (1 / s - 1 / F(mark)) for q, _, s in self.lots)

    def total(self, mark):
        return sum(q * (1 / o - 1 / F(mark)) for q, o, _ in self.lots)

    def settle(self, mark):
        row = (self.rpl + self.upl(mark) + self.accrued, self.accrued)
        self.balance += row[0]
        self.cash += self.accrued
        self.rpl, self.accrued = F(0), F(0)
        self.lots = [(q, o, F(mark)) for q, o, _ in self.lots]
        return row


def story():
    """(what, numbers) in order; numbers in 1e-8 coin and whole contracts, prices in 0.1 USD."""
    venue = Venue(F(1, 2), F(37, E8))  # somebody's funding of this session was there before us
    marks = [F(60000)]

    def told(what):
        mark = marks[0]
        return ("TOLD", what, [e8(venue.balance + venue.rpl + venue.accrued), e8(venue.accrued),
                               e8(venue.total(mark) - venue.upl(mark)), e8(venue.cash), int(venue.held())])

    def trade(what, qty, price, fee):
        venue.trade(qty, price, F(fee, E8))
        return ("TRADE", what, [qty, price * 10, fee, 0, 0])

    def wait(hours, rate, mark):
        marks[0] = F(mark)
        venue.pass_time(hours, rate, mark)

    yield told("what is there at the start")
    yield trade("a short is opened", -3000, 60000, 0)
    yield told("nothing ran up yet")
    wait(3, F(3, 10000), 60600)
    yield told("funding ran up and is not cash")
    yield trade("a third is closed", 1000, 61000, 820)
    yield told("profit counts from the opening price")
    yield ("RESTART", "killed in the session", [0] * 5)
    yield told("what accrued is no transfer")
    wait(2, F(-1, 10000), 61200)
    change, funding = venue.settle(61200)
    yield ("SETTLED", "08:00", [e8(change), e8(funding), 0, 0, 0])
    yield told("the open profit is in the balance, and not ours yet")
    wait(5, F(2, 10000), 59000)
    yield told("the next session runs")
    yield ("RESTART", "killed again", [0] * 5)
    yield told("settled profit is no transfer either")
    yield trade("half of the rest is closed", 1000, 59000, 850)
    yield told("and with it half of what was settled")
    yield trade("the other half too", 1000, 58500, 855)
    yield told("flat: nothing is beside our cash but funding")
    change, funding = venue.settle(58500)
    yield ("SETTLED", "the second 08:00", [e8(change), e8(funding), 0, 0, 0])
    yield told("all of it is cash")


def text():
    lines = ["/* Made by sessions.py: do not edit.  Coin in 1e-8, prices in 0.1 USD. */", "/* clang-format off */",
             "static const struct session_step session[] = {"]
    for kind, what, values in story():
        lines.append(f"    {{ SESSION_{kind}, \"{what}\", {{ {', '.join(str(v) for v in values)} }} }},")
    return "\n".join(lines + ["};", "/* clang-format on */"]) + "\n"


if len(sys.argv) == 3 and sys.argv[1] == "--check":
    sys.exit(0 if open(sys.argv[2]).read() == text() else "sessions.h is not what sessions.py makes")
sys.stdout.write(text())
