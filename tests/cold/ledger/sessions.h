/* Made by sessions.py: do not edit.  Coin in 1e-8, prices in 0.1 USD. */
/* clang-format off */
static const struct session_step session[] = {
    { SESSION_TOLD, "what is there at the start", { 50000037, 37, 0, 50000000, 0 } },
    { SESSION_TRADE, "a short is opened", { -3000, 600000, 0, 0, 0 } },
    { SESSION_TOLD, "nothing ran up yet", { 50000037, 37, 0, 50000000, -3000 } },
    { SESSION_TOLD, "funding ran up and is not cash", { 50000593, 593, 0, 50000000, -3000 } },
    { SESSION_TRADE, "a third is closed", { 1000, 610000, 820, 0, 0 } },
    { SESSION_TOLD, "profit counts from the opening price", { 49972451, 593, 0, 49971857, -2000 } },
    { SESSION_RESTART, "killed in the session", { 0, 0, 0, 0, 0 } },
    { SESSION_TOLD, "what accrued is no transfer", { 49972451, 593, 0, 49971857, -2000 } },
    { SESSION_SETTLED, "08:00", { -92170, 512, 0, 0, 0 } },
    { SESSION_TOLD, "the open profit is in the balance, and not ours yet", { 49907010, 0, -65360, 49972369, -2000 } },
    { SESSION_TOLD, "the next session runs", { 49907434, 423, -65360, 49972369, -2000 } },
    { SESSION_RESTART, "killed again", { 0, 0, 0, 0, 0 } },
    { SESSION_TOLD, "settled profit is no transfer either", { 49907434, 423, -65360, 49972369, -2000 } },
    { SESSION_TRADE, "half of the rest is closed", { 1000, 590000, 850, 0, 0 } },
    { SESSION_TOLD, "and with it half of what was settled", { 49967512, 423, -32680, 49999768, -1000 } },
    { SESSION_TRADE, "the other half too", { 1000, 585000, 855, 0, 0 } },
    { SESSION_TOLD, "flat: nothing is beside our cash but funding", { 50042072, 423, 0, 50041648, 0 } },
    { SESSION_SETTLED, "the second 08:00", { 136766, 423, 0, 0, 0 } },
    { SESSION_TOLD, "all of it is cash", { 50042072, 0, 0, 50042072, 0 } },
};
/* clang-format on */
