/* bn_state: what the files of the Binance shell share. */
#ifndef TOOLS_SIM_BINANCE_BN_STATE_H
#define TOOLS_SIM_BINANCE_BN_STATE_H

#include "tools/sim/binance/bn_shell.h"

#include <jansson.h>
#include <openssl/evp.h>

#define BN_KEY_MAX     64
#define BN_LISTEN_MAX  256
#define BN_PARAM_MAX   64
#define BN_SUB_MAX     1024
#define BN_UNKNOWN_MAX 64
#define BN_PACE_COUNT  5

enum bn_host { BN_HOST_REST, BN_HOST_STREAM, BN_HOST_WSAPI };
enum bn_route { BN_ROUTE_ANY, BN_ROUTE_PUBLIC, BN_ROUTE_MARKET, BN_ROUTE_PRIVATE, BN_ROUTE_NONE };
enum bn_stream {
    BN_STREAM_SILENT,
    BN_STREAM_DEPTH,
    BN_STREAM_TOP_N,
    BN_STREAM_BOOK,
    BN_STREAM_TRADE,
    BN_STREAM_AGG_TRADE,
    BN_STREAM_MARK,
    BN_STREAM_DAY,
    BN_STREAM_MINI_DAY,
    BN_STREAM_KLINE,
    BN_STREAM_ALL_BOOK, /* these four are of every symbol */
    BN_STREAM_ALL_MARK,
    BN_STREAM_ALL_DAY,
    BN_STREAM_ALL_MINI_DAY,
    BN_STREAM_USER
};
enum bn_security { BN_OPEN, BN_KEYED, BN_SIGNED };

enum bn_do {
    BN_PING,
    BN_TIME,
    BN_EXCHANGE_INFO,
    BN_DEPTH,
    BN_TRADES,
    BN_AGG_TRADES,
    BN_OLD_TRADES,
    BN_KLINES,
    BN_AVERAGE_PRICE,
    BN_TICKER_PRICE,
    BN_TICKER_BOOK,
    BN_TICKER_DAY,
    BN_TICKER_WINDOW,
    BN_OPEN_INTEREST,
    BN_PREMIUM_INDEX,
    BN_FUNDING_INFO,
    BN_FUNDING_RATE,
    BN_PLACE,
    BN_PLACE_TEST,
    BN_MODIFY,
    BN_CANCEL,
    BN_QUERY,
    BN_BATCH_PLACE,
    BN_BATCH_MODIFY,
    BN_BATCH_CANCEL,
    BN_CANCEL_ALL,
    BN_OPEN_ORDERS,
    BN_OPEN_ORDER,
    BN_ALL_ORDERS,
    BN_USER_TRADES,
    BN_POSITION_RISK,
    BN_ACCOUNT,
    BN_BALANCE,
    BN_LISTEN_START,
    BN_LISTEN_PING,
    BN_LISTEN_STOP,
    BN_DUAL_GET,
    BN_DUAL_SET,
    BN_MULTI_GET,
    BN_MULTI_SET,
    BN_SYMBOL_CONFIG,
    BN_ACCOUNT_CONFIG,
    BN_LEVERAGE_BRACKET,
    BN_COMMISSION_RATE,
    BN_LEVERAGE_SET,
    BN_MARGIN_TYPE_SET,
    BN_COUNTDOWN,
    BN_INCOME,
    BN_RATE_LIMIT_ORDER,
    BN_CANCEL_REPLACE,
    BN_AMEND_KEEP,
    BN_EMPTY_LIST,
    BN_TRADE_FEE,
    BN_AMENDMENTS,
    BN_API_RESTRICTIONS,
    BN_SYSTEM_STATUS,
    BN_LOGON,
    BN_STATUS,
    BN_LOGOUT,
    BN_SUBSCRIBE,
    BN_SUBSCRIBE_SIGNED,
    BN_UNSUBSCRIBE,
    BN_SUBSCRIPTIONS,
};

struct bn_method {
    enum bn_do what;
    unsigned kinds;   /* bit per sim_kind */
    const char *verb; /* NULL: WebSocket API only */
    const char *path; /* after /fapi/, /dapi/, /api/ or /sapi/ */
    const char *name; /* WebSocket API method, NULL: REST only */
    enum bn_security security;
    int weight;
    const char *scope; /* for faults */
};

struct bn_key {
    char id[128];
    char secret[128];
    EVP_PKEY *public_key; /* Ed25519, else NULL */
    int account;
};

struct bn_listen {
    char key[65];
    int account;
    enum sim_kind kind;
    int64_t expires_ns; /* 0: slot free */
};

struct bn_param {
    char *name;
    char *value;
};

struct bn_sub {
    char name[112];
    enum bn_stream stream;
    int instrument;
    int levels;
    int pace;         /* index into bn_paces_ms */
    bool every_third; /* markPrice without @1s */
    int interval;     /* of a kline stream */
    int64_t kline_ns; /* where the candle last shown begins */
    int account;      /* USER */
    int listen;
    bool deliver; /* false: acknowledged and silent (unknown, or the wrong route) */
};

struct bn_session {
    uint64_t conn;
    enum bn_host host;
    enum sim_kind kind;
    enum bn_route route;
    bool combined;
    char scope[32];
    struct bn_sub *sub;
    int sub_count;
    int64_t opened_ns;
    int64_t last_ns[SIM_LINE_COUNT]; /* nothing overtakes on one connection */
    int64_t next_ping_ns;
    int64_t pong_by_ns; /* 0: no ping outstanding */
    int64_t inbound_second;
    int inbound;
    bool closing;
    /* WebSocket API */
    int key; /* logged on, -1 when not */
    int64_t authorised_ns;
    bool show_limits;
    int user_account; /* spot user stream, -1 when not subscribed */
    int user_id;
    int next_user_id;
    struct bn_session *next;
};

enum bn_item_kind {
    BN_ITEM_CALL,
    BN_ITEM_REPLY,
    BN_ITEM_TEXT,
    BN_ITEM_EVENT,
    BN_ITEM_PRIVATE,
    BN_ITEM_CLOSE
};

struct bn_call {
    uint64_t conn;
    bool socket; /* WebSocket API */
    enum sim_kind kind;
    const struct bn_method *method;
    int key; /* index, -1 for open methods */
    struct bn_param param[BN_PARAM_MAX];
    int param_count;
    char *id; /* JSON text of the request's id */
    bool show_limits;
};

struct bn_item {
    enum bn_item_kind kind;
    uint64_t conn;
    int status;           /* REPLY */
    struct sim_text text; /* REPLY, TEXT, PRIVATE */
    struct sim_text headers;
    struct bn_call *call;   /* CALL */
    struct sim_event event; /* EVENT, its levels owned by the item */
    struct sim_level *levels;
    int64_t mark_e8, index_e8, rate_e8, next_funding_ns;
    int account; /* PRIVATE */
    enum sim_kind market;
    const char *type; /* PRIVATE: event name */
};

struct bn_merge { /* depth events waiting for a slower pace */
    struct sim_level *level[2];
    size_t count[2];
    size_t capacity[2];
    int64_t first_u;
    int64_t u;
    int64_t sent_u; /* u of the last event at this pace */
    bool any;
};

struct bn_print { /* a public trade */
    int64_t id;
    int64_t now_ns;
    int64_t price;
    int64_t qty;
    bool buyer_is_maker;
};

#define BN_PRINT_MAX 1000

struct bn_day { /* one instrument's trades: the last ones, and the statistics the venue calls 24hr */
    int64_t since_ns, last_ns;
    int64_t open, high, low, last, last_qty;
    int64_t first_id, last_id;
    uint64_t count;
    __int128 volume;
    __int128 value_e16; /* quote, or coin of an inverse contract */
    struct bn_print print[BN_PRINT_MAX];
    uint64_t printed;
};

struct bn_candle { /* trades between start_ns and the end of an interval */
    int64_t start_ns;
    int64_t open, high, low, close;
    int64_t first_id, last_id;
    uint64_t count;
    __int128 qty, value_e16;
    __int128 taker_qty, taker_value_e16; /* of which the buyer was the taker */
};

#define BN_CANDLE_MAX 1500

struct bn_candles { /* of one instrument, ascending; intervals without trades have none */
    struct bn_candle candle[BN_CANDLE_MAX];
    uint64_t made;
};

struct bn_amendment { /* one spot order made smaller */
    uint64_t order_id;
    int account;
    int instrument;
    int64_t exec_id;
    char before_id[SIM_CLIENT_ID_MAX];
    char after_id[SIM_CLIENT_ID_MAX];
    int64_t before_qty, after_qty;
    int64_t time_ns;
};

#define BN_AMENDMENT_MAX 1000

struct bn_counts { /* fixed windows of one account and kind */
    int64_t window_10s, window_1m, window_1d;
    int orders_10s, orders_1m, orders_1d;
};

struct bn_unknown {
    char what[160];
    uint64_t times;
};

struct bn_shell {
    struct bn_options options;
    struct sim_venue *venue;
    struct sim_net *net;
    struct sim_faults *faults;
    struct sim_delay *delay;
    struct sim_queue queue;
    struct sim_random random;
    int64_t now_ns;
    struct bn_key key[BN_KEY_MAX];
    int key_count;
    struct bn_listen listen[BN_LISTEN_MAX];
    struct bn_session *sessions;
    struct bn_merge merge[SIM_INSTRUMENT_MAX][BN_PACE_COUNT];
    struct bn_day day[SIM_INSTRUMENT_MAX];
    struct bn_candles second[SIM_INSTRUMENT_MAX], minute[SIM_INSTRUMENT_MAX];
    struct bn_amendment amendment[BN_AMENDMENT_MAX];
    uint64_t amended;
    int64_t next_pace_ns[BN_PACE_COUNT];
    int64_t feed_last_ns[SIM_INSTRUMENT_MAX];
    int64_t private_last_ns[SIM_ACCOUNT_MAX];
    struct bn_item *held[SIM_ACCOUNT_MAX]; /* reorder: a private event waiting for the next */
    bool hedge_mode[SIM_ACCOUNT_MAX];
    struct bn_counts counts[SIM_ACCOUNT_MAX][2]; /* spot, futures */
    int64_t weight_window[2];
    int weight[2];
    int64_t next_second_ns;
    int64_t seconds;
    int64_t all_last_ns;
    int64_t mark_count;
    char cancel_id[SIM_CLIENT_ID_MAX]; /* spot: the id of the cancel under way, "" for none */
    bool query_hides;                  /* the halted flag follows the maintenance fault */
    struct bn_unknown unknown[BN_UNKNOWN_MAX];
    int unknown_count;
    uint64_t calls, refused, streams_sent, privates_sent, merges_sent;
};

extern const int bn_paces_ms[BN_PACE_COUNT];

/* --- bn_auth: signatures and the time rule ------------------------------------------------------------ */

/* bn_auth_rest_text builds what a REST signature covers: query and body as sent, without the signature. */
void bn_auth_rest_text(struct sim_text *out, const char *query, const char *body, size_t body_length);

/* bn_auth_socket_text builds what a WebSocket API signature covers: parameters sorted by name. */
void bn_auth_socket_text(struct sim_text *out, const struct bn_param *param, int count);

/* bn_auth_check is true when signature (hex, or base64 for Ed25519) is the key's over text. */
bool bn_auth_check(const struct bn_key *key, const char *text, size_t length, const char *signature);

/* bn_auth_time answers 0, or the code to refuse with: -1102, -1021, -1131.  ahead says which -1021. */
int bn_auth_time(const char *timestamp, const char *window, int64_t server_ns, bool *ahead);

/* bn_auth_decode turns percent-encoding (and '+') into bytes, in place. */
void bn_auth_decode(char *text);

/* --- bn_text: the venue's JSON ------------------------------------------------------------------------ */

const char *bn_text_side(enum sim_side side);
const char *bn_text_state(enum sim_order_state state);
const char *bn_text_tif(const struct sim_instrument *instrument, const struct sim_order *order);
const char *bn_text_type(const struct sim_instrument *instrument, const struct sim_order *order);
const char *bn_text_stp(enum sim_stp stp);
int bn_text_price_show(const struct sim_instrument *instrument);
int bn_text_qty_show(const struct sim_instrument *instrument);
void bn_text_price(struct sim_text *out, const struct sim_instrument *instrument, int64_t price);
void bn_text_qty(struct sim_text *out, const struct sim_instrument *instrument, int64_t qty);
void bn_text_cash(struct sim_text *out, int64_t cash_e8);
void bn_text_levels(struct sim_text *out, const struct sim_instrument *instrument,
                    const struct sim_level *level, size_t count, bool descending);

/* bn_text_order appends a futures order object; query adds what only queries carry. */
void bn_text_order(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order, bool query,
                   bool ack);
/* bn_text_spot_order appends a spot order as queries show it; bn_text_spot_reply as placing answers it. */
void bn_text_spot_order(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order);
void bn_text_spot_reply(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order,
                        const char *detail, size_t first_fill);
void bn_text_spot_cancel(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order,
                         const char *cancel_id);
void bn_text_position(struct sim_text *out, struct bn_shell *shell, int account, int instrument, bool v3,
                      bool socket);
void bn_text_balances(struct sim_text *out, struct bn_shell *shell, int account, enum sim_kind kind);
void bn_text_account(struct sim_text *out, struct bn_shell *shell, int account, enum sim_kind kind, bool v3,
                     bool omit_zero);
void bn_text_fill(struct sim_text *out, struct bn_shell *shell, const struct sim_fill *fill);
void bn_text_exchange_info(struct sim_text *out, struct bn_shell *shell, enum sim_kind kind, uint64_t wanted);
void bn_text_rate_limits(struct sim_text *out, enum sim_kind kind, const struct bn_shell *shell, int account,
                         bool counts);

/* Streams. */
void bn_text_depth_event(struct sim_text *out, const struct sim_instrument *instrument,
                         const struct sim_level *levels, size_t bids, size_t asks, int64_t first_u, int64_t u,
                         int64_t pu, int64_t now_ms);
void bn_text_book_event(struct sim_text *out, const struct sim_instrument *instrument,
                        const struct sim_event *event);
void bn_text_trade_event(struct sim_text *out, const struct sim_instrument *instrument,
                         const struct sim_event *event, bool aggregate);
void bn_text_mark_event(struct sim_text *out, const struct sim_instrument *instrument,
                        const struct bn_item *item);

/* --- bn_day: public trades, and statistics over a day ------------------------------------------------- */

/* bn_day_trade takes note of a trade; the day is counted from the first one, at most 24 h back. */
void bn_day_trade(struct bn_shell *shell, const struct sim_event *event);

/* bn_day_event appends a stream's 24hrTicker or 24hrMiniTicker, bn_day_ticker the REST object, bn_day_trades
 * the last trades, oldest first, as single trades or as aggregates of one. */
void bn_day_event(struct sim_text *out, struct bn_shell *shell, int instrument, bool mini, int64_t now_ns);
void bn_day_ticker(struct bn_shell *shell, int instrument, struct sim_text *out);
/* bn_day_window appends spot's object of a window, bn_day_mini its smaller one. */
void bn_day_window(struct bn_shell *shell, int instrument, struct sim_text *out);
void bn_day_mini(struct bn_shell *shell, int instrument, struct sim_text *out);
struct bn_window {   /* which trades a list is of; without a beginning the newest are wanted */
    int64_t from_id; /* -1: any */
    int64_t from_ns; /* 0: any */
    int64_t to_ns;
    int limit;
};

void bn_day_trades(struct sim_text *out, struct bn_shell *shell, int instrument,
                   const struct bn_window *window, bool aggregate);

/* bn_day_average answers the average price of qty that cost value (coin of an inverse contract), in the
 * instrument's unit; 0 when nothing traded. */
int64_t bn_day_average(const struct sim_instrument *instrument, __int128 qty, __int128 value_e16);

/* --- bn_kline: candles -------------------------------------------------------------------------------- */

/* bn_kline_trade takes note of a trade. */
void bn_kline_trade(struct bn_shell *shell, const struct sim_event *event);

/* bn_kline_interval answers the number of an interval's name, -1 when the product has none such.
 * bn_kline_start and _end say where the candle that contains at_ns begins, and the next one. */
int bn_kline_interval(enum sim_kind kind, const char *name);
int64_t bn_kline_start(int interval, int64_t at_ns);
int64_t bn_kline_end(int interval, int64_t start_ns);

/* bn_kline_at adds up the candle that begins at start_ns; false when nothing had traded by its end. */
bool bn_kline_at(const struct bn_shell *shell, int instrument, int interval, int64_t start_ns,
                 struct bn_candle *candle);

/* bn_kline_list appends REST's array, oldest first: from from_ns when it is positive, else the newest. */
void bn_kline_list(struct sim_text *out, struct bn_shell *shell, int instrument, int interval,
                   int64_t from_ns, int64_t to_ns, int limit);
void bn_kline_event(struct sim_text *out, struct bn_shell *shell, int instrument, int interval,
                    const struct bn_candle *candle, bool closed, int64_t now_ns);

/* bn_kline_average appends the average price of the last five minutes. */
void bn_kline_average(struct sim_text *out, struct bn_shell *shell, int instrument);

/* --- bn_call: methods ---------------------------------------------------------------------------------- */

/* bn_call_find_rest and _find_socket look a method up; NULL when the venue knows no such thing. */
const struct bn_method *bn_call_find_rest(enum sim_kind kind, const char *verb, const char *path);
const struct bn_method *bn_call_find_socket(enum sim_kind kind, const char *name);

/* bn_call_get answers a parameter, NULL when absent or empty. */
const char *bn_call_get(const struct bn_call *call, const char *name);
void bn_call_add(struct bn_call *call, const char *name, size_t name_length, const char *value,
                 size_t value_length);
void bn_call_free(struct bn_call *call);

/* bn_call_run executes a call that has been let in and answers the HTTP status; out is the result, or the
 * error object. */
int bn_call_run(struct bn_shell *shell, struct bn_call *call, struct sim_text *out);

/* bn_call_error appends {"code","msg"} and answers status. */
int bn_call_error(struct sim_text *out, int status, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* --- bn_gate: REST and WebSocket API ------------------------------------------------------------------- */

void bn_gate_socket_message(struct bn_shell *shell, struct bn_session *session, const char *text,
                            size_t length);
void bn_gate_arrive(struct bn_shell *shell, struct bn_item *item);
void bn_gate_unknown(struct bn_shell *shell, const char *what);
void bn_gate_count_weight(struct bn_shell *shell, enum sim_kind kind, int weight);
void bn_gate_count_order(struct bn_shell *shell, enum sim_kind kind, int account, int orders);

/* --- bn_feed: streams ---------------------------------------------------------------------------------- */

void bn_feed_deliver(struct bn_shell *shell, struct bn_item *item);
void bn_feed_private(struct bn_shell *shell, struct bn_item *item);
void bn_feed_paces(struct bn_shell *shell, int64_t now_ns);
void bn_feed_second(struct bn_shell *shell, int64_t now_ns);
int64_t bn_feed_next_ns(const struct bn_shell *shell);
void bn_feed_stream_message(struct bn_shell *shell, struct bn_session *session, const char *text,
                            size_t length);
bool bn_feed_subscribe(struct bn_shell *shell, struct bn_session *session, const char *name);
void bn_feed_send(struct bn_shell *shell, struct bn_session *session, const char *stream, const char *data,
                  size_t length);
void bn_feed_order(struct bn_shell *shell, const struct sim_event *event);
void bn_feed_account(struct bn_shell *shell, int account, enum sim_kind kind, int instrument,
                     const char *asset, const char *reason, int64_t change_e8, int64_t now_ns);
int bn_feed_listen_key(struct bn_shell *shell, int account, enum sim_kind kind);

/* --- bn_shell ------------------------------------------------------------------------------------------- */

struct bn_item *bn_shell_item(enum bn_item_kind kind);
void bn_shell_push(struct bn_shell *shell, struct bn_item *item, int64_t due_ns);
void bn_shell_drop(struct bn_item *item);
int64_t bn_shell_server_ns(struct bn_shell *shell);
const char *bn_shell_product(enum sim_kind kind);
int bn_shell_symbol(struct bn_shell *shell, enum sim_kind kind, const char *symbol);

#endif
