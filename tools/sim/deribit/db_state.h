/* db_state: what the files of the Deribit shell share. */
#ifndef TOOLS_SIM_DERIBIT_DB_STATE_H
#define TOOLS_SIM_DERIBIT_DB_STATE_H

#include "tools/sim/deribit/db_shell.h"

#include <jansson.h>

#define DB_KEY_MAX     64
#define DB_SUB_MAX     500
#define DB_TOKEN_MAX   512
#define DB_UNKNOWN_MAX 64
#define DB_PACE_COUNT  3
#define DB_PRINT_MAX   10000
#define DB_FRAME_MAX   32768
#define DB_ID_MAX      32 /* "USDC-204819327443" */
#define DB_HOURS_MAX   1000

/* What db_method's run answers beside an error code: the call comes back later (a speed bump). */
#define DB_LATER INT32_MIN

enum db_access { DB_NONE, DB_READ, DB_WRITE };

enum db_cost {
    DB_COST_PLAIN,
    DB_COST_SUBSCRIBE,
    DB_COST_INSTRUMENTS,
    DB_COST_LOG,
    DB_COST_TRADING,
    DB_COST_SPOT, /* a trading call on a spot instrument */
    DB_COST_CANCEL_ALL,
    DB_COST_COUNT,
    DB_COST_FREE = DB_COST_COUNT
};

enum db_channel {
    DB_BOOK,
    DB_BOOK_TOP,
    DB_TICKER,
    DB_INCREMENTAL,
    DB_QUOTE,
    DB_TRADES,
    DB_PERPETUAL,
    DB_INDEX,
    DB_VOLATILITY_INDEX,
    DB_MARK_OPTIONS,
    DB_EXPIRATION,
    DB_STATE,
    DB_PLATFORM,
    DB_PLATFORM_METHODS,
    DB_CHART,
    DB_QUIET, /* known, nothing ever happens here */
    DB_USER_ORDERS,
    DB_USER_TRADES,
    DB_USER_CHANGES,
    DB_USER_PORTFOLIO,
    DB_USER_LOCK,
    DB_USER_QUIET,
};

enum db_type { DB_LIMIT, DB_MARKET, DB_MARKET_LIMIT };

struct db_key {
    char id[64];
    char secret[128];
    int account;
};

struct db_scope {
    enum db_access trade, account, wallet;
    char session[40]; /* "" is a connection's */
    int64_t expires_s;
    char text[192];
};

struct db_token {
    char access[96];
    char refresh[96];
    int key;
    struct db_scope scope;
    int64_t expires_ns; /* 0: slot free */
    uint64_t conn;      /* dies with it; 0 lives on */
};

struct db_sub {
    char name[96];
    char label[17]; /* goes with every message, "": none */
    enum db_channel channel;
    int instrument;   /* -1: any */
    int kind;         /* -1: any */
    char currency[8]; /* "": any */
    const char *index;
    int pace;
    int depth;
    int64_t group; /* in price units, 0: none */
    int minutes;   /* DB_CHART */
    bool active;   /* the reply is out: what it names may be sent */
    bool dirty;
    bool once;               /* INCREMENTAL: the snapshot is out */
    struct sim_text waiting; /* rows for a slower pace */
    struct sim_text last;    /* INCREMENTAL: members as last sent */
};

struct db_session {
    uint64_t conn;
    struct db_sub *sub;
    int sub_count;
    int64_t opened_ns;
    int64_t heard_ns;
    int64_t last_ns[SIM_LINE_COUNT]; /* nothing overtakes on one connection */
    int key;                         /* -1: not logged in */
    struct db_scope scope;
    bool armed;       /* cancel on disconnect */
    bool trades;      /* has user channels or orders: its faults are those of deribit-private */
    int64_t token_ns; /* when the log-in expires */
    bool closing;     /* nothing is taken from it or sent to it any more */
    int64_t beat_ns;  /* heartbeat interval, 0: none */
    int64_t next_beat_ns;
    int beats;
    int64_t test_by_ns; /* 0: no proof of life is wanted */
    struct db_session *next;
};

struct db_bucket {
    int64_t level; /* requests left, at 10^-9 */
    int64_t as_of_ns;
};

struct db_note {   /* what the model's order does not say */
    uint64_t conn; /* the socket it came in on, 0 for HTTP */
    enum db_type type;
    bool day;
    bool reject_post_only;
    bool replaced;
    bool liquidation;
    bool known;         /* filled in */
    const char *reason; /* of its cancellation, NULL: none is told */
};

struct db_print { /* a public trade */
    int64_t id;
    int64_t seq;
    int64_t now_ns;
    int64_t price;
    int64_t qty;
    int64_t mark_e8, index_e8;
    bool sell; /* the taker sold */
    int tick;  /* 0 up, 1 up before, 2 down, 3 down before */
};

struct db_tape { /* one instrument's public trades */
    struct db_print print[DB_PRINT_MAX];
    uint64_t printed;
    int64_t high, low, open;
    int64_t since_ns;
    __int128 volume;
    __int128 value_e16;
};

struct db_hour { /* a funding row */
    int64_t at_ms;
    int64_t index_e8, before_e8;
    __int128 rate_ns; /* integral of the rate (at 10^-8) over the hour */
};

struct db_book {                /* the book as subscribers have it */
    struct sim_level *level[2]; /* ascending by price */
    size_t count[2], capacity[2];
    int64_t change_id;
    int64_t stamp_ms;
    bool ready;
};

struct db_change {
    int64_t price;
    int64_t old_qty; /* when last told at this pace */
};

struct db_merge { /* changes waiting for a slower pace */
    struct db_change *change[2];
    size_t count[2], capacity[2];
    int64_t sent_id;
    bool any;
};

enum db_item_kind {
    DB_ITEM_CALL,
    DB_ITEM_HTTP,
    DB_ITEM_TEXT,
    DB_ITEM_EVENT,
    DB_ITEM_PRIVATE,
    DB_ITEM_GONE,
    DB_ITEM_CLOSE
};
enum db_row_kind { DB_ROW_ORDER, DB_ROW_TRADE, DB_ROW_POSITION, DB_ROW_MONEY };

struct db_row { /* a piece of a private message */
    enum db_row_kind kind;
    int instrument;
    char currency[8];
    struct sim_text text;
};

struct db_call {
    uint64_t conn;
    bool socket;
    const struct db_method *method;
    json_t *params; /* an object */
    bool typed;     /* JSON said what is a number; a query string cannot */
    char *id;       /* JSON text, NULL: none */
    int key;        /* -1: not known */
    struct db_scope scope;
    int64_t in_us;
    bool bumped;  /* has waited at the speed bump */
    bool removed; /* a cancel took it out of the bump's queue */
    int64_t wait_ns;
    /* set by the method */
    char data[256]; /* JSON of error.data, "": none */
    char *activate; /* names a subscribe reply turns on, by spaces */
    bool hang_up;
};

struct db_item {
    enum db_item_kind kind;
    uint64_t conn;
    int status;
    struct sim_text text;
    char *activate;
    bool hang_up;
    struct db_call *call;   /* CALL */
    struct sim_event event; /* EVENT, its levels owned by the item */
    struct sim_level *levels;
    struct db_print print;
    uint64_t gone; /* GONE: the socket that was */
    int account;   /* PRIVATE */
    struct db_row *row;
    size_t row_count, row_capacity;
};

struct db_touched { /* what a call or a recorded event did to one account */
    size_t *order;
    size_t order_count, order_capacity;
    size_t *fill;
    enum sim_order_state *state; /* of the order after that fill */
    size_t fill_count, fill_capacity, state_capacity;
    bool money[4]; /* by currency */
    bool positions[SIM_INSTRUMENT_MAX];
    bool any;
};

enum db_log_kind { DB_LOG_TRADE, DB_LOG_SETTLEMENT, DB_LOG_DEPOSIT, DB_LOG_WITHDRAWAL };

struct db_log { /* a row of the transaction log */
    enum db_log_kind kind;
    int account;
    int currency;
    int instrument;
    size_t fill;
    int64_t now_ns;
    int64_t change_e8, balance_e8, equity_e8, interest_e8, upl_e8, rpl_e8, position, price_e8;
    bool opens;
};

struct db_money { /* one currency of one account, at 10^-8 */
    int64_t equity, balance, upl, rpl, initial, maintenance, orders, available, locked, pl, delta;
};

struct db_settled { /* what the last settlement had turned into cash */
    int64_t total_e8, unrealised_e8;
};

struct db_unknown {
    char what[160];
    uint64_t times;
};

struct db_method {
    const char *name;
    bool open; /* public */
    enum db_access trade, account, wallet;
    enum db_cost cost;
    const char *scope; /* for faults */
    /* answers 0 with the result in out, an error code, or DB_LATER */
    int (*run)(struct db_shell *shell, struct db_call *call, struct sim_text *out);
};

struct db_shell {
    struct db_options options;
    struct sim_venue *venue;
    struct sim_net *net;
    struct sim_faults *faults;
    struct sim_delay *delay;
    struct sim_queue queue;
    struct sim_random random;
    int64_t now_ns;
    struct db_listing listing[DB_MARKET_COUNT];
    struct db_key key[DB_KEY_MAX];
    int key_count;
    struct db_token token[DB_TOKEN_MAX];
    struct db_session *sessions;
    int socket_count;
    struct db_bucket bucket[SIM_ACCOUNT_MAX + 1][DB_COST_COUNT]; /* the last is of those not logged in */
    bool cod_default[SIM_ACCOUNT_MAX];
    bool self_maker[SIM_ACCOUNT_MAX]; /* self-trading cancels the maker instead of refusing the taker */
    bool self_sub[SIM_ACCOUNT_MAX];
    struct db_note *note;
    size_t note_count, note_capacity;
    struct db_note placing; /* becomes the note of the next new order */
    struct db_touched touched[SIM_ACCOUNT_MAX];
    struct db_settled settled[SIM_ACCOUNT_MAX][DB_MARKET_COUNT];
    int64_t interest_e8[SIM_ACCOUNT_MAX][DB_MARKET_COUNT]; /* funding paid by the settlement under way */
    struct db_log *log;
    size_t log_count, log_capacity;
    struct db_call *bump[256]; /* orders waiting at the speed bump */
    int bump_count;
    struct db_tape *tape[DB_MARKET_COUNT];
    struct db_book book[DB_MARKET_COUNT];
    struct db_merge merge[DB_MARKET_COUNT][DB_PACE_COUNT];
    struct sim_level top[DB_MARKET_COUNT][2]; /* as subscribers have it */
    struct db_hour *hour[DB_MARKET_COUNT];
    int hour_count[DB_MARKET_COUNT];
    int64_t rate_as_of_ns[DB_MARKET_COUNT];
    int64_t settle_price_e8[DB_MARKET_COUNT];
    int64_t next_pace_ns[DB_PACE_COUNT];
    int64_t feed_last_ns[DB_MARKET_COUNT];
    int64_t private_last_ns[SIM_ACCOUNT_MAX];
    struct db_item *held[SIM_ACCOUNT_MAX]; /* reorder: a private message waiting for the next */
    int64_t next_second_ns;
    int64_t settling_until_ns;
    bool settling, locked;
    struct db_unknown unknown[DB_UNKNOWN_MAX];
    int unknown_count;
    uint64_t calls, refused, limited, public_sent, private_sent, bumps, cod_cancels;
};

extern const char *const db_currencies[4]; /* BTC, USDC, ETH, USDT: the order of every list of them */
extern const int db_paces_ms[DB_PACE_COUNT];

/* --- db_auth: log-ins, tokens, signatures ------------------------------------------------------------- */

/* db_auth_hex writes the lower-hex HMAC-SHA256 of text. */
void db_auth_hex(const char *secret, const char *text, size_t length, char hex[65]);

/* db_auth_header reads an Authorization header into the call; 0 or an error code.  No header: 0, key -1. */
int db_auth_header(struct db_shell *shell, struct db_call *call, const struct sim_request *request);
int db_auth_token(struct db_shell *shell, struct db_call *call, const char *access);
int db_auth_run(struct db_shell *shell, struct db_call *call, struct sim_text *out);
int db_auth_logout(struct db_shell *shell, struct db_call *call, struct sim_text *out);
void db_auth_gone(struct db_shell *shell, uint64_t conn);

/* --- db_gate: requests --------------------------------------------------------------------------------- */

void db_gate_message(struct db_shell *shell, struct db_session *session, const char *text, size_t length);
void db_gate_arrive(struct db_shell *shell, struct db_item *item);
void db_gate_unknown(struct db_shell *shell, const char *what);
void db_gate_free(struct db_call *call);
const char *db_gate_words(int code);

/* db_gate_fail notes error.data (printf of JSON) and answers the code. */
int db_gate_fail(struct db_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int db_gate_invalid(struct db_call *call, const char *param, const char *why);

/* Parameters.  db_gate_text answers a string, NULL when absent (a number as its text).  db_gate_number reads
 * an exact decimal: 0, or -32602.  *there says whether it was given. */
const char *db_gate_text(const struct db_call *call, const char *name);
int db_gate_number(struct db_call *call, const char *name, int decimals, int64_t *units, bool *there);
int db_gate_integer(struct db_call *call, const char *name, int64_t usual, int64_t *value);
bool db_gate_flag(const struct db_call *call, const char *name, bool usual);

/* --- db_call: methods ---------------------------------------------------------------------------------- */

const struct db_method *db_call_find(const char *name);
extern const struct db_method db_trade_methods[], db_query_methods[], db_public_methods[];

/* db_call_instrument reads instrument_name: 0 or an error code. */
int db_call_instrument(struct db_shell *shell, struct db_call *call, int *at);
int db_call_named(const struct db_shell *shell, const char *name);

/* db_call_filter reads kind and currency of a query; -1 and NULL stand for any. */
int db_call_kind(const char *text);
int db_call_filter(struct db_shell *shell, struct db_call *call, bool needed, const char **currency,
                   int *kind);
bool db_call_fits(const struct db_shell *shell, int at, const char *currency, int kind);
int db_call_account(const struct db_shell *shell, const struct db_call *call);

/* --- db_trade: orders ---------------------------------------------------------------------------------- */

/* db_trade_disconnect cancels the orders of a socket that is gone. */
void db_trade_disconnect(struct db_shell *shell, uint64_t conn, int64_t now_ns);
void db_trade_end_of_day(struct db_shell *shell, int64_t now_ns);
struct db_note *db_trade_note(struct db_shell *shell, const struct sim_order *order);
struct sim_order *db_trade_find(struct db_shell *shell, int account, const char *id);

/* db_trade_routed is true of an instrument whose orders another exchange fills. */
bool db_trade_routed(const struct db_shell *shell, int at);

/* db_trade_band answers the prices between which orders are taken. */
void db_trade_band(struct db_shell *shell, int at, int64_t *low, int64_t *high);

/* --- db_text: the venue's JSON ------------------------------------------------------------------------- */

/* db_text_number writes value (a count of 10^-decimals) as the venue spells it: 10.0, 0.0005, 1.6e-7. */
void db_text_number(struct sim_text *out, __int128 value, int decimals);
void db_text_real(struct sim_text *out, double value, int decimals);
void db_text_price(struct sim_text *out, const struct sim_instrument *i, int64_t price);
void db_text_id(char out[DB_ID_MAX], const struct db_shell *shell, int at, uint64_t id);
void db_text_order(struct sim_text *out, struct db_shell *shell, const struct sim_order *order);
void db_text_print(struct sim_text *out, struct db_shell *shell, int at, const struct db_print *print);
void db_text_fill(struct sim_text *out, struct db_shell *shell, size_t fill, enum sim_order_state state);
void db_text_position(struct sim_text *out, struct db_shell *shell, int account, int at);
void db_text_money(struct sim_text *out, struct db_shell *shell, int account, int currency);
void db_text_instrument(struct sim_text *out, struct db_shell *shell, int at);
/* db_text_ticker appends the members of a ticker, without braces, with the given touch. */
void db_text_ticker(struct sim_text *out, struct db_shell *shell, int at, const struct sim_level top[2],
                    int64_t now_ns);
void db_text_limits(struct sim_text *out, const struct db_shell *shell);
const char *db_text_state(const struct db_shell *shell, int at);
const char *db_text_order_state(enum sim_order_state state);
int db_text_currency(const char *name);
struct db_money db_text_funds(struct db_shell *shell, int account, int currency);
int64_t db_text_index(const struct db_shell *shell, const char *index);
struct db_greeks db_text_greeks(const struct db_shell *shell, int at, double *future);

/* --- db_feed: channels --------------------------------------------------------------------------------- */

/* db_feed_subscribe takes one name; false when it is not a channel, or not this one's to see.  *code is set
 * when that is an error of the whole call (13778). */
bool db_feed_subscribe(struct db_shell *shell, struct db_session *session, const char *name,
                       const char *label, bool private_call, int *code);
bool db_feed_unsubscribe(struct db_session *session, const char *name);
void db_feed_forget(struct db_session *session);
void db_feed_activate(struct db_shell *shell, struct db_session *session, const char *names);
void db_feed_deliver(struct db_shell *shell, struct db_item *item);
void db_feed_private(struct db_shell *shell, struct db_item *item);
void db_feed_paces(struct db_shell *shell, int64_t now_ns);
int64_t db_feed_next_ns(const struct db_shell *shell);
void db_feed_state(struct db_shell *shell, int at);
void db_feed_platform(struct db_shell *shell);
void db_feed_lock(struct db_shell *shell, int account, bool locked);

/* --- db_shell ------------------------------------------------------------------------------------------ */

struct db_item *db_shell_item(enum db_item_kind kind);
void db_shell_push(struct db_shell *shell, struct db_item *item, int64_t due_ns);
void db_shell_drop(struct db_item *item);
int64_t db_shell_server_ns(struct db_shell *shell);
const char *db_shell_scope(const struct db_session *session);
void db_shell_note_log(struct db_shell *shell, const struct db_log *log);
void *db_shell_grow(void *memory, size_t *capacity, size_t need, size_t size);
void db_shell_hang_up(struct db_shell *shell, struct db_session *session, int code, const char *reason);

#endif
