/* poise-sim: a venue on loopback, with the venue's own protocols over TLS and prices from recordings. */
#include "tools/sim/binance/bn_shell.h"
#include "tools/sim/deribit/db_shell.h"
#include "tools/sim/model/sim_decimal.h"
#include "tools/sim/sim_cert.h"
#include "tools/sim/sim_diary.h"
#include "tools/sim/sim_net.h"
#include "tools/sim/sim_report.h"
#include "tools/sim/sim_setup.h"
#include "tools/sim/sim_source.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "poise-sim: Binance spot, USD-M and COIN-M, and Deribit, on loopback, over TLS, from recordings or made\n"
    "markets\n"
    "\n"
    "  poise-sim --port 9443 --cert-dir certs --tape linear=u.jsonl.gz --tape inverse=c.jsonl.gz\n"
    "            --tape-start 5 --account KEY:SECRET:USDT=100000,BTC=1 --latency-ms feed=1..5,order=1..5\n"
    "\n"
    "  --port N             TLS port on 127.0.0.1, 0 for any (default 9443)\n"
    "  --cert-dir DIR       ca.pem, srv.pem and keys, made there when absent (default ./poise-sim-certs)\n"
    "  --venue NAME         binance or deribit, repeatable (default binance, and deribit when a tape or an\n"
    "                       account is deribit's)\n"
    "  --tape KIND=FILE     a recording for spot, linear or inverse; only these products are served\n"
    "                       deribit.inverse=FILE is played by BTC-PERPETUAL (a COIN-M recording, put on its\n"
    "                       tick and counted in dollars), deribit.linear=FILE by BTC_USDC-PERPETUAL "
    "(USD-M);\n"
    "                       Deribit's other instruments are made around the recording\n"
    "  --tape-start S       begin S seconds into the recordings (default 0)\n"
    "  --speed X            recorded time runs X times faster (default 1)\n"
    "  --no-loop            stay silent at the end of the recordings instead of beginning again\n"
    "  --loop-pause-ms N    how long the feed stays cut before it begins again (default 500)\n"
    "  --synthetic          no random market: books stand still until POST /set moves them\n"
    "                       (without --tape and --synthetic: a seeded random market)\n"
    "  --middle P           price that made markets start from (default 60000)\n"
    "  --seed N             of latencies, faults and the random market (default 1)\n"
    "  --account SPEC       KEY:SECRET:BALANCES or ed25519:KEYID:PUBLICHEX:BALANCES; repeatable.\n"
    "                       BALANCES: USDT=100000,BTC=1 (linear.USDT=5000 names one wallet), or same=KEY for "
    "a\n"
    "                       second key of an account; deribit:CLIENTID:SECRET:BTC=1,USDC=1000 is Deribit's\n"
    "  --latency-ms SPEC    feed=1..5,order=1..5,ack=1..5,private=1..5 (default none)\n"
    "  --cancel-ahead HOW   none or prorata: unexplained decreases at our price (default none)\n"
    "  --fee KIND=M,T       maker and taker rate, e.g. linear=0.0002,0.0005\n"
    "                       (also deribit.inverse=.., deribit.linear=..)\n"
    "  --funding KIND=R     funding rate per interval (default 0.0001); deribit.inverse=R per 8 hours "
    "instead of\n"
    "                       what the premium gives\n"
    "  --funding-interval S seconds between settlements (default 28800)\n"
    "  --fill-order LAO     order of TRADE_LITE (l), ACCOUNT_UPDATE (a), ORDER_TRADE_UPDATE (o); default "
    "lao\n"
    "  --post-only-expires  a crossing futures post-only is accepted, then expired (er 11), instead of "
    "-5022\n"
    "  --retired HOW        serve or refuse what the venue switched off and third-party clients still use:\n"
    "                       fstream's /ws and /stream without a route, spot listen keys (default serve)\n"
    "  --tier N             Deribit's matching limits: 1 30/s burst 100, 2 20/50, 3 10/30, 4 5/20 (default "
    "1)\n"
    "  --deribit-test       Deribit is test.deribit.com, and its replies say testnet\n"
    "  --deribit-choice S   what no source settles: ack=seeded|asked|reversed (channels of a subscribe "
    "reply),\n"
    "                       first=seeded|reply|stream (of an order), gone=11044|10010 (cancelling what is "
    "over),\n"
    "                       beats=N (a test_request every N heartbeats, default 2), "
    "bad_signature=13009|13004,\n"
    "                       close=CODE (of a socket closed for rate or silence, default 1008), "
    "ioc_reason=0|1,\n"
    "                       spot=own|routed (to another exchange: accepted, filled later, no public "
    "trades),\n"
    "                       pause_ms=N (a settlement, default 2000)\n"
    "  --account-is WORD    what accounts say of themselves, repeatable: hedge, multi_assets, isolated, "
    "no_trade,\n"
    "                       withdraw, self_trade (nothing prevents it); orders are treated as ever\n"
    "  --no-limits          do not enforce request weights, order counts and inbound messages\n"
    "  --fault SPEC         repeatable, see below\n"
    "  --control N          plain HTTP on 127.0.0.1:N (0 for any): GET /report, GET /ready, POST /fault "
    "SPEC,\n"
    "                       POST /set kind=linear&bid=..&ask=..&bid_qty=..&ask_qty=.. or "
    "kind=..&trade=..&qty=..&side=sell\n"
    "                       (kind=deribit.inverse, or symbol=BTC-PERPETUAL for any of Deribit's)\n"
    "  --report FILE        JSON at exit and on SIGUSR1\n"
    "  --ready-file FILE    written when the ports listen\n"
    "  --state FILE         what came in, and when: started again with it and the same options, poise-sim "
    "is\n"
    "                       what it was when it ended or was killed, orders, accounts and ids to the last "
    "bit\n"
    "  --play               only plays --state back, writes --report and leaves\n"
    "\n"
    "faults:\n";

struct program {
    struct sim_venue *venue;
    struct sim_net *net;
    struct bn_shell *shell;
    struct sim_source source;
    struct sim_faults faults;
    struct sim_delay delay;
    /* Deribit: a venue, a shell and sources of its own; NULL when it is not served */
    struct sim_venue *db_venue;
    struct db_shell *db_shell;
    struct sim_source db_tape; /* what is recorded */
    struct sim_source db_made; /* the rest */
    bool db_has_tape;
    struct sim_faults db_faults;
    struct sim_delay db_delay;
    bool serves_binance, serves_deribit;
    int instrument[SIM_KIND_COUNT]; /* -1: not served */
    int64_t wall_ns;                /* CLOCK_REALTIME at monotonic_ns */
    int64_t monotonic_ns;
    int64_t started_ns; /* with a state file: the first time */
    int64_t woke_ns;    /* when what is handled now arrived */
    int64_t done_ns;    /* everything before this has happened */
    struct sim_diary diary;
    bool keeps, playing; /* there is a state file; it is being played back */
    uint64_t digest;     /* of every private report so far */
    uint64_t seed;
    const char *report_file;
    char ready[512];
};

static volatile sig_atomic_t stop_asked, report_asked;

static void on_signal(int number)
{
    if (number == SIGUSR1) {
        report_asked = 1;
    } else {
        stop_asked = 1;
    }
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* now_ns is the venue's clock: wall time at the start, then only forward. */
static int64_t now_ns(const struct program *p)
{
    return p->wall_ns + clock_ns(CLOCK_MONOTONIC) - p->monotonic_ns;
}

/* --- what is kept over a death ------------------------------------------------------------------------- */

static void mix(uint64_t *digest, uint64_t word)
{
    *digest = (*digest ^ word) * UINT64_C(0x100000001b3);
}

static void digest(struct program *p, const struct sim_event *event)
{
    if (event->kind == SIM_EVENT_ORDER) {
        mix(&p->digest, event->order->id);
        mix(&p->digest, (uint64_t)event->order->state << 32 | event->exec);
        mix(&p->digest, (uint64_t)event->order->filled);
        mix(&p->digest, (uint64_t)event->price);
        mix(&p->digest, (uint64_t)event->exec_id);
    } else if (event->kind == SIM_EVENT_FUNDING || event->kind == SIM_EVENT_BALANCE) {
        mix(&p->digest,
            event->payment != NULL ? (uint64_t)event->payment->amount_e8 : (uint64_t)event->pnl_e8);
    }
}

static void on_emit(void *user, const struct sim_event *event)
{
    struct program *p = user;

    digest(p, event);
    bn_shell_emit(p->shell, event);
}

static void on_db_emit(void *user, const struct sim_event *event)
{
    struct program *p = user;

    digest(p, event);
    db_shell_emit(p->db_shell, event);
}

/* note keeps an entry before it has any effect.  A venue that cannot keep what it acknowledges closes. */
static void note(struct program *p, struct sim_entry entry)
{
    entry.digest = p->digest;
    if (p->keeps && !p->playing && !sim_diary_write(&p->diary, &entry)) {
        fprintf(stderr, "poise-sim: --state: %s: the venue closes\n", strerror(errno));
        exit(1);
    }
}

/* heard notes what arrived and tells the shells its time; no earlier than what has happened. */
static void heard(struct program *p, struct sim_entry entry)
{
    p->woke_ns = entry.at_ns = p->woke_ns > p->done_ns ? p->woke_ns : p->done_ns;
    note(p, entry);
    bn_shell_time(p->shell, p->woke_ns);
    if (p->serves_deribit) {
        db_shell_time(p->db_shell, p->woke_ns);
    }
}

static void heard_request(struct program *p, enum sim_entry_kind kind, const struct sim_request *request)
{
    const char *words[] = { request->verb, request->path, request->query,
                            request->host, request->key,  request->authorization };
    struct sim_text text = { 0 };

    for (size_t i = 0; p->keeps && i < sizeof words / sizeof words[0]; i++) {
        sim_text_put(&text, words[i], strlen(words[i]) + 1);
    }
    sim_text_put(&text, request->body, request->body_length);
    heard(p, (struct sim_entry){ .kind = kind,
                                 .control = request->control,
                                 .conn = request->conn,
                                 .data = text.data,
                                 .length = text.length });
    sim_text_free(&text);
}

static void write_deribit(struct program *p, struct sim_text *out, bool lists)
{
    sim_text_str(out, ",\"deribit\":{\"venue\":");
    db_shell_report(p->db_shell, out);
    sim_text_str(out, ",\"markets\":");
    sim_report_markets(out, p->db_venue);
    sim_text_str(out, ",\"accounts\":");
    sim_report_accounts(out, p->db_venue, lists);
    sim_text_str(out, ",\"faults\":");
    sim_report_faults(out, &p->db_faults);
    sim_text_str(out, ",\"fault_kinds\":");
    sim_report_fault_kinds(out, &p->db_faults);
    sim_text_str(out, ",\"unknown\":[");
    for (int i = 0; i < db_shell_unknown_count(p->db_shell); i++) {
        uint64_t times;
        const char *what = db_shell_unknown(p->db_shell, i, &times);
        sim_text_str(out, i > 0 ? ",{\"what\":" : "{\"what\":");
        sim_text_quote(out, what);
        sim_text_add(out, ",\"times\":%llu}", (unsigned long long)times);
    }
    sim_text_str(out, "]}");
}

static void write_report(struct program *p, struct sim_text *out, bool lists)
{
    sim_text_add(
        out,
        "{\"program\":\"poise-sim\",\"model\":\"no market impact beyond rule 2 is modelled\",\"seed\":%llu,"
        "\"running_ms\":%lld,\"tape_passes\":%llu,",
        (unsigned long long)p->seed, (long long)(p->done_ns - p->started_ns) / 1000000,
        (unsigned long long)p->source.passes);
    bn_shell_counters(p->shell, out);
    sim_text_str(out, ",\"markets\":");
    sim_report_markets(out, p->venue);
    sim_text_str(out, ",\"accounts\":");
    sim_report_accounts(out, p->venue, lists);
    sim_text_str(out, ",\"faults\":");
    sim_report_faults(out, &p->faults);
    sim_text_str(out, ",\"fault_kinds\":");
    sim_report_fault_kinds(out, &p->faults);
    sim_text_str(out, ",\"unknown\":[");
    for (int i = 0; i < bn_shell_unknown_count(p->shell); i++) {
        uint64_t times;
        const char *what = bn_shell_unknown(p->shell, i, &times);
        sim_text_str(out, i > 0 ? ",{\"what\":" : "{\"what\":");
        sim_text_quote(out, what);
        sim_text_add(out, ",\"times\":%llu}", (unsigned long long)times);
    }
    sim_text_str(out, "]");
    if (p->serves_deribit) {
        write_deribit(p, out, lists);
    }
    sim_text_str(out, "}\n");
}

static bool save(const char *path, const char *data, size_t length)
{
    char temporary[1024];

    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    FILE *file = fopen(temporary, "w");
    if (file == NULL) {
        return false;
    }
    bool good = fwrite(data, 1, length, file) == length;
    good = fclose(file) == 0 && good;
    return good && rename(temporary, path) == 0;
}

static void save_report(struct program *p)
{
    struct sim_text text = { 0 };

    if (p->report_file == NULL) {
        return;
    }
    write_report(p, &text, true);
    if (!save(p->report_file, text.data, text.length)) {
        fprintf(stderr, "poise-sim: %s: %s\n", p->report_file, strerror(errno));
    }
    sim_text_free(&text);
}

/* --- the control port ---------------------------------------------------------------------------------- */

static bool value_of(const char *body, const char *name, char *value, size_t size)
{
    char *copy = strdup(body), *save_at = NULL;
    bool found = false;

    for (char *pair = strtok_r(copy, "& \n", &save_at); pair != NULL;
         pair = strtok_r(NULL, "& \n", &save_at)) {
        char *equals = strchr(pair, '=');
        if (equals != NULL && (size_t)(equals - pair) == strlen(name) &&
            strncmp(pair, name, strlen(name)) == 0) {
            snprintf(value, size, "%s", equals + 1);
            found = true;
        }
    }
    free(copy);
    return found;
}

static bool number_of(const char *body, const char *name, int decimals, int64_t *units)
{
    char text[64];

    *units = 0;
    if (!value_of(body, name, text, sizeof text)) {
        return true;
    }
    return sim_decimal_parse(text, strlen(text), decimals, units) == SIM_DECIMAL_OK;
}

/* named_market answers which market a /set means, by kind or by a symbol of Deribit's; -1 for none. */
static int named_market(struct program *p, const char *body, const char *kind_text,
                        struct sim_source **source, struct sim_venue **venue)
{
    static const char prefix[] = "deribit.";
    char symbol[32];
    int at = -1;

    if (value_of(body, "symbol", symbol, sizeof symbol)) {
        for (int i = 0; p->serves_deribit && i < sim_venue_instrument_count(p->db_venue); i++) {
            at = strcmp(sim_venue_market(p->db_venue, i)->instrument.symbol, symbol) == 0 ? i : at;
        }
    } else if (strncmp(kind_text, prefix, sizeof prefix - 1) == 0) {
        at = p->serves_deribit
                 ? db_market_place(kind_text + sizeof prefix - 1, strlen(kind_text) - sizeof prefix + 1)
                 : -1;
    } else {
        int kind = sim_setup_kind(kind_text, strlen(kind_text));
        return kind < 0 || !p->serves_binance ? -1 : p->instrument[kind];
    }
    *source = at >= 0 && p->db_tape.has_tape[at] ? &p->db_tape : &p->db_made;
    *venue = p->db_venue;
    return at;
}

static const char *set_market(struct program *p, const char *body)
{
    char kind_text[24] = "linear", side[8] = "buy";
    int64_t bid, ask, bid_qty, ask_qty, trade, qty;

    value_of(body, "kind", kind_text, sizeof kind_text);
    value_of(body, "side", side, sizeof side);
    struct sim_source *source = &p->source;
    struct sim_venue *venue = p->venue;
    int at = named_market(p, body, kind_text, &source, &venue);

    if (at < 0) {
        return "no such product here";
    }
    const struct sim_instrument *i = &sim_venue_market(venue, at)->instrument;

    if (!number_of(body, "bid", i->price_decimals, &bid) ||
        !number_of(body, "ask", i->price_decimals, &ask) ||
        !number_of(body, "trade", i->price_decimals, &trade) ||
        !number_of(body, "qty", i->qty_decimals, &qty) ||
        !number_of(body, "bid_qty", i->qty_decimals, &bid_qty) ||
        !number_of(body, "ask_qty", i->qty_decimals, &ask_qty)) {
        return "a number is not understood";
    }
    if (trade != 0 && qty > 0) {
        sim_source_trade(source, at, trade, qty, strcmp(side, "sell") == 0, p->woke_ns);
        return NULL;
    }
    if (source->mode != SIM_SOURCE_SET) {
        return "books are set only with --synthetic";
    }
    sim_source_touch(source, at, bid, ask, bid_qty, ask_qty, p->woke_ns);
    return NULL;
}

/* add_fault gives a fault to the venue its scope names, to every venue when it names none. */
static bool add_fault(struct program *p, const char *spec, int64_t at_ns, char *error, size_t size)
{
    bool deribit = strstr(spec, "=deribit") != NULL || strncmp(spec, "settlement", 10) == 0;
    bool binance = strstr(spec, "usdm") != NULL || strstr(spec, "coinm") != NULL ||
                   strstr(spec, "=spot") != NULL || strncmp(spec, "listenkey", 9) == 0;

    return (deribit || sim_fault_add(&p->faults, spec, at_ns, error, size)) &&
           (binance || sim_fault_add(&p->db_faults, spec, at_ns, error, size));
}

static void control(struct program *p, const struct sim_request *request)
{
    struct sim_text out = { 0 };
    char error[256] = "";
    int status = 200;

    if (strcmp(request->path, "/report") == 0) {
        write_report(p, &out, strstr(request->query, "lists=0") == NULL);
    } else if (strcmp(request->path, "/ready") == 0) {
        sim_text_str(&out, p->ready);
    } else if (strcmp(request->path, "/fault") == 0) {
        heard_request(p, SIM_ENTRY_REQUEST, request);
        if (!add_fault(p, request->body, p->woke_ns, error, sizeof error)) {
            status = 400;
        }
    } else if (strcmp(request->path, "/set") == 0) {
        heard_request(p, SIM_ENTRY_REQUEST, request);
        const char *why = set_market(p, request->body);
        if (why != NULL) {
            snprintf(error, sizeof error, "%s", why);
            status = 400;
        }
    } else {
        snprintf(error, sizeof error, "GET /report, GET /ready, POST /fault, POST /set");
        status = 404;
    }
    if (out.length == 0) {
        sim_text_str(&out, status == 200 ? "{\"ok\":true}\n" : "{\"error\":");
        if (status != 200) {
            sim_text_quote(&out, error);
            sim_text_str(&out, "}\n");
        }
    }
    sim_net_reply(p->net, request->conn, status, "", "application/json", out.data, out.length);
    sim_text_free(&out);
}

static void on_woke(void *user)
{
    struct program *p = user;

    p->woke_ns = now_ns(p);
}

static void on_request(void *user, const struct sim_request *request)
{
    struct program *p = user;

    if (request->control) {
        control(p, request);
        return;
    }
    heard_request(p, SIM_ENTRY_REQUEST, request);
    if (p->serves_deribit && db_shell_ours(request)) {
        db_shell_request(p->db_shell, request);
    } else {
        bn_shell_request(p->shell, request);
    }
}

static void *on_open(void *user, const struct sim_request *request)
{
    struct program *p = user;

    heard_request(p, SIM_ENTRY_OPEN, request);
    return p->serves_deribit && db_shell_ours(request) ? db_shell_open(p->db_shell, request)
                                                       : bn_shell_open(p->shell, request);
}

static bool deribits(const struct program *p, const void *session)
{
    return p->serves_deribit && db_shell_has(p->db_shell, session);
}

static void on_message(void *user, uint64_t conn, void *session, const char *text, size_t length)
{
    struct program *p = user;

    heard(p, (struct sim_entry){ .kind = SIM_ENTRY_MESSAGE, .conn = conn, .data = text, .length = length });
    if (deribits(p, session)) {
        db_shell_message(p->db_shell, conn, session, text, length);
    } else {
        bn_shell_message(p->shell, conn, session, text, length);
    }
}

static void on_control_frame(void *user, uint64_t conn, void *session, bool pong)
{
    struct program *p = user;

    heard(p, (struct sim_entry){ .kind = pong ? SIM_ENTRY_PONG : SIM_ENTRY_PING, .conn = conn });
    if (deribits(p, session)) {
        db_shell_control_frame(p->db_shell, conn, session, pong);
    } else {
        bn_shell_control_frame(p->shell, conn, session, pong);
    }
}

static void on_closed(void *user, uint64_t conn, void *session)
{
    struct program *p = user;

    heard(p, (struct sim_entry){ .kind = SIM_ENTRY_CLOSED, .conn = conn });
    if (deribits(p, session)) {
        db_shell_closed(p->db_shell, conn, session);
    } else {
        bn_shell_closed(p->shell, conn, session);
    }
}

static void on_lost(void *user, uint64_t conn)
{
    heard(user, (struct sim_entry){ .kind = SIM_ENTRY_LOST, .conn = conn });
}

/* --- the loop ------------------------------------------------------------------------------------------ */

/* What can be due: the recordings, the models, the shells, of each venue. */
enum { BN_TAPE, DB_TAPE, DB_MADE, BN_VENUE, DB_VENUE, BN_SHELL, DB_SHELL, WORK_COUNT };

static int64_t due_of(const struct program *p, int work)
{
    switch (work) {
    case BN_TAPE:
        return p->serves_binance ? sim_source_next_ns(&p->source) : INT64_MAX;
    case DB_TAPE:
        return p->db_has_tape ? sim_source_next_ns(&p->db_tape) : INT64_MAX;
    case DB_MADE:
        return p->serves_deribit ? sim_source_next_ns(&p->db_made) : INT64_MAX;
    case BN_VENUE:
        return sim_venue_next_ns(p->venue);
    case DB_VENUE:
        return p->serves_deribit ? sim_venue_next_ns(p->db_venue) : INT64_MAX;
    case BN_SHELL:
        return bn_shell_next_ns(p->shell);
    default:
        return p->serves_deribit ? db_shell_next_ns(p->db_shell) : INT64_MAX;
    }
}

static void do_work(struct program *p, int work, int64_t now)
{
    switch (work) {
    case BN_TAPE:
        sim_source_step(&p->source, now);
        break;
    case DB_TAPE:
        sim_source_step(&p->db_tape, now);
        db_shell_settled(p->db_shell, now);
        break;
    case DB_MADE:
        sim_source_step(&p->db_made, now);
        db_shell_settled(p->db_shell, now);
        break;
    case BN_VENUE:
        sim_venue_advance(p->venue, now);
        break;
    case DB_VENUE:
        sim_venue_advance(p->db_venue, now);
        db_shell_settled(p->db_shell, now);
        break;
    case BN_SHELL:
        bn_shell_step(p->shell, now);
        break;
    default:
        db_shell_step(p->db_shell, now);
        break;
    }
}

/* turn does everything due by now in the order of time, so that an order never meets a market later than
 * its arrival however late the loop runs. */
static int64_t turn(struct program *p, int64_t now)
{
    bool noted = false;

    for (;;) {
        int64_t first = INT64_MAX;
        int work = 0;

        for (int i = 0; i < WORK_COUNT; i++) {
            int64_t due = due_of(p, i);
            /* Something may have become wanted at a time already past: it happens at the last moment done. */
            due = due < p->done_ns ? p->done_ns : due;
            if (due < first) {
                first = due;
                work = i;
            }
        }
        if (first > now) {
            return first;
        }
        if (!noted) {
            note(p, (struct sim_entry){ .kind = SIM_ENTRY_TURN, .at_ns = now });
            noted = true;
        }
        do_work(p, work, p->done_ns = first);
    }
}

/* replay hands one kept entry to the handlers as it came. */
static void replay(struct program *p, const struct sim_entry *entry)
{
    p->woke_ns = entry->at_ns;
    switch (entry->kind) {
    case SIM_ENTRY_TURN:
        turn(p, entry->at_ns);
        break;
    case SIM_ENTRY_REQUEST:
    case SIM_ENTRY_OPEN: {
        const char *at = entry->data, *words[6];
        size_t left = entry->length;

        for (int i = 0; i < 6; i++) {
            size_t length = strnlen(at, left);
            words[i] = at;
            at += length + 1;
            left -= length + 1;
        }
        char *body = strndup(at, left);
        struct sim_request request = { .conn = entry->conn,
                                       .control = entry->control,
                                       .verb = words[0],
                                       .path = words[1],
                                       .query = words[2],
                                       .host = words[3],
                                       .key = words[4],
                                       .authorization = words[5],
                                       .body = body,
                                       .body_length = left };
        sim_net_ghost_request(p->net, &request, entry->kind == SIM_ENTRY_OPEN);
        free(body);
        break;
    }
    case SIM_ENTRY_MESSAGE: {
        char *text = strndup(entry->data, entry->length);
        sim_net_ghost_message(p->net, entry->conn, text, entry->length);
        free(text);
        break;
    }
    case SIM_ENTRY_PING:
    case SIM_ENTRY_PONG:
        sim_net_ghost_control_frame(p->net, entry->conn, entry->kind == SIM_ENTRY_PONG);
        break;
    case SIM_ENTRY_LOST:
        sim_net_ghost_lost(p->net, entry->conn);
        break;
    case SIM_ENTRY_CLOSED:
        sim_net_ghost_closed(p->net, entry->conn);
        break;
    default:
        break;
    }
}

/* play lives the past again; false with a sentence on standard error when it does not repeat. */
static bool play(struct program *p)
{
    struct sim_entry entry;
    uint64_t count = 0;
    bool damaged;

    p->playing = true;
    while (sim_diary_next(&p->diary, &entry, &damaged)) {
        count++;
        if (entry.digest != p->digest) {
            fprintf(
                stderr,
                "poise-sim: --state: entry %llu does not follow from those before it (another build wrote "
                "them?); nothing was started\n",
                (unsigned long long)count);
            return false;
        }
        replay(p, &entry);
    }
    p->playing = false;
    if (damaged) {
        fprintf(stderr, "poise-sim: --state: damaged after entry %llu; nothing was started\n",
                (unsigned long long)count);
    }
    return !damaged;
}

/* hang_up tells the shells that every connection of the life before is gone. */
static void hang_up(struct program *p)
{
    uint64_t conn[1024];
    size_t count = sim_net_ghosts(p->net, conn, sizeof conn / sizeof conn[0]);

    for (size_t i = 0; i < count; i++) {
        on_lost(p, conn[i]);
        sim_net_ghost_lost(p->net, conn[i]);
        sim_net_ghost_closed(p->net, conn[i]);
    }
    sim_net_ghosts_end(p->net);
}

static void run(struct program *p)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    while (!stop_asked) {
        int64_t next = turn(p, now_ns(p));

        if (report_asked) {
            report_asked = 0;
            save_report(p);
        }
        sim_net_wait(p->net, next - p->wall_ns + p->monotonic_ns);
    }
}

/* --- starting ------------------------------------------------------------------------------------------ */

struct wishes {
    int port;
    int control_port;
    const char *cert_dir;
    const char *ready_file;
    const char *tape[SIM_KIND_COUNT];
    const char *accounts[SIM_ACCOUNT_MAX];
    int account_count;
    struct sim_instrument contract[SIM_KIND_COUNT];
    const char *db_tape[DB_MARKET_COUNT];
    struct sim_instrument db_contract[DB_MARKET_COUNT];
    bool db_funding[DB_MARKET_COUNT];
    struct db_options db_options;
    bool venues_named, wants_binance, wants_deribit;
    enum sim_cancel_ahead cancel_ahead;
    struct bn_options options;
    bool synthetic;
    const char *state_file;
    bool only_play;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "poise-sim: %s: %s; nothing was started\n", what, why);
    return 2;
}

static bool decimal(const char *text, size_t length, int decimals, int64_t *units)
{
    return sim_decimal_parse(text, length, decimals, units) == SIM_DECIMAL_OK;
}

/* by_place splits deribit.KIND=REST; answers the place in Deribit's list and the rest, or -1. */
static int by_place(const char *text, const char **rest)
{
    static const char prefix[] = "deribit.";
    const char *equals = strchr(text, '='), *name = text + sizeof prefix - 1;

    if (equals == NULL || strncmp(text, prefix, sizeof prefix - 1) != 0) {
        return -1;
    }
    *rest = equals + 1;
    return db_market_place(name, (size_t)(equals - name));
}

/* by_kind splits KIND=REST; answers the kind and the rest, or -1. */
static int by_kind(const char *text, const char **rest)
{
    const char *equals = strchr(text, '=');

    *rest = equals == NULL ? "" : equals + 1;
    return equals == NULL ? -1 : sim_setup_kind(text, (size_t)(equals - text));
}

static bool read_options(struct program *p, struct wishes *w, int count, char **arguments, int *status)
{
    enum {
        PORT = 256,
        CERT,
        TAPE,
        START,
        SPEED,
        NO_LOOP,
        PAUSE,
        SYNTHETIC,
        MIDDLE,
        SEED,
        ACCOUNT,
        LATENCY,
        AHEAD,
        FEE,
        FUNDING,
        INTERVAL,
        FILL_ORDER,
        EXPIRES,
        RETIRED,
        ACCOUNT_IS,
        NO_LIMITS,
        FAULT,
        CONTROL,
        REPORT,
        READY,
        VENUE,
        TIER,
        DERIBIT_TEST,
        DERIBIT_CHOICE,
        STATE,
        PLAY,
        HELP
    };
    static const struct option options[] = {
        { "port", 1, NULL, PORT },
        { "cert-dir", 1, NULL, CERT },
        { "tape", 1, NULL, TAPE },
        { "tape-start", 1, NULL, START },
        { "speed", 1, NULL, SPEED },
        { "no-loop", 0, NULL, NO_LOOP },
        { "loop-pause-ms", 1, NULL, PAUSE },
        { "synthetic", 0, NULL, SYNTHETIC },
        { "middle", 1, NULL, MIDDLE },
        { "seed", 1, NULL, SEED },
        { "account", 1, NULL, ACCOUNT },
        { "latency-ms", 1, NULL, LATENCY },
        { "cancel-ahead", 1, NULL, AHEAD },
        { "fee", 1, NULL, FEE },
        { "funding", 1, NULL, FUNDING },
        { "funding-interval", 1, NULL, INTERVAL },
        { "fill-order", 1, NULL, FILL_ORDER },
        { "post-only-expires", 0, NULL, EXPIRES },
        { "retired", 1, NULL, RETIRED },
        { "account-is", 1, NULL, ACCOUNT_IS },
        { "no-limits", 0, NULL, NO_LIMITS },
        { "fault", 1, NULL, FAULT },
        { "control", 1, NULL, CONTROL },
        { "report", 1, NULL, REPORT },
        { "ready-file", 1, NULL, READY },
        { "venue", 1, NULL, VENUE },
        { "tier", 1, NULL, TIER },
        { "deribit-test", 0, NULL, DERIBIT_TEST },
        { "deribit-choice", 1, NULL, DERIBIT_CHOICE },
        { "state", 1, NULL, STATE },
        { "play", 0, NULL, PLAY },
        { "help", 0, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    static const char *faults[SIM_FAULT_MAX];
    int fault_count = 0, option;
    const char *latency = NULL;

    while ((option = getopt_long(count, arguments, "h", options, NULL)) != -1) {
        const char *rest = "", *comma;
        bool good = true;
        int kind, place;
        int64_t value = 0;

        switch (option) {
        case PORT:
            w->port = atoi(optarg);
            break;
        case CERT:
            w->cert_dir = optarg;
            break;
        case VENUE:
            w->venues_named = true;
            w->wants_binance = w->wants_binance || strcmp(optarg, "binance") == 0;
            w->wants_deribit = w->wants_deribit || strcmp(optarg, "deribit") == 0;
            good = strcmp(optarg, "binance") == 0 || strcmp(optarg, "deribit") == 0;
            break;
        case TIER:
            w->db_options.tier = atoi(optarg);
            good = w->db_options.tier >= 1 && w->db_options.tier <= 4;
            break;
        case DERIBIT_TEST:
            w->db_options.testnet = true;
            break;
        case DERIBIT_CHOICE:
            good = db_shell_choose(&w->db_options.choices, optarg);
            break;
        case TAPE:
            if ((place = by_place(optarg, &rest)) >= 0) {
                w->db_tape[place] = rest;
                good = place != DB_USDC_SPOT; /* there is no rule to put a spot recording on its tick */
                break;
            }
            kind = by_kind(optarg, &rest);
            good = kind >= 0;
            if (good) {
                w->tape[kind] = rest;
            }
            break;
        case START:
            good = decimal(optarg, strlen(optarg), 9, &p->source.offset_ns);
            break;
        case SPEED:
            good = decimal(optarg, strlen(optarg), 6, &p->source.speed_ppm) && p->source.speed_ppm > 0;
            break;
        case NO_LOOP:
            p->source.loop = false;
            break;
        case PAUSE:
            p->source.loop_pause_ns = strtoll(optarg, NULL, 10) * 1000000;
            break;
        case SYNTHETIC:
            w->synthetic = true;
            break;
        case MIDDLE:
            good = decimal(optarg, strlen(optarg), 8, &p->source.middle_e8) && p->source.middle_e8 > 0;
            break;
        case SEED:
            p->seed = strtoull(optarg, NULL, 10);
            break;
        case ACCOUNT:
            good = w->account_count < SIM_ACCOUNT_MAX;
            if (good) {
                w->accounts[w->account_count++] = optarg;
            }
            break;
        case LATENCY:
            latency = optarg;
            break;
        case AHEAD:
            w->cancel_ahead =
                strcmp(optarg, "prorata") == 0 ? SIM_CANCEL_AHEAD_PRORATA : SIM_CANCEL_AHEAD_NONE;
            good = w->cancel_ahead == SIM_CANCEL_AHEAD_PRORATA || strcmp(optarg, "none") == 0;
            break;
        case FEE: {
            place = by_place(optarg, &rest);
            kind = place >= 0 ? -1 : by_kind(optarg, &rest);
            comma = strchr(rest, ',');
            struct sim_instrument *contract = place >= 0  ? &w->db_contract[place]
                                              : kind >= 0 ? &w->contract[kind]
                                                          : NULL;
            good = contract != NULL && comma != NULL &&
                   decimal(rest, (size_t)(comma - rest), 8, &contract->maker_rate_e8) &&
                   decimal(comma + 1, strlen(comma + 1), 8, &contract->taker_rate_e8);
            break;
        }
        case FUNDING:
            if ((place = by_place(optarg, &rest)) >= 0) {
                good = w->db_contract[place].funding_interval_ns != 0 &&
                       decimal(rest, strlen(rest), 8, &w->db_contract[place].funding_rate_e8);
                w->db_funding[place] = true;
                break;
            }
            kind = by_kind(optarg, &rest);
            good = kind > SIM_SPOT && decimal(rest, strlen(rest), 8, &w->contract[kind].funding_rate_e8);
            break;
        case INTERVAL:
            good = decimal(optarg, strlen(optarg), 9, &value) && value > 0;
            w->contract[SIM_LINEAR].funding_interval_ns = w->contract[SIM_INVERSE].funding_interval_ns =
                value;
            break;
        case FILL_ORDER:
            good = strlen(optarg) == 3 && strchr(optarg, 'l') && strchr(optarg, 'a') && strchr(optarg, 'o');
            if (good) {
                memcpy(w->options.fill_order, optarg, 3);
            }
            break;
        case EXPIRES:
            w->options.post_only_expires = true;
            break;
        case RETIRED:
            w->options.retired = strcmp(optarg, "serve") == 0;
            good = w->options.retired || strcmp(optarg, "refuse") == 0;
            break;
        case ACCOUNT_IS:
            good = sim_setup_account_is(&w->options.is, optarg);
            w->db_options.is = w->options.is;
            break;
        case NO_LIMITS:
            w->options.limits = w->db_options.limits = false;
            break;
        case FAULT:
            good = fault_count < SIM_FAULT_MAX;
            if (good) {
                faults[fault_count++] = optarg;
            }
            break;
        case CONTROL:
            w->control_port = atoi(optarg);
            break;
        case REPORT:
            p->report_file = optarg;
            break;
        case READY:
            w->ready_file = optarg;
            break;
        case STATE:
            w->state_file = optarg;
            break;
        case PLAY:
            w->only_play = true;
            break;
        case HELP:
        case 'h':
            fputs(usage, stdout);
            fputs(sim_fault_help, stdout);
            *status = 0;
            return false;
        default:
            *status = 2;
            return false;
        }
        if (!good) {
            *status = fail(optarg, "not understood (--help says what each option takes)");
            return false;
        }
    }
    if (optind < count) {
        *status = fail(arguments[optind], "not an option");
        return false;
    }
    sim_delay_init(&p->delay, p->seed);
    sim_delay_init(&p->db_delay, p->seed + 1000);
    if (latency != NULL &&
        !(sim_setup_latency(&p->delay, latency) && sim_setup_latency(&p->db_delay, latency))) {
        *status = fail(latency, "not latencies");
        return false;
    }
    sim_random_seed(&p->faults.random, p->seed, 4);
    sim_random_seed(&p->source.random, p->seed, 5);
    sim_random_seed(&p->db_faults.random, p->seed, 14);
    sim_random_seed(&p->db_tape.random, p->seed, 15);
    sim_random_seed(&p->db_made.random, p->seed, 16);
    w->options.seed = w->db_options.seed = p->seed;
    for (int i = 0; i < fault_count; i++) {
        char error[256];
        if (!add_fault(p, faults[i], p->started_ns, error, sizeof error)) {
            *status = fail("--fault", error);
            return false;
        }
    }
    return true;
}

/* add_deribit_account reads CLIENTID:SECRET:BALANCES. */
static bool add_deribit_account(struct program *p, char *spec)
{
    char *save_at = NULL, *id = strtok_r(spec, ":", &save_at);
    char *secret = strtok_r(NULL, ":", &save_at), *balances = strtok_r(NULL, ":", &save_at);
    int account = -1;

    if (id == NULL || secret == NULL) {
        return false;
    }
    if (balances != NULL && strncmp(balances, "same=", 5) == 0) {
        account = db_shell_account_of(p->db_shell, balances + 5);
    } else {
        account = sim_venue_add_account(p->db_venue, id);
        if (account >= 0 && balances != NULL && !db_market_balances(p->db_venue, account, balances)) {
            return false;
        }
    }
    return account >= 0 && db_shell_add_key(p->db_shell, account, id, secret);
}

static int add_accounts(struct program *p, const struct wishes *w)
{
    for (int i = 0; i < w->account_count; i++) {
        char *copy = strdup(w->accounts[i]), *save_at = NULL;

        if (strncmp(copy, "deribit:", 8) == 0) {
            bool added = p->serves_deribit && add_deribit_account(p, copy + 8);
            free(copy);
            if (!added) {
                return fail(w->accounts[i], "not deribit:CLIENTID:SECRET:BALANCES, or deribit is not served");
            }
            continue;
        }
        bool ed25519 = strncmp(copy, "ed25519:", 8) == 0;
        char *id = strtok_r(ed25519 ? copy + 8 : copy, ":", &save_at);
        char *secret = strtok_r(NULL, ":", &save_at), *balances = strtok_r(NULL, ":", &save_at);
        bool good = id != NULL && secret != NULL;
        int account = -1;

        if (good && balances != NULL && strncmp(balances, "same=", 5) == 0) {
            account = bn_shell_account_of(p->shell, balances + 5);
        } else if (good) {
            account = sim_venue_add_account(p->venue, id);
            good = account >= 0 && (balances == NULL || sim_setup_balances(p->venue, account, balances));
        }
        good = good && account >= 0 && bn_shell_add_key(p->shell, account, id, secret, ed25519);
        free(copy);
        if (!good) {
            return fail(w->accounts[i],
                        "not KEY:SECRET:BALANCES, ed25519:KEYID:PUBLICHEX:BALANCES or ...:same=KEY");
        }
    }
    return 0;
}

/* add_deribit lists every instrument; what has no recording is made, around the recording when there is one.
 */
static int add_deribit(struct program *p, struct wishes *w)
{
    bool tapes = false;
    char error[512];

    p->db_tape.venue = p->db_made.venue = p->db_venue;
    p->db_tape.mode = SIM_SOURCE_TAPE;
    p->db_tape.speed_ppm = p->source.speed_ppm;
    p->db_tape.offset_ns = p->source.offset_ns;
    p->db_tape.loop = p->source.loop;
    p->db_tape.loop_pause_ns = p->source.loop_pause_ns;
    p->db_made.mode = w->synthetic ? SIM_SOURCE_SET : SIM_SOURCE_RANDOM;
    p->db_made.speed_ppm = 1000000;
    p->db_made.middle_e8 = p->source.middle_e8;
    p->db_made.middle_of = db_market_middle;
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        if (w->db_tape[at] != NULL) {
            if (!sim_tape_load(&p->db_tape.tape[at], w->db_tape[at], &w->db_contract[at], at, error,
                               sizeof error)) {
                return fail("--tape", error);
            }
            if (at == DB_BTC_PERP) { /* recorded in contracts of 100 dollars */
                sim_tape_coarsen(&p->db_tape.tape[at], w->db_contract[at].tick, 100);
            }
            p->db_tape.has_tape[at] = p->db_made.other[at] = true;
            p->db_made.leader = tapes ? p->db_made.leader : at;
            tapes = true;
        }
        sim_venue_add_instrument(p->db_venue, &w->db_contract[at]);
        sim_venue_market(p->db_venue, at)->funding_given = w->db_funding[at];
    }
    p->db_has_tape = tapes;
    p->db_made.led = tapes && !w->synthetic;
    if (tapes && p->source.mode == SIM_SOURCE_TAPE && p->serves_binance) {
        sim_source_align(&p->source, &p->db_tape);
    }
    return 0;
}

static int add_markets(struct program *p, struct wishes *w)
{
    bool tapes = w->tape[SIM_SPOT] != NULL || w->tape[SIM_LINEAR] != NULL || w->tape[SIM_INVERSE] != NULL;
    /* linear first, so that it is index 0 in every set-up */
    static const enum sim_kind order[] = { SIM_LINEAR, SIM_INVERSE, SIM_SPOT };

    p->source.mode = tapes ? SIM_SOURCE_TAPE : w->synthetic ? SIM_SOURCE_SET : SIM_SOURCE_RANDOM;
    p->source.venue = p->venue;
    for (int k = 0; k < SIM_KIND_COUNT; k++) {
        enum sim_kind kind = order[k];
        char error[512];

        p->instrument[kind] = -1;
        if (tapes && w->tape[kind] == NULL) {
            continue;
        }
        int at = sim_venue_instrument_count(p->venue);
        if (tapes) {
            if (!sim_tape_load(&p->source.tape[at], w->tape[kind], &w->contract[kind], at, error,
                               sizeof error)) {
                return fail("--tape", error);
            }
            p->source.has_tape[at] = true;
            if (p->source.tape[at].first_trade_id != 0) {
                w->contract[kind].first_trade_id = p->source.tape[at].first_trade_id;
            }
        }
        p->instrument[kind] = sim_venue_add_instrument(p->venue, &w->contract[kind]);
    }
    return 0;
}

static void choose_venues(struct program *p, const struct wishes *w)
{
    bool deribit = w->wants_deribit;

    for (int at = 0; at < DB_MARKET_COUNT && !w->venues_named; at++) {
        deribit = deribit || w->db_tape[at] != NULL;
    }
    for (int i = 0; i < w->account_count && !w->venues_named; i++) {
        deribit = deribit || strncmp(w->accounts[i], "deribit:", 8) == 0;
    }
    p->serves_binance = !w->venues_named || w->wants_binance;
    p->serves_deribit = deribit;
}

/* begin opens the venue, now or as the state file says, and lives what that holds. */
static bool begin(struct program *p)
{
    struct sim_entry first = { .kind = SIM_ENTRY_BEGIN, .at_ns = now_ns(p) };
    bool damaged = false, past = p->keeps && sim_diary_next(&p->diary, &first, &damaged);

    if (damaged || (past && first.kind != SIM_ENTRY_BEGIN)) {
        fprintf(stderr, "poise-sim: --state: damaged at its beginning; nothing was started\n");
        return false;
    }
    if (!past) {
        note(p, first);
    }
    p->done_ns = first.at_ns;
    bn_shell_step(p->shell, first.at_ns);
    if (p->serves_binance) {
        sim_source_start(&p->source, first.at_ns);
    }
    if (p->serves_deribit) {
        db_shell_step(p->db_shell, first.at_ns);
        if (p->db_has_tape) {
            sim_source_start(&p->db_tape, first.at_ns);
        }
        sim_source_start(&p->db_made, first.at_ns);
    }
    return !past || play(p);
}

/* set_up_of writes the options that make the venue what it is, one a line: those of the doors are left out.
 */
static void set_up_of(struct sim_text *out, int count, char **arguments)
{
    static const char *const doors[] = { "port",   "control", "cert-dir", "ready-file",
                                         "report", "state",   "play" };

    for (int i = 1; i < count; i++) {
        const char *name = strncmp(arguments[i], "--", 2) == 0 ? arguments[i] + 2 : "";
        size_t length = strcspn(name, "=");
        bool door = false;

        for (size_t k = 0; k < sizeof doors / sizeof doors[0] && length > 0; k++) {
            door = door || (strncmp(doors[k], name, length) == 0 && doors[k][length] == '\0');
        }
        if (door) {
            i += name[length] == '\0' && strcmp(name, "play") != 0;
            continue;
        }
        sim_text_add(out, "%s\n", arguments[i]);
    }
}

/* open_diary finds --state before the options are read: with a past, the venue began when that says. */
static int open_diary(struct program *p, int count, char **arguments)
{
    struct sim_text set_up = { 0 };
    const char *path = NULL;
    char error[512];

    for (int i = 1; i < count; i++) {
        if (strncmp(arguments[i], "--state=", 8) == 0) {
            path = arguments[i] + 8;
        } else if (strcmp(arguments[i], "--state") == 0 && i + 1 < count) {
            path = arguments[i + 1];
        }
    }
    if (path == NULL) {
        return 0;
    }
    sim_text_str(&set_up, "");
    set_up_of(&set_up, count, arguments);
    p->keeps = sim_diary_open(&p->diary, path, set_up.data, &p->started_ns, error, sizeof error);
    sim_text_free(&set_up);
    return p->keeps ? 0 : fail("--state", error);
}

int main(int count, char **arguments)
{
    static struct program p;
    struct wishes w = { .port = 9443, .control_port = -1, .cert_dir = "poise-sim-certs" };
    char error[512], cert[1024], key[1024];
    int status = 0;

    p.wall_ns = p.started_ns = clock_ns(CLOCK_REALTIME);
    p.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    p.diary.fd = -1;
    if ((status = open_diary(&p, count, arguments)) != 0) {
        return status;
    }
    p.seed = 1;
    p.source.speed_ppm = 1000000;
    p.source.loop = true;
    p.source.loop_pause_ns = 500000000;
    w.options = (struct bn_options){ .limits = true, .retired = true };
    for (int kind = 0; kind < SIM_KIND_COUNT; kind++) {
        w.contract[kind] = sim_setup_instrument((enum sim_kind)kind);
    }
    w.db_options = db_shell_usual();
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        w.db_contract[at] = db_market_contract((enum db_place)at, p.started_ns);
    }
    if (!read_options(&p, &w, count, arguments, &status)) {
        return status;
    }
    if (!sim_cert_make(w.cert_dir, error, sizeof error)) {
        return fail("--cert-dir", error);
    }
    snprintf(cert, sizeof cert, "%s/srv.pem", w.cert_dir);
    snprintf(key, sizeof key, "%s/srv.key", w.cert_dir);

    struct sim_handlers handlers = { &p,         on_woke,          on_request, on_open,
                                     on_message, on_control_frame, on_closed,  on_lost };

    p.shell = bn_shell_new(&w.options, &p.faults, &p.delay);
    p.venue = sim_venue_new(p.seed, w.cancel_ahead, on_emit, &p);
    p.net = sim_net_new(cert, key, &handlers, error, sizeof error);
    if (p.net == NULL) {
        return fail("--cert-dir", error);
    }
    bn_shell_attach(p.shell, p.venue, p.net);
    choose_venues(&p, &w);
    if (p.serves_binance && (status = add_markets(&p, &w)) != 0) {
        return status;
    }
    if (p.serves_deribit) {
        const struct sim_rules rules = db_market_rules();

        p.db_shell = db_shell_new(&w.db_options, &p.db_faults, &p.db_delay);
        p.db_venue = sim_venue_new(p.seed, w.cancel_ahead, on_db_emit, &p);
        sim_venue_rules(p.db_venue, &rules);
        db_shell_attach(p.db_shell, p.db_venue, p.net, p.started_ns);
        if ((status = add_deribit(&p, &w)) != 0) {
            return status;
        }
    }
    if ((status = add_accounts(&p, &w)) != 0) {
        return status;
    }
    for (int i = 0; i < sim_venue_account_count(p.venue); i++) {
        for (int kind = 0; kind < SIM_KIND_COUNT; kind++) {
            /* Clients take a balance that was never updated for one that is not valid yet. */
            sim_venue_account(p.venue, i)->wallet[kind].updated_ns = p.started_ns;
        }
    }
    if (!begin(&p)) {
        return 2;
    }
    if (w.only_play) {
        save_report(&p);
        return 0;
    }
    hang_up(&p);
    /* The doors open when everything is as it was.  What rested goes on being matched over the time between.
     */
    int64_t wall_ns = clock_ns(CLOCK_REALTIME);

    p.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    p.wall_ns = wall_ns > p.done_ns ? wall_ns : p.done_ns + 1;
    turn(&p, now_ns(&p));
    int port = sim_net_listen(p.net, w.port, true, false);
    int control_port = w.control_port < 0 ? 0 : sim_net_listen(p.net, w.control_port, false, true);
    if (port < 0 || control_port < 0) {
        return fail(port < 0 ? "--port" : "--control", strerror(errno));
    }
    snprintf(p.ready, sizeof p.ready, "{\"port\":%d,\"control\":%d,\"pid\":%ld,\"ca\":\"%.300s/ca.pem\"}\n",
             port, control_port, (long)getpid(), w.cert_dir);
    fprintf(stderr, "poise-sim: %s", p.ready);
    if (w.ready_file != NULL && !save(w.ready_file, p.ready, strlen(p.ready))) {
        return fail(w.ready_file, strerror(errno));
    }
    run(&p);

    save_report(&p);
    for (int i = 0; i < bn_shell_unknown_count(p.shell); i++) {
        uint64_t times;
        const char *what = bn_shell_unknown(p.shell, i, &times);
        fprintf(stderr, "poise-sim: unknown: %s (%llu times)\n", what, (unsigned long long)times);
    }
    for (int i = 0; p.serves_deribit && i < db_shell_unknown_count(p.db_shell); i++) {
        uint64_t times;
        const char *what = db_shell_unknown(p.db_shell, i, &times);
        fprintf(stderr, "poise-sim: unknown: %s (%llu times)\n", what, (unsigned long long)times);
    }
    sim_diary_close(&p.diary);
    sim_net_free(p.net);
    bn_shell_free(p.shell);
    sim_venue_free(p.venue);
    sim_source_free(&p.source);
    if (p.serves_deribit) {
        db_shell_free(p.db_shell);
        sim_venue_free(p.db_venue);
        sim_source_free(&p.db_tape);
        sim_source_free(&p.db_made);
    }
    return 0;
}
