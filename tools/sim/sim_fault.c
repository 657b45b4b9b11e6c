#include "tools/sim/sim_fault.h"

#include "tools/sim/model/sim_decimal.h"
#include "tools/sim/model/sim_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct { const char *name; bool moment; } kinds[SIM_FAULT_KIND_COUNT] = {
    [SIM_FAULT_DISCONNECT]        = { "disconnect",        true  },
    [SIM_FAULT_SERVER_SHUTDOWN]   = { "server_shutdown",   true  },
    [SIM_FAULT_LISTENKEY_EXPIRED] = { "listenkey_expired", true  },
    [SIM_FAULT_LIQUIDATE]         = { "liquidate",         true  },
    [SIM_FAULT_DEPOSIT]           = { "deposit",           true  },
    [SIM_FAULT_SILENCE]           = { "silence",           false },
    [SIM_FAULT_GAP]               = { "gap",               false },
    [SIM_FAULT_DUP_REPORTS]       = { "dup_reports",       false },
    [SIM_FAULT_REORDER_REPORTS]   = { "reorder_reports",   false },
    [SIM_FAULT_DROP_PRIVATE]      = { "drop_private",      false },
    [SIM_FAULT_PARTIAL]           = { "partial",           false },
    [SIM_FAULT_REJECT]            = { "reject",            false },
    [SIM_FAULT_RATE_LIMIT]        = { "rate_limit",        false },
    [SIM_FAULT_SLOW_ACK]          = { "slow_ack",          false },
    [SIM_FAULT_UNKNOWN_503]       = { "unknown_503",       false },
    [SIM_FAULT_TIMEOUT_1007]      = { "timeout_1007",      false },
    [SIM_FAULT_NO_REPLY]          = { "no_reply",          false },
    [SIM_FAULT_CLOCK_SKEW]        = { "clock_skew",        false },
    [SIM_FAULT_QUERY_2013]        = { "query_2013",        false },
    [SIM_FAULT_MAINTENANCE]       = { "maintenance",       false },
    [SIM_FAULT_FUNDING_RATE]      = { "funding_rate",      true  },
    [SIM_FAULT_SETTLEMENT]        = { "settlement",        true  },
    [SIM_FAULT_HEARTBEAT_ONLY]    = { "heartbeat_only",    false },
    [SIM_FAULT_DELEVERAGE]        = { "deleverage",        true  },
    [SIM_FAULT_WITHDRAWAL]        = { "withdrawal",        true  },
    [SIM_FAULT_TICK_SIZE]         = { "tick_size",         true  },
    [SIM_FAULT_SEQUENCE]          = { "sequence",          false },
};
/* clang-format on */

const char sim_fault_help[] =
    "  kind:key=value,...   times are 20s, 500ms or 2m from the start (from now when posted)\n"
    "  keys of all: at=T (from when), for=T (how long), p=0..1 (chance), count=N (at most), scope=TEXT\n"
    "  A scope is part of one of: usdm-public usdm-market usdm-private coinm-public coinm-private "
    "spot-public\n"
    "  spot-private (streams), usdm-wsapi coinm-wsapi spot-wsapi usdm-rest coinm-rest spot-rest (requests, "
    "with\n"
    "  -place -modify -cancel -cancelall -query -read -account -listen -session appended).  stream= is the "
    "same.\n"
    "  Deribit's: deribit-public deribit-private (channels), deribit-order-place -edit -cancel -cancelall,\n"
    "  deribit-query -account -read -session -auth (requests, each ending in -ws or -rest).\n"
    "moments (at=T, every=T to repeat):\n"
    "  disconnect           connections in scope are reset\n"
    "  server_shutdown      serverShutdown is sent, connections in scope close ms=N later (default 2000)\n"
    "  listenkey_expired    listenKeyExpired is sent, the socket stays open and goes quiet (account=KEY)\n"
    "  liquidate            the venue closes the position by force (account=KEY, scope=usdm|coinm)\n"
    "  deleverage           a share p of the position is closed at the mark (account=KEY, scope=usdm|coinm)\n"
    "  deposit              asset=USDT,amount=100 enters the wallet (account=KEY, scope=usdm|coinm|spot)\n"
    "  withdrawal           the same leaves it\n"
    "  tick_size            from now on prices must be multiples of ms=N ticks (scope=usdm|coinm)\n"
    "  funding_rate         p=0.0003 becomes the rate (scope=usdm|coinm)\n"
    "  settlement           Deribit: profit and accrued funding become cash, trading pauses ms=N (default "
    "2000)\n"
    "conditions:\n"
    "  silence              nothing is sent on the streams in scope, sockets stay open\n"
    "  heartbeat_only       Deribit: heartbeats come, replies and channels do not\n"
    "  gap                  a depth frame is lost (Deribit: a change of a book; scope=deribit-trades a "
    "trade)\n"
    "  sequence             a depth frame says that it follows another one than it does\n"
    "  dup_reports          a private event comes twice\n"
    "  reorder_reports      a private event comes after the one that follows it\n"
    "  drop_private         a private event is lost\n"
    "  partial              a maker fill takes only a part of its size\n"
    "  reject               a request is refused with code=N (default -2019), nothing is done\n"
    "  rate_limit           a request is refused with 429 -1003, nothing is done\n"
    "  slow_ack             replies come ms=N later (default 500)\n"
    "  unknown_503          the request is done and answered 503, outcome unknown\n"
    "  timeout_1007         the request is done and answered -1007 ms=N later (default 10000)\n"
    "  no_reply             the request is done and never answered\n"
    "  clock_skew           the venue's clock is ms=N ahead of ours (negative: behind)\n"
    "  query_2013           a query of an order younger than ms=N finds nothing (default 300)\n"
    "  maintenance          no new orders: the symbols say so in exchangeInfo\n";

static bool duration(const char *text, int64_t *ns)
{
    char *end = NULL;
    double value = strtod(text, &end);

    if (end == text) {
        return false;
    }
    double unit = strcmp(end, "ms") == 0 ? 1e6 : strcmp(end, "m") == 0 ? 60e9 : 1e9;

    if (*end != '\0' && strcmp(end, "ms") != 0 && strcmp(end, "m") != 0 && strcmp(end, "s") != 0) {
        return false;
    }
    *ns = (int64_t)(value * unit);
    return true;
}

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return kinds[kind].name;
}

uint64_t sim_fault_fired(const struct sim_faults *faults, enum sim_fault_kind kind)
{
    uint64_t fired = faults->past[kind];

    for (int i = 0; i < faults->count; i++) {
        fired += faults->fault[i].kind == kind ? faults->fault[i].fired : 0;
    }
    return fired;
}

static bool over(const struct sim_fault *fault, int64_t now_ns)
{
    return fault->count == 0 ||
           (kinds[fault->kind].moment ? fault->next_ns == INT64_MAX
                                      : fault->for_ns != 0 && now_ns >= fault->at_ns + fault->for_ns);
}

/* place_of answers where a new fault goes: behind the others, or where one is over; the count when neither.
 */
static int place_of(struct sim_faults *faults, int64_t now_ns)
{
    int at = 0;

    if (faults->count < SIM_FAULT_MAX) {
        return faults->count++;
    }
    while (at < SIM_FAULT_MAX && !over(&faults->fault[at], now_ns)) {
        at++;
    }
    if (at < SIM_FAULT_MAX) {
        faults->past[faults->fault[at].kind] += faults->fault[at].fired;
    }
    return at;
}

bool sim_fault_add(struct sim_faults *faults, const char *spec, int64_t now_ns, char *error,
                   size_t error_size)
{
    struct sim_fault fault = { .count = -1, .p_ppm = 1000000 };
    char copy[256];
    char *save = NULL;
    int kind = 0;

    snprintf(copy, sizeof copy, "%s", spec);
    snprintf(fault.spec, sizeof fault.spec, "%s", spec);
    char *keys = strchr(copy, ':');
    if (keys != NULL) {
        *keys++ = '\0';
    }
    while (kind < SIM_FAULT_KIND_COUNT && strcmp(kinds[kind].name, copy) != 0) {
        kind++;
    }
    if (kind == SIM_FAULT_KIND_COUNT) {
        snprintf(error, error_size, "%s: no such fault (--help lists them)", spec);
        return false;
    }
    fault.kind = (enum sim_fault_kind)kind;
    fault.ms = kind == SIM_FAULT_SERVER_SHUTDOWN ? 2000
               : kind == SIM_FAULT_SETTLEMENT    ? 2000
               : kind == SIM_FAULT_SLOW_ACK      ? 500
               : kind == SIM_FAULT_TIMEOUT_1007  ? 10000
               : kind == SIM_FAULT_QUERY_2013    ? 300
               : kind == SIM_FAULT_TICK_SIZE     ? 5
                                                 : 0;
    fault.code = -2019;
    for (char *pair = keys == NULL ? NULL : strtok_r(keys, ",", &save); pair != NULL;
         pair = strtok_r(NULL, ",", &save)) {
        char *value = strchr(pair, '=');
        bool good = value != NULL;

        if (good) {
            *value++ = '\0';
            if (strcmp(pair, "at") == 0) {
                good = duration(value, &fault.at_ns);
            } else if (strcmp(pair, "for") == 0) {
                good = duration(value, &fault.for_ns);
            } else if (strcmp(pair, "every") == 0) {
                good = duration(value, &fault.every_ns);
            } else if (strcmp(pair, "count") == 0) {
                fault.count = strtoll(value, NULL, 10);
            } else if (strcmp(pair, "p") == 0) {
                int64_t e8;
                good = sim_decimal_parse(value, strlen(value), 8, &e8) == SIM_DECIMAL_OK;
                fault.p_ppm = good ? e8 / 100 : 0;
                fault.amount_e8 = good ? e8 : 0;
            } else if (strcmp(pair, "ms") == 0) {
                fault.ms = strtoll(value, NULL, 10);
            } else if (strcmp(pair, "code") == 0) {
                fault.code = strtoll(value, NULL, 10);
            } else if (strcmp(pair, "amount") == 0) {
                good = sim_decimal_parse(value, strlen(value), 8, &fault.amount_e8) == SIM_DECIMAL_OK;
            } else if (strcmp(pair, "scope") == 0 || strcmp(pair, "stream") == 0) {
                snprintf(fault.scope, sizeof fault.scope, "%s", value);
            } else if (strcmp(pair, "account") == 0) {
                snprintf(fault.account, sizeof fault.account, "%s", value);
            } else if (strcmp(pair, "asset") == 0) {
                snprintf(fault.asset, sizeof fault.asset, "%s", value);
            } else {
                good = false;
            }
        }
        if (!good) {
            snprintf(error, error_size, "%s: %s is not understood (--help lists the keys)", spec, pair);
            return false;
        }
    }
    fault.at_ns += now_ns;
    fault.next_ns = kinds[kind].moment ? fault.at_ns : INT64_MAX;
    int at = place_of(faults, now_ns);
    if (at == SIM_FAULT_MAX) {
        snprintf(error, error_size, "%s: too many faults", spec);
        return false;
    }
    faults->fault[at] = fault;
    return true;
}

static bool open_now(const struct sim_fault *fault, enum sim_fault_kind kind, const char *scope,
                     int64_t now_ns)
{
    return fault->kind == kind && now_ns >= fault->at_ns &&
           (fault->for_ns == 0 || now_ns < fault->at_ns + fault->for_ns) && fault->count != 0 &&
           (fault->scope[0] == '\0' || strstr(scope, fault->scope) != NULL);
}

struct sim_fault *sim_fault_open(struct sim_faults *faults, enum sim_fault_kind kind, const char *scope,
                                 int64_t now_ns)
{
    for (int i = 0; i < faults->count; i++) {
        if (open_now(&faults->fault[i], kind, scope, now_ns)) {
            return &faults->fault[i];
        }
    }
    return NULL;
}

struct sim_fault *sim_fault_hit(struct sim_faults *faults, enum sim_fault_kind kind, const char *scope,
                                int64_t now_ns)
{
    for (int i = 0; i < faults->count; i++) {
        struct sim_fault *fault = &faults->fault[i];
        if (open_now(fault, kind, scope, now_ns) && sim_random_chance(&faults->random, fault->p_ppm)) {
            fault->fired++;
            fault->count -= fault->count > 0;
            return fault;
        }
    }
    return NULL;
}

struct sim_fault *sim_fault_due(struct sim_faults *faults, int64_t now_ns)
{
    for (int i = 0; i < faults->count; i++) {
        struct sim_fault *fault = &faults->fault[i];
        if (fault->next_ns <= now_ns && fault->count != 0) {
            fault->fired++;
            fault->count -= fault->count > 0;
            fault->next_ns = fault->every_ns > 0 ? fault->next_ns + fault->every_ns : INT64_MAX;
            return fault;
        }
    }
    return NULL;
}

int64_t sim_fault_next_ns(const struct sim_faults *faults)
{
    int64_t next = INT64_MAX;

    for (int i = 0; i < faults->count; i++) {
        const struct sim_fault *fault = &faults->fault[i];
        next = fault->count != 0 && fault->next_ns < next ? fault->next_ns : next;
    }
    return next;
}
