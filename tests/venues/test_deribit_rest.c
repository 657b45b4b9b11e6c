/* Questions by HTTP: what is asked, how it is signed, and what the answers become. */
#include "tests/venues/deribit_desk.h"
#include "venues/deribit/request.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include "ring/order_id.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct clerk {
    struct desk *desk;
    struct instrument_table *table;
    struct sign_key key;
    struct venue_out out;
    char body[2048];
    struct rest_query query;
    struct rest_answer answer;
    struct instrument rows[64];
    char base[64][CURRENCY_BYTES], quote[64][CURRENCY_BYTES], settle[64][CURRENCY_BYTES];
    uint32_t row_count;
};

static void on_row(void *context, const struct instrument *row, const char *base, const char *quote,
                   const char *settle)
{
    struct clerk *clerk = context;
    cr_assert_lt(clerk->row_count, 64);
    strcpy(clerk->base[clerk->row_count], base);
    strcpy(clerk->quote[clerk->row_count], quote);
    strcpy(clerk->settle[clerk->row_count], settle);
    clerk->rows[clerk->row_count++] = *row;
}

static struct clerk *clerk_make(void)
{
    struct clerk *clerk = kept(sizeof *clerk);
    clerk->desk = deribit_desk_make();
    clerk->table = &clerk->desk->table;
    cr_assert(sign_key_hmac(&clerk->key, "the-key", "the-secret", 10));
    clerk->out.body = clerk->body;
    clerk->out.body_capacity = sizeof clerk->body;
    clerk->answer.instruments = clerk->table;
    clerk->answer.account = 3;
    clerk->answer.sink = clerk->desk->sink;
    clerk->answer.instrument = on_row;
    clerk->answer.instrument_context = clerk;
    return clerk;
}

static const char *ask(struct clerk *clerk, enum rest_what what)
{
    clerk->query.what = (uint8_t)what;
    if (!deribit_rest.request(&clerk->key, clerk->table, &clerk->query, WALL_NS, &clerk->out)) {
        return NULL;
    }
    cr_assert_eq(clerk->out.act, ACT_REQUEST);
    cr_assert_str_eq(clerk->out.endpoint.host, "www.deribit.com");
    cr_assert_str_eq(clerk->out.method, "GET");
    clerk->out.path[clerk->out.path_bytes] = '\0';
    return clerk->out.path;
}

static enum rest_result hear(struct clerk *clerk, enum rest_what what, int status, const char *body)
{
    clerk->query.what = (uint8_t)what;
    clerk->row_count = 0;
    clerk->desk->record_count = 0;
    return deribit_rest.parse(&clerk->query, status, body, strlen(body), &clerk->answer);
}

static enum rest_result hear_file(struct clerk *clerk, enum rest_what what, const char *name)
{
    struct file file;
    cr_assert(file_read(&file, name));
    enum rest_result result = hear(clerk, what, 200, file.text);
    file_free(&file);
    return result;
}

static const char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));
    return text != NULL ? text : "";
}

Test(deribit_rest, every_recorded_client_signature_comes_out)
{
    struct file file;
    json_error_t error;
    cr_assert(file_read(&file, "vectors/deribit.json"));
    json_t *all = json_loadb(file.text, file.bytes, 0, &error);
    cr_assert_not_null(all);
    const json_t *pair = json_object_get(json_object_get(all, "credentials"), "hmac");
    struct sign_key key;
    const char *secret = text_of(pair, "secret");
    cr_assert(sign_key_hmac(&key, text_of(pair, "apiKey"), secret, strlen(secret)));
    size_t i, http = 0, ws = 0;
    json_t *item;
    json_array_foreach(json_object_get(all, "cases"), i, item)
    {
        static struct venue_out out;
        char signed_text[1024];
        struct venue_hooks hooks = { .signed_text = signed_text, .signed_capacity = sizeof signed_text };
        uint64_t stamp_ms = (uint64_t)json_integer_value(json_object_get(item, "frozen_time_ms"));
        if (strcmp(text_of(item, "transport"), "rest") == 0) {
            struct text text;
            deribit_query(&out, &text, text_of(item, "path") + strlen(DERIBIT_HTTP_PATH "/"));
            text_put(&text, text_of(item, "query"));
            cr_assert(deribit_query_sign(&out, &text, &key, stamp_ms, &hooks));
            char header[VENUE_HEADER_BYTES];
            snprintf(header, sizeof header, "Authorization: %s\r\n",
                     text_of(json_object_get(item, "headers"), "Authorization"));
            cr_assert_eq(out.header_bytes, strlen(header));
            cr_assert_arr_eq(out.header, header, out.header_bytes, "%s: %.*s", text_of(item, "id"),
                             (int)out.header_bytes, out.header);
            cr_assert_str_eq(out.endpoint.host, text_of(item, "host"));
            http++;
        } else {
            char frame[1024], id[] = "\"id\":\"1\"";
            struct deribit_params params;
            deribit_params_begin(&params, frame, sizeof frame, "1", 1, "public/auth");
            deribit_params_login(&params, &key, stamp_ms, &hooks);
            size_t bytes = deribit_params_end(&params);
            char *quoted = memmem(frame, bytes, id, strlen(id));
            cr_assert_not_null(quoted); /* ours are texts, the recorded one is a number */
            memmove(quoted + 5, "1", 1);
            memmove(quoted + 6, quoted + 8, bytes - (size_t)(quoted + 8 - frame));
            cr_assert_eq(bytes - 2, strlen(text_of(item, "message")));
            cr_assert_arr_eq(frame, text_of(item, "message"), bytes - 2, "%.*s", (int)bytes, frame);
            ws++;
        }
        cr_assert_eq(hooks.signed_bytes, strlen(text_of(item, "sign_payload")));
        cr_assert_arr_eq(signed_text, text_of(item, "sign_payload"), hooks.signed_bytes);
    }
    cr_assert_eq(http, 7);
    cr_assert_eq(ws, 1);
    json_decref(all);
    file_free(&file);
}

Test(deribit_rest, a_nonce_that_a_person_names_is_the_one_that_is_signed)
{
    static struct venue_out out;
    char signed_text[1024], frame[1024];
    struct venue_hooks hooks = {
        .signed_text = signed_text, .signed_capacity = sizeof signed_text, .nonce = 77, .has_nonce = true
    };
    struct sign_key key;
    struct text text;
    struct deribit_params params;
    cr_assert(sign_key_hmac(&key, "id", "secret", 6));
    deribit_params_begin(&params, frame, sizeof frame, "1", 1, "public/auth");
    deribit_params_login(&params, &key, 1700000000000, &hooks);
    frame[deribit_params_end(&params)] = 0;
    cr_assert_eq(hooks.signed_bytes, 17);
    cr_assert_arr_eq(signed_text, "1700000000000\n77\n", 17);
    cr_assert_not_null(strstr(frame, "\"nonce\":\"77\""));
    deribit_query(&out, &text, "private/get_positions");
    cr_assert(deribit_query_sign(&out, &text, &key, 1700000000000, &hooks));
    cr_assert_arr_eq(signed_text, "1700000000000\n77\nGET\n", 21);
    cr_assert_not_null(memmem(out.header, out.header_bytes, "nonce=77\r\n", 10));
}

Test(deribit_rest, a_key_of_another_kind_signs_nothing)
{
    struct clerk *clerk = clerk_make();
    static const unsigned char seed[32] = { 7 };
    struct text text;
    cr_assert(sign_key_ed25519(&clerk->key, "the-key", seed));
    deribit_query(&clerk->out, &text, "private/get_positions");
    cr_assert_not(deribit_query_sign(&clerk->out, &text, &clerk->key, 1, NULL));
    deribit_query(&clerk->out, &text, "private/get_positions");
    cr_assert_not(deribit_query_sign(&clerk->out, &text, NULL, 1, NULL));
}

Test(deribit_rest, what_does_not_fit_is_no_request)
{
    struct clerk *clerk = clerk_make();
    struct text text;
    deribit_query(&clerk->out, &text, "private/get_positions");
    for (int i = 0; i < 200; i++) {
        text_put(&text, "currency=any&");
    }
    cr_assert_not(deribit_query_sign(&clerk->out, &text, &clerk->key, 1, NULL));
}

Test(deribit_rest, metadata_is_asked_for_once_for_each_kind)
{
    struct clerk *clerk = clerk_make();
    cr_assert_str_eq(ask(clerk, REST_INSTRUMENTS),
                     "/api/v2/public/get_instruments?currency=any&expired=false");
    clerk->query.product = PRODUCT_OPTION;
    cr_assert_str_eq(ask(clerk, REST_INSTRUMENTS),
                     "/api/v2/public/get_instruments?currency=any&kind=option&expired=false");
    clerk->query.product = PRODUCT_INVERSE;
    cr_assert_str_eq(ask(clerk, REST_INSTRUMENTS),
                     "/api/v2/public/get_instruments?currency=any&kind=future&expired=false");
    cr_assert_str_eq(ask(clerk, REST_TIME), "/api/v2/public/get_time");
    cr_assert_eq(clerk->out.header_bytes, 0);
    cr_assert_null(ask(clerk, REST_DEPTH), "of which instrument?");
    cr_assert_null(ask(clerk, REST_DEAD_MAN), "there is no timer");
}

/* ------------------------------------------------------------------ questions about the account */

Test(deribit_rest, every_question_has_its_method_its_bucket_and_its_proof)
{
    /* clang-format off */
    static const struct {
        int instrument; /* -1: none */
        enum rest_what what;
        enum credit credit;
        const char *path;
    } rows[] = {
        { -1,        REST_OPEN_ORDERS,  CREDIT_REST,  "/api/v2/private/get_open_orders" },
        { PERPETUAL, REST_OPEN_ORDERS,  CREDIT_REST,  "/api/v2/private/get_open_orders_by_instrument?instrument_name=BTC-PERPETUAL" },
        { -1,        REST_POSITIONS,    CREDIT_REST,  "/api/v2/private/get_positions?currency=any" },
        { OPTION,    REST_POSITIONS,    CREDIT_REST,  "/api/v2/private/get_position?instrument_name=BTC-27DEC24-100000-C" },
        { -1,        REST_BALANCES,     CREDIT_REST,  "/api/v2/private/get_account_summaries?extended=true" },
        { -1,        REST_LIMITS,       CREDIT_REST,  "/api/v2/private/get_account_summaries?extended=true" },
        { PERPETUAL, REST_FEES,         CREDIT_REST,  "/api/v2/private/get_account_summaries?extended=true" },
        { PERPETUAL, REST_PAYMENTS, CREDIT_LOG,   "/api/v2/private/get_transaction_log?currency=BTC&start_timestamp=1699913600000&end_timestamp=1700000001000&count=250" },
        { PERPETUAL, REST_CANCEL_ALL,   CREDIT_TRADE, "/api/v2/private/cancel_all_by_instrument?instrument_name=BTC-PERPETUAL" },
        { -1,        REST_CANCEL_ALL,   CREDIT_TRADE, "/api/v2/private/cancel_all" },
        { LINEAR,    REST_MARK,         CREDIT_REST,  "/api/v2/public/ticker?instrument_name=ETH_USDC-PERPETUAL" },
        { LINEAR,    REST_DEPTH,        CREDIT_REST,  "/api/v2/public/get_order_book?instrument_name=ETH_USDC-PERPETUAL&depth=1000" },
    };
    /* clang-format on */
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        struct clerk *clerk = clerk_make();
        clerk->query.product = PRODUCT_ALL;
        clerk->query.instrument = rows[i].instrument < 0 ? NULL : &clerk->table->row[rows[i].instrument];
        const char *path = ask(clerk, rows[i].what);
        cr_assert_str_eq(path, rows[i].path);
        cr_assert_eq(clerk->out.credit, rows[i].credit);
        static const char proof[] = "Authorization: deri-hmac-sha256 id=the-key,ts=1700000000000,sig=";
        bool is_signed = strstr(path, "private/") != NULL;
        cr_assert_eq(clerk->out.header_bytes != 0, is_signed);
        if (is_signed) {
            cr_assert_arr_eq(clerk->out.header, proof, sizeof proof - 1);
        }
    }
    struct clerk *clerk = clerk_make();
    clerk->query.instrument = &clerk->table->row[SPOT];
    cr_assert_null(ask(clerk, REST_POSITIONS), "spot is owned, not held");
    cr_assert_str_eq(ask(clerk, REST_FEES), "/api/v2/public/get_instrument?instrument_name=BTC_USDC");
    clerk->query.instrument = NULL;
    cr_assert_null(ask(clerk, REST_FILLS));
    cr_assert_null(ask(clerk, REST_ORDER));
    cr_assert_null(ask(clerk, REST_MARK));
    clerk->table->row[0].venue = VENUE_BINANCE;
    clerk->query.instrument = &clerk->table->row[0];
    cr_assert_null(ask(clerk, REST_MARK), "not of this venue");
}

Test(deribit_rest, the_rights_of_a_key_are_what_it_is_granted_of_all)
{
    struct clerk *clerk = clerk_make();
    const char *path = ask(clerk, REST_KEY_RIGHTS);
    cr_assert_not_null(strstr(path,
                              "/api/v2/public/auth?grant_type=client_signature&client_id=the-key&timestamp="
                              "1700000000000&signature="));
    cr_assert_not_null(
        strstr(path, "&scope=expires:60%20account:read%20trade:read_write%20wallet:read_write"));
    cr_assert_eq(clerk->out.header_bytes, 0);
    static const struct {
        const char *scope;
        enum rest_result result;
        enum fact trade, withdraw;
    } rows[] = {
        { "account:read connection trade:read_write wallet:none", REST_OK, FACT_YES, FACT_NO },
        { "wallet:read_write trade:read_write", REST_OK, FACT_YES, FACT_YES },
        { "trade:read wallet:read", REST_OK, FACT_NO, FACT_NO },
        { "connection mainaccount", REST_BROKEN, FACT_UNKNOWN, FACT_UNKNOWN },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        char body[256];
        clerk->answer.can_trade = clerk->answer.can_withdraw = FACT_UNKNOWN;
        snprintf(body, sizeof body,
                 "{\"result\":{\"access_token\":\"t\",\"scope\":\"%s\"},\"testnet\":false}", rows[i].scope);
        cr_assert_eq(hear(clerk, REST_KEY_RIGHTS, 200, body), rows[i].result);
        cr_assert_eq(clerk->answer.can_trade, rows[i].trade, "%zu", i);
        cr_assert_eq(clerk->answer.can_withdraw, rows[i].withdraw, "%zu", i);
    }
    cr_assert_eq(
        hear(clerk, REST_ACCOUNT_MODE, 200, "{\"result\":{\"scope\":\"trade:read_write\"},\"testnet\":true}"),
        REST_REFUSED, "the test network is another account");
    cr_assert_eq(hear(clerk, REST_ACCOUNT_MODE, 200, "{\"result\":{\"scope\":\"trade:read_write\"}}"),
                 REST_OK);
    cr_assert_eq(clerk->answer.mode_one_way, FACT_YES);
    cr_assert_eq(clerk->answer.mode_cross, FACT_YES);
    cr_assert_eq(clerk->answer.mode_self_trade, FACT_UNKNOWN);
    cr_assert(clerk->answer.more, "settings are on another page");
    clerk->query.page = 1;
    cr_assert_str_eq(ask(clerk, REST_ACCOUNT_MODE), "/api/v2/private/get_account_summaries?extended=true");
    cr_assert_eq(hear_file(clerk, REST_ACCOUNT_MODE, "deribit/http_get_account_summaries.json"), REST_OK);
    cr_assert_not(clerk->answer.more);
    cr_assert_eq(clerk->answer.mode_self_trade, FACT_YES);
    cr_assert_str_eq(clerk->answer.mode_words, "margin segregated_sm, self-trade prevention cancel_maker");
    static const struct {
        const char *body;
        enum rest_result result;
        enum fact fact;
    } settings[] = {
        { "{\"result\":{\"self_trading_reject_mode\":\"reject_taker\",\"summaries\":[]}}", REST_OK,
          FACT_YES },
        { "{\"result\":{\"self_trading_reject_mode\":\"none\",\"summaries\":[{}]}}", REST_OK, FACT_NO },
        { "{\"result\":{\"self_trading_reject_mode\":null,\"summaries\":[]}}", REST_OK, FACT_UNKNOWN },
        { "{\"result\":{\"summaries\":[]}}", REST_OK, FACT_UNKNOWN },
        { "{\"result\":{\"self_trading_reject_mode\":\"none\"}}", REST_BROKEN, FACT_UNKNOWN },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(settings); i++) {
        clerk->answer.mode_self_trade = FACT_UNKNOWN;
        cr_assert_eq(hear(clerk, REST_ACCOUNT_MODE, 200, settings[i].body), settings[i].result, "%zu", i);
        cr_assert_eq(clerk->answer.mode_self_trade, settings[i].fact, "%zu", i);
    }
}

Test(deribit_rest, limits_are_read_from_either_form_of_the_summary)
{
    static const char *const names[] = { "deribit/http_get_account_summaries.json",
                                         "deribit/doc_private_get_account_summary_response.json" };
    for (size_t i = 0; i < POISE_COUNT_OF(names); i++) {
        struct clerk *clerk = clerk_make();
        cr_assert_eq(hear_file(clerk, REST_LIMITS, names[i]), REST_OK, "%s", clerk->answer.text);
        cr_assert_eq(clerk->answer.limit[CREDIT_TRADE].burst, 250);
        cr_assert_eq(clerk->answer.limit[CREDIT_TRADE].rate_e3, 200000);
        cr_assert_eq(clerk->answer.limit[CREDIT_QUERY].burst, 600, "two fifths of 1500");
        cr_assert_eq(clerk->answer.limit[CREDIT_REST].rate_e3, 400000);
        cr_assert_eq(clerk->answer.limit[CREDIT_SUBSCRIBE].burst, 0, "not told");
    }
    struct clerk *clerk = clerk_make();
    cr_assert_eq(hear(clerk, REST_LIMITS, 200, "{\"result\":{\"summaries\":[{\"currency\":\"BTC\"}]}}"),
                 REST_BROKEN);
    cr_assert_eq(
        hear(clerk, REST_LIMITS, 200,
             "{\"result\":{\"limits\":{\"non_matching_engine\":{\"burst\":100,\"rate\":20},"
             "\"matching_engine\":{\"trading\":{\"total\":{\"burst\":20,\"rate\":5}},\"cancel_all\":{"
             "\"burst\":5,\"rate\":2.5},\"spot\":{\"burst\":30,\"rate\":9}}}}}"),
        REST_OK);
    cr_assert_eq(clerk->answer.limit[CREDIT_TRADE].burst, 5, "the least of them");
    cr_assert_eq(clerk->answer.limit[CREDIT_TRADE].rate_e3, 2500);
    cr_assert_eq(clerk->answer.limit[CREDIT_QUERY].burst, 40);
}

Test(deribit_rest, fees_are_the_accounts_own_where_fixed_and_the_listed_ones_elsewhere)
{
    struct clerk *clerk = clerk_make();
    const struct record_fee *fee = (const struct record_fee *)(const void *)clerk->desk->records[0];
    clerk->query.instrument = &clerk->table->row[PERPETUAL];
    cr_assert_eq(hear_file(clerk, REST_FEES, "deribit/http_get_account_summaries.json"), REST_OK);
    cr_assert_eq(clerk->desk->record_count, 1);
    cr_assert_not(clerk->answer.more);
    cr_assert_eq(fee->head.type, RECORD_FEE);
    cr_assert_eq(fee->head.instrument, PERPETUAL);
    cr_assert_eq(fee->head.account, 3);
    cr_assert_eq(fee->maker_centibp, -100);
    cr_assert_eq(fee->taker_centibp, 350);

    static const int listed[] = { OPTION, LINEAR }; /* relative: of what is not documented; and no row */
    for (int i = 0; i < 2; i++) {
        clerk->query.page = 0;
        clerk->query.instrument = &clerk->table->row[listed[i]];
        cr_assert_eq(hear_file(clerk, REST_FEES, "deribit/http_get_account_summaries.json"), REST_OK);
        cr_assert_eq(clerk->desk->record_count, 0);
        cr_assert(clerk->answer.more);
        clerk->query.page = 1;
        cr_assert_not_null(strstr(ask(clerk, REST_FEES), "/api/v2/public/get_instrument?instrument_name="));
        cr_assert_eq(hear(clerk, REST_FEES, 200,
                          "{\"result\":{\"maker_commission\":0.0,\"taker_commission\":0.00050001}}"),
                     REST_OK);
        cr_assert_eq(fee->head.instrument, listed[i]);
        cr_assert_eq(fee->maker_centibp, 0);
        cr_assert_eq(fee->taker_centibp, 501, "against us");
    }
    cr_assert_eq(hear(clerk, REST_FEES, 200, "{\"result\":{}}"), REST_BROKEN, "no commission is not none");
}

/* ------------------------------------------------------------------ executions */

Test(deribit_rest, executions_are_asked_of_both_storages_unless_all_is_recent)
{
    struct clerk *clerk = clerk_make();
    clerk->query.instrument = &clerk->table->row[PERPETUAL];
    clerk->query.from_id = 500;
    cr_assert_str_eq(
        ask(clerk, REST_FILLS),
        "/api/v2/private/get_user_trades_by_instrument?instrument_name=BTC-PERPETUAL&start_seq=500&"
        "count=1000&sorting=asc&historical=true");
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "{\"result\":{\"trades\":[],\"has_more\":false}}"), REST_OK);
    cr_assert(clerk->answer.more, "the fast storage is still to be asked");
    cr_assert_eq(clerk->answer.next_from_id, 0);
    clerk->query.page = 1;
    cr_assert_not_null(
        strstr(ask(clerk, REST_FILLS), "start_seq=500&count=1000&sorting=asc&historical=false"));
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "{\"result\":{\"trades\":[],\"has_more\":false}}"), REST_OK);
    cr_assert_not(clerk->answer.more);
    cr_assert_eq(clerk->answer.next_from_id, 500);

    clerk->query = (struct rest_query){ .instrument = &clerk->table->row[PERPETUAL],
                                        .since_ns = WALL_NS - 3600 * (int64_t)NS_PER_S,
                                        .until_ns = WALL_NS };
    cr_assert_str_eq(
        ask(clerk, REST_FILLS),
        "/api/v2/private/get_user_trades_by_instrument_and_time?instrument_name=BTC-PERPETUAL&"
        "start_timestamp=1699996400000&end_timestamp=1700000001000&count=1000&sorting=asc&historical="
        "false");
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "{\"result\":{\"trades\":[],\"has_more\":false}}"), REST_OK);
    cr_assert_not(clerk->answer.more);
    clerk->query.since_ns = WALL_NS - 30 * 3600 * (int64_t)NS_PER_S;
    cr_assert_not_null(strstr(ask(clerk, REST_FILLS), "historical=true"));
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "{\"result\":{\"trades\":[],\"has_more\":false}}"), REST_OK);
    cr_assert(clerk->answer.more);
}

static const char page_of_trades[] =
    "{\"result\":{\"trades\":[{\"trade_id\":\"9\",\"trade_seq\":700,\"order_id\":\"5\",\"instrument_name\":"
    "\"BTC-PERPETUAL\",\"direction\":\"sell\",\"price\":8954,\"amount\":20,\"fee\":1.68e-6,\"fee_currency\":"
    "\"BTC\",\"liquidity\":\"M\",\"label\":\"p0100400000001\",\"timestamp\":1590484156350},{\"trade_id\":"
    "\"10\","
    "\"trade_seq\":703,\"order_id\":\"5\",\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"sell\","
    "\"price\":"
    "8954,\"amount\":20}],\"has_more\":%s}}";

Test(deribit_rest, a_page_with_more_goes_on_behind_its_last_execution)
{
    struct clerk *clerk = clerk_make();
    char body[2048];
    clerk->query.instrument = &clerk->table->row[PERPETUAL];
    clerk->query.from_id = 500;
    snprintf(body, sizeof body, page_of_trades, "true");
    cr_assert_eq(hear(clerk, REST_FILLS, 200, body), REST_OK);
    cr_assert_eq(clerk->desk->record_count, 2);
    const struct record_report *fill = desk_report(clerk->desk, 0);
    cr_assert_eq(fill->head.type, RECORD_FILL);
    cr_assert_eq(fill->head.flags, RECORD_FLAG_REST);
    cr_assert_eq(fill->exec_id, 700);
    cr_assert_eq(fill->fee_e8, 168);
    cr_assert_eq(fill->liquidity, LIQUIDITY_MAKER);
    cr_assert_eq(desk_report(clerk->desk, 1)->flags & REPORT_HAS_FEE, 0);
    cr_assert(clerk->answer.more);
    cr_assert_eq(clerk->answer.next_from_id, 704);
    snprintf(body, sizeof body, page_of_trades, "false");
    clerk->query.page = 1;
    cr_assert_eq(hear(clerk, REST_FILLS, 200, body), REST_OK);
    cr_assert_not(clerk->answer.more);
    cr_assert_eq(clerk->answer.next_from_id, 704);
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "{\"result\":{\"trades\":[],\"has_more\":true}}"), REST_BROKEN);
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "{\"result\":{\"trades\":[]}}"), REST_BROKEN,
                 "a page that does not say whether it is the last");
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "{\"result\":[]}"), REST_BROKEN);
}

/* ------------------------------------------------------------------ orders, positions, cash */

Test(deribit_rest, an_order_is_looked_for_by_label_then_in_both_histories_before_it_is_not_found)
{
    struct clerk *clerk = clerk_make();
    clerk->query.instrument = &clerk->table->row[PERPETUAL];
    clerk->query.order = 0x0040100000000001ULL;
    char label[ORDER_ID_TEXT_BYTES + 1] = { 0 }, expected[128];
    order_id_print(label, clerk->query.order);
    snprintf(expected, sizeof expected, "/api/v2/private/get_order_state_by_label?currency=BTC&label=%s",
             label);
    cr_assert_str_eq(ask(clerk, REST_ORDER), expected);
    for (uint16_t page = 0; page < 2; page++) {
        clerk->query.page = page;
        cr_assert_eq(hear(clerk, REST_ORDER, 200, "{\"result\":[]}"), REST_OK);
        cr_assert_eq(clerk->desk->record_count, 0, "not yet");
        cr_assert(clerk->answer.more);
    }
    cr_assert_str_eq(
        ask(clerk, REST_ORDER),
        "/api/v2/private/get_order_history_by_instrument?instrument_name=BTC-PERPETUAL&count=1000&"
        "include_old=true&include_unfilled=true&historical=false");
    clerk->query.page = 2;
    cr_assert_not_null(strstr(ask(clerk, REST_ORDER), "historical=true"));
    cr_assert_eq(hear(clerk, REST_ORDER, 200, "{\"result\":[]}"), REST_OK);
    cr_assert_not(clerk->answer.more);
    cr_assert_eq(clerk->desk->record_count, 1);
    const struct record_report *state = desk_report(clerk->desk, 0);
    cr_assert_eq(state->head.type, RECORD_ORDER_STATE);
    cr_assert_eq(state->status, ORDER_STATUS_NOT_FOUND);
    cr_assert_eq(state->order, clerk->query.order);
    cr_assert_eq(state->flags & REPORT_TERMINAL, 0, "it proves nothing");

    char body[1024];
    snprintf(
        body, sizeof body,
        "{\"result\":[{\"label\":\"other\",\"order_id\":\"1\",\"order_state\":\"open\",\"instrument_name\":"
        "\"BTC-PERPETUAL\",\"amount\":10},{\"label\":\"%s\",\"order_id\":\"2\",\"order_state\":\"cancelled\","
        "\"cancel_reason\":\"cancel_on_disconnect\",\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":20,"
        "\"filled_amount\":10,\"direction\":\"buy\"}]}",
        label);
    cr_assert_eq(hear(clerk, REST_ORDER, 200, body), REST_OK);
    cr_assert_eq(clerk->desk->record_count, 1, "only ours");
    state = desk_report(clerk->desk, 0);
    cr_assert_eq(state->status, ORDER_STATUS_CANCELLED);
    cr_assert_eq(state->reason, REASON_DEAD_MAN);
    cr_assert_eq(state->cum_qty, 10);
    clerk->query.page = 0;
    cr_assert_eq(hear(clerk, REST_ORDER, 400, "{\"error\":{\"message\":\"order_not_found\",\"code\":10004}}"),
                 REST_OK);
    cr_assert(clerk->answer.more);
    cr_assert_eq(hear(clerk, REST_ORDER, 400, "{\"error\":{\"message\":\"x\",\"code\":13028}}"),
                 REST_UNKNOWN);
}

Test(deribit_rest, open_orders_are_states_and_foreign_ones_are_marked)
{
    struct clerk *clerk = clerk_make();
    strcpy(clerk->table->row[OPTION].symbol, "BTC-15FEB19-3250-P");
    struct instrument row = clerk->table->row[OPTION];
    instrument_add(clerk->table, &row);
    cr_assert_eq(hear_file(clerk, REST_OPEN_ORDERS, "deribit/doc_private_get_open_orders_response.json"),
                 REST_OK);
    cr_assert_eq(clerk->desk->record_count, 1);
    const struct record_report *state = desk_report(clerk->desk, 0);
    cr_assert_eq(state->head.type, RECORD_ORDER_STATE);
    cr_assert_eq(state->status, ORDER_STATUS_OPEN);
    cr_assert_neq(state->flags & REPORT_FOREIGN, 0);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 200, "{\"result\":{}}"), REST_BROKEN);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 200, "{\"result\":[]}"), REST_OK);
    cr_assert_eq(clerk->answer.rows, 0);
}

Test(deribit_rest, positions_of_all_and_of_one_instrument_also_when_flat)
{
    struct clerk *clerk = clerk_make();
    cr_assert_eq(hear_file(clerk, REST_POSITIONS, "deribit/doc_private_get_positions_response.json"),
                 REST_OK);
    const struct record_position *position =
        (const struct record_position *)(const void *)clerk->desk->records[0];
    cr_assert_eq(clerk->desk->record_count, 3, "and what the total has beside executions and payments");
    const struct record_balance *beside =
        (const struct record_balance *)(const void *)clerk->desk->records[1];
    cr_assert_eq(beside->reason, CASH_ACCRUED);
    cr_assert_eq(beside->change_e8, -1);
    cr_assert_eq(beside->total_e8, INT64_MIN);
    beside = (const struct record_balance *)(const void *)clerk->desk->records[2];
    cr_assert_eq(beside->reason, CASH_SETTLED);
    cr_assert_eq(beside->change_e8, 3278, "profit since the opening less that of the session");
    cr_assert_eq(position->qty, 50);
    cr_assert_eq(position->entry_e8, 744018000000);
    cr_assert_eq(position->head.flags, RECORD_FLAG_REST | RECORD_FLAG_SNAP);
    cr_assert_eq(
        hear(clerk, REST_POSITIONS, 200,
             "{\"result\":{\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"zero\",\"size\":0.0,"
             "\"average_price\":0,\"floating_profit_loss\":0}}"),
        REST_OK);
    cr_assert_eq(clerk->desk->record_count, 1, "flat is said, not left out");
    cr_assert_eq(position->qty, 0);
    cr_assert_eq(hear(clerk, REST_POSITIONS, 200, "{\"result\":{}}"), REST_BROKEN);
}

Test(deribit_rest, balances_of_every_currency_that_is_known)
{
    struct clerk *clerk = clerk_make();
    cr_assert_eq(hear_file(clerk, REST_BALANCES, "deribit/http_get_account_summaries.json"), REST_OK);
    const struct record_balance *balance =
        (const struct record_balance *)(const void *)clerk->desk->records[0];
    cr_assert_geq(clerk->desk->record_count, 1);
    cr_assert_eq(clerk->answer.skipped, 2 - (int32_t)clerk->desk->record_count);
    cr_assert_eq(balance->total_e8, 30260065765 - 3258105);
    cr_assert_eq(balance->available_e8, 30138059622);
    cr_assert_eq(balance->reason, CASH_SNAPSHOT);
}

Test(deribit_rest, the_log_tells_what_moved_beside_executions_and_pages_go_back)
{
    struct clerk *clerk = clerk_make();
    clerk->query.instrument = &clerk->table->row[PERPETUAL];
    cr_assert_eq(hear_file(clerk, REST_PAYMENTS, "deribit/doc_private_get_transaction_log_response.json"),
                 REST_OK);
    cr_assert_eq(clerk->desk->record_count, 3,
                 "a transfer, a settlement, a deposit; trades are told by themselves");
    const struct record_balance *paid = (const struct record_balance *)(const void *)clerk->desk->records[0];
    cr_assert_eq(paid->reason, CASH_TRANSFER);
    cr_assert_eq(paid->change_e8, -250000000);
    cr_assert_eq(paid->row, record_row_id("61312", 5));
    paid = (const struct record_balance *)(const void *)clerk->desk->records[2];
    cr_assert_eq(paid->reason, CASH_TRANSFER);
    cr_assert_eq(paid->change_e8, 65000000);
    paid = (const struct record_balance *)(const void *)clerk->desk->records[1];
    cr_assert_eq(paid->reason, CASH_FUNDING);
    cr_assert_eq(paid->change_e8, 1243, "of the whole session");
    cr_assert_eq(paid->told, CASH_TOLD_ROW);
    cr_assert_eq(paid->row, record_row_id("61311", 5));
    cr_assert_eq(paid->total_e8, INT64_MIN);
    cr_assert_eq(paid->head.instrument, PERPETUAL);
    cr_assert_eq(paid->venue_time_ns, 1613659544153 * 1000000LL);
    cr_assert(clerk->answer.more);
    cr_assert_eq(clerk->answer.next_from_id, 61282);
    clerk->query.from_id = 61282;
    cr_assert_not_null(strstr(ask(clerk, REST_PAYMENTS), "&continuation=61282"));
    clerk->query.currency = "USDC";
    cr_assert_not_null(strstr(ask(clerk, REST_PAYMENTS), "?currency=USDC&"), "not what it settles in");
    cr_assert_eq(hear(clerk, REST_PAYMENTS, 200, "{\"result\":{\"logs\":[],\"continuation\":null}}"),
                 REST_OK);
    cr_assert_not(clerk->answer.more);
    cr_assert_eq(clerk->desk->record_count, 0, "no row is no word, not zero");
    cr_assert_eq(hear(clerk, REST_PAYMENTS, 200, "{\"result\":{}}"), REST_BROKEN);
}

Test(deribit_rest, a_mark_has_its_index_and_no_next_funding)
{
    struct clerk *clerk = clerk_make();
    clerk->query.instrument = &clerk->table->row[PERPETUAL];
    cr_assert_eq(hear_file(clerk, REST_MARK, "deribit/http_get_order_book.json"), REST_OK);
    const struct record_mark *mark = (const struct record_mark *)(const void *)clerk->desk->records[0];
    cr_assert_eq(mark->mark, 870062100);
    cr_assert_eq(mark->index, 869928200);
    cr_assert_eq(mark->next_funding_ns, 0);
}

Test(deribit_rest, a_cancel_all_counts_and_a_throttled_venue_is_left_alone)
{
    struct clerk *clerk = clerk_make();
    cr_assert_eq(hear_file(clerk, REST_CANCEL_ALL, "deribit/doc_private_cancel_all_response.json"), REST_OK);
    cr_assert_eq(hear(clerk, REST_CANCEL_ALL, 200, "{\"result\":\"ok\"}"), REST_BROKEN);
    cr_assert_eq(
        hear(clerk, REST_CANCEL_ALL, 400, "{\"error\":{\"message\":\"too_many_requests\",\"code\":10028}}"),
        REST_LATER);
    cr_assert_eq(clerk->answer.retry_after_ms, 10000);
    cr_assert_eq(hear(clerk, REST_BALANCES, 429, "slow down"), REST_LATER);
    cr_assert_eq(clerk->answer.retry_after_ms, 10000);
    static const char *const closed[] = {
        "{\"error\":{\"message\":\"settlement_in_progress\",\"code\":10041}}",
        "{\"error\":{\"message\":\"system_maintenance\",\"code\":11051}}"
    };
    for (size_t i = 0; i < POISE_COUNT_OF(closed); i++) {
        cr_assert_eq(hear(clerk, REST_CANCEL_ALL, 400, closed[i]), REST_LATER, "%s", closed[i]);
        cr_assert_eq(clerk->answer.retry_after_ms, 5000);
    }
    cr_assert_eq(hear(clerk, REST_CANCEL_ALL, 400, "{\"error\":{\"message\":\"x\",\"code\":13021}}"),
                 REST_REFUSED);
    cr_assert_eq(hear(clerk, REST_CANCEL_ALL, 400, "{\"error\":{\"message\":\"x\",\"code\":10040}}"),
                 REST_UNKNOWN);
    cr_assert_eq(hear(clerk, REST_CANCEL_ALL, 500, ""), REST_UNKNOWN);
}

Test(deribit_rest, every_prefix_of_every_answer_yields_nothing_unsound)
{
    static char names[256][96];
    size_t count = file_names("deribit", names, POISE_COUNT_OF(names));
    struct clerk *clerk = clerk_make();
    struct guard guard;
    guard_make(&guard, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        char path[128];
        struct file file;
        snprintf(path, sizeof path, "deribit/%s", names[i]);
        if (strstr(names[i], "_private_") == NULL && strstr(names[i], "http_get_") == NULL) {
            continue;
        }
        cr_assert(file_read(&file, path));
        while (file.text[file.bytes - 1] != '}') {
            file.bytes--; /* without the line's end it is whole already */
        }
        for (uint8_t what = REST_TIME; what <= REST_ANY; what++) {
            clerk->query.what = what;
            clerk->query.instrument = &clerk->table->row[PERPETUAL];
            clerk->query.order = 7;
            clerk->answer.instrument = NULL;
            for (size_t bytes = 0; bytes < file.bytes; bytes += 1 + file.bytes / 60) {
                clerk->desk->record_count = 0;
                const char *at = guard_put(&guard, file.text, bytes);
                enum rest_result result = deribit_rest.parse(&clerk->query, 200, at, bytes, &clerk->answer);
                cr_assert(result == REST_BROKEN, "%s, %zu bytes, question %d", names[i], bytes, what);
                cr_assert_eq(clerk->desk->record_count, 0);
            }
        }
        file_free(&file);
    }
    guard_free(&guard);
}

/* ------------------------------------------------------------------ metadata */

Test(deribit_rest, the_time_is_in_milliseconds)
{
    struct clerk *clerk = clerk_make();
    cr_assert_eq(hear_file(clerk, REST_TIME, "deribit/http_get_time.json"), REST_OK);
    cr_assert_eq(clerk->answer.server_time_ns, 1733338800000 * 1000000LL);
    cr_assert_eq(hear(clerk, REST_TIME, 200, "{\"result\":\"soon\"}"), REST_BROKEN);
    cr_assert_eq(hear(clerk, REST_TIME, 200, "{\"resu"), REST_BROKEN);
    cr_assert_eq(hear(clerk, REST_TIME, 502, "<html>"), REST_UNKNOWN);
    cr_assert_eq(hear(clerk, REST_TIME, 400, "{\"error\":{\"message\":\"bad_request\",\"code\":11050}}"),
                 REST_REFUSED);
    cr_assert_eq(clerk->answer.code, 11050);
    cr_assert_str_eq(clerk->answer.text, "bad_request");
}

static const struct instrument *row_called(const struct clerk *clerk, const char *symbol, uint32_t *at)
{
    for (uint32_t i = 0; i < clerk->row_count; i++) {
        if (strcmp(clerk->rows[i].symbol, symbol) == 0) {
            *at = i;
            return &clerk->rows[i];
        }
    }
    cr_assert_fail("no row %s", symbol);
    return NULL;
}

Test(deribit_rest, every_kind_of_instrument_has_its_units)
{
    struct clerk *clerk = clerk_make();
    uint32_t at;
    cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, "deribit/http_get_instruments_mixed.json"), REST_OK);
    cr_assert_eq(clerk->row_count, 3);
    cr_assert_eq(clerk->answer.skipped, 1, "a combo is no thing to hold");

    const struct instrument *row = row_called(clerk, "BTC-PERPETUAL", &at);
    cr_assert_str_eq(row->name, "deribit.inverse.BTC-PERPETUAL");
    cr_assert_eq(row->kind, KIND_INVERSE_PERPETUAL);
    cr_assert_eq(row->product, PRODUCT_INVERSE);
    cr_assert_eq(row->status, INSTRUMENT_TRADING);
    cr_assert_eq(row->price_decimals, 4);
    cr_assert_eq(row->tick, 5000);
    cr_assert_eq(row->qty_decimals, 0);
    cr_assert_eq(row->lot, 10, "ten dollars");
    cr_assert_eq(row->contract_e8, DECIMAL_E8, "amounts are dollars");
    cr_assert_eq(row->expiry_ns, 0);
    cr_assert_eq(row->funding_interval_s, 28800);
    cr_assert_eq(row->venue_id, 124972);
    cr_assert_str_eq(clerk->base[at], "BTC");
    cr_assert_str_eq(clerk->quote[at], "USD");
    cr_assert_str_eq(clerk->settle[at], "BTC");

    row = row_called(clerk, "BTC-27DEC24", &at);
    cr_assert_eq(row->kind, KIND_INVERSE_FUTURE);
    cr_assert_eq(row->expiry_ns, 1735300800000 * 1000000LL);
    cr_assert_eq(row->funding_interval_s, 0);

    row = row_called(clerk, "BTC-27DEC24-100000-C", &at);
    cr_assert_eq(row->kind, KIND_OPTION);
    cr_assert_eq(row->product, PRODUCT_OPTION);
    cr_assert_eq(row->tick, 500, "0.0005");
    cr_assert_eq(row->price_decimals, 6);
    cr_assert_eq(row->lot, 1000, "0.1");
    cr_assert_eq(row->qty_decimals, 4);
    cr_assert_eq(row->option, OPTION_CALL);
    cr_assert_eq(row->strike_e8, 100000 * DECIMAL_E8);
    cr_assert_str_eq(clerk->quote[at], "BTC", "the premium is coin");
    cr_assert_str_eq(clerk->settle[at], "BTC");

    cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, "deribit/http_get_instrument_btc_perpetual.json"),
                 REST_OK);
    cr_assert_eq(clerk->row_count, 1);
    cr_assert_eq(clerk->rows[0].kind, KIND_INVERSE_PERPETUAL);
}

Test(deribit_rest, metadata_of_2021_names_no_type_and_no_settlement)
{
    struct clerk *clerk = clerk_make();
    uint32_t at;
    cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, "deribit/http_get_instruments_subset_2021.json"),
                 REST_OK);
    cr_assert_eq(clerk->row_count, 13);
    cr_assert_eq(clerk->answer.skipped, 0);
    row_called(clerk, "ETH-PERPETUAL", &at);
    cr_assert_eq(clerk->rows[at].tick, 500, "0.05");
    cr_assert_eq(clerk->rows[at].lot, 1);
    cr_assert_str_eq(clerk->settle[at], "ETH");
    row_called(clerk, "UNI_USDC-PERPETUAL", &at);
    cr_assert_eq(clerk->rows[at].kind, KIND_LINEAR_PERPETUAL);
    cr_assert_eq(clerk->rows[at].lot, 1000000, "one coin");
    cr_assert_str_eq(clerk->settle[at], "USDC");
    row_called(clerk, "BTC-24SEP21-40000-P", &at);
    cr_assert_str_eq(clerk->settle[at], "BTC");
}

Test(deribit_rest, every_row_of_every_fixture_makes_sense)
{
    static const char *const names[] = { "deribit/http_get_instruments_mixed.json",
                                         "deribit/http_get_instruments_subset_2021.json",
                                         "deribit/http_get_instruments_future_combo.json",
                                         "deribit/http_get_instrument_btc_perpetual.json" };
    struct clerk *clerk = clerk_make();
    uint32_t rows = 0;
    for (size_t i = 0; i < POISE_COUNT_OF(names); i++) {
        cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, names[i]), REST_OK, "%s", names[i]);
        for (uint32_t k = 0; k < clerk->row_count; k++) {
            const struct instrument *row = &clerk->rows[k];
            cr_assert_null(instrument_check(row), "%s: %s", row->symbol, instrument_check(row));
            cr_assert_eq(row->max_qty % row->lot, 0);
            rows++;
        }
    }
    cr_assert_eq(rows, 17);
}

static const char option_with_steps[] =
    "{\"result\":[{\"kind\":\"option\",\"option_type\":\"call\",\"strike\":90000.0,\"instrument_name\":\"BTC-"
    "27MAR26-90000-C\",\"tick_size\":0.0001,"
    "\"tick_size_steps\":[{\"above_price\":0.005,\"tick_size\":0.0005},{\"above_price\":0.00001,\"tick_"
    "size\":"
    "5.0e-7}],\"min_trade_amount\":0.1,\"contract_size\":1,\"base_currency\":\"BTC\",\"quote_currency\":"
    "\"BTC\""
    ",\"expiration_timestamp\":1774598400000,\"is_active\":true,\"state\":\"open\"}]}";

Test(deribit_rest, the_unit_holds_the_finest_step_and_the_tick_is_the_base)
{
    struct clerk *clerk = clerk_make();
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, option_with_steps), REST_OK);
    cr_assert_eq(clerk->row_count, 1);
    cr_assert_eq(clerk->rows[0].price_decimals, 7);
    cr_assert_eq(clerk->rows[0].tick, 1000);
    cr_assert_null(instrument_check(&clerk->rows[0]));
}

Test(deribit_rest, linear_and_spot_amounts_are_coin)
{
    static const char both[] =
        "{\"result\":[{\"kind\":\"future\",\"instrument_type\":\"linear\",\"instrument_name\":\"ETH_USDC-"
        "PERPETUAL\",\"tick_size\":0.01,\"min_trade_amount\":0.001,\"contract_size\":0.001,\"base_currency\":"
        "\"ETH\",\"quote_currency\":\"USDC\",\"settlement_currency\":\"USDC\",\"settlement_period\":"
        "\"perpetual\",\"expiration_timestamp\":32503708800000,\"is_active\":true},"
        "{\"kind\":\"spot\",\"instrument_type\":\"linear\",\"instrument_name\":\"BTC_USDC\",\"tick_size\":1,"
        "\"min_trade_amount\":0.0001,\"contract_size\":0.0001,\"base_currency\":\"BTC\",\"quote_currency\":"
        "\"USDC\",\"is_active\":true,\"is_cbe_routed\":true,\"is_csr\":true}]}";
    struct clerk *clerk = clerk_make();
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, both), REST_OK);
    cr_assert_eq(clerk->row_count, 2);
    cr_assert_eq(clerk->rows[0].kind, KIND_LINEAR_PERPETUAL);
    cr_assert_eq(clerk->rows[0].contract_e8, DECIMAL_E8, "not the contract's thousandth");
    cr_assert_eq(clerk->rows[0].lot, 1000);
    cr_assert_str_eq(clerk->settle[0], "USDC");
    cr_assert_eq(clerk->rows[1].kind, KIND_SPOT);
    cr_assert_eq(clerk->rows[1].expiry_ns, 0);
    cr_assert_str_eq(clerk->settle[1], "USDC");
    for (int i = 0; i < 2; i++) {
        cr_assert_null(instrument_check(&clerk->rows[i]), "%s", instrument_check(&clerk->rows[i]));
    }
    clerk->query.product = PRODUCT_SPOT;
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, both), REST_OK);
    cr_assert_eq(clerk->row_count, 1, "only what was asked for");
    cr_assert_eq(clerk->answer.skipped, 0);
}

Test(deribit_rest, a_row_that_contradicts_its_name_or_cannot_trade_is_not_traded)
{
    struct clerk *clerk = clerk_make();
    static const char lies[] = "{\"result\":[{\"kind\":\"future\",\"instrument_type\":\"linear\","
                               "\"instrument_name\":\"BTC-PERPETUAL\",\"tick_size\":0.5,\"min_trade_amount\":"
                               "10,\"is_active\":true}]}";
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, lies), REST_OK);
    cr_assert_eq(clerk->row_count, 0);
    cr_assert_eq(clerk->answer.skipped, 1);
    static const char *const states[] = { "locked", "halted", "a_word_of_2027" };
    static const enum instrument_status expected[] = { INSTRUMENT_CANCEL_ONLY, INSTRUMENT_CANCEL_ONLY,
                                                       INSTRUMENT_UNKNOWN };
    for (size_t i = 0; i < POISE_COUNT_OF(states); i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"result\":[{\"kind\":\"future\",\"instrument_name\":\"BTC-PERPETUAL\",\"tick_size\":0.5,"
                 "\"min_trade_amount\":10,\"is_active\":true,\"state\":\"%s\"}]}",
                 states[i]);
        cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, body), REST_OK);
        cr_assert_eq(clerk->rows[0].status, expected[i]);
    }
    static const char cut[] = "{\"result\":[{\"kind\":\"future\",\"instrument_name\":\"BTC-PERPETUAL\","
                              "\"is_active\":true,\"state\":\"open\"}]}";
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, cut), REST_OK);
    cr_assert_eq(clerk->rows[0].status, INSTRUMENT_UNKNOWN, "no tick");
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, "{\"result\":[{\"kind\":\"future\"}]}"), REST_BROKEN);
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200, "{\"result\":7}"), REST_BROKEN);
}

Test(deribit_rest, a_delivery_in_the_log_ends_a_contract_and_costs_its_fee)
{
    struct clerk *clerk = clerk_make();
    clerk->query.instrument = &clerk->table->row[PERPETUAL];
    struct instrument row = clerk->table->row[PERPETUAL];
    row.kind = KIND_INVERSE_FUTURE;
    row.expiry_ns = 1679731200000 * 1000000LL;
    strcpy(row.symbol, "BTC-25MAR23");
    strcpy(row.name, "deribit.inverse.BTC-25MAR23");
    uint16_t index = instrument_add(clerk->table, &row);
    cr_assert_neq(index, UINT16_MAX);
    cr_assert_eq(hear(clerk, REST_PAYMENTS, 200,
                      "{\"result\":{\"logs\":[{\"type\":\"delivery\",\"timestamp\":1679731200000,"
                      "\"currency\":\"BTC\",\"instrument_name\":\"BTC-25MAR23\",\"price\":27512.3456,"
                      "\"position\":1000,\"change\":0.001,\"cashflow\":0.001,\"commission\":0.00000909,"
                      "\"interest_pl\":null,\"id\":77},{\"type\":\"settlement\",\"timestamp\":1679644800000,"
                      "\"currency\":\"BTC\",\"instrument_name\":\"BTC-25MAR23\",\"price\":27000,"
                      "\"change\":0.002,\"interest_pl\":null,\"id\":76}],\"continuation\":null}}"),
                 REST_OK);
    cr_assert_eq(clerk->desk->record_count, 2, "the settlement of a future pays no funding");
    const struct record_delivery *delivery =
        (const struct record_delivery *)(const void *)clerk->desk->records[0];
    cr_assert_eq(delivery->head.type, RECORD_DELIVERY);
    cr_assert_eq(delivery->head.instrument, index);
    cr_assert_eq(delivery->price_e8, 2751234560000);
    const struct record_balance *fee = (const struct record_balance *)(const void *)clerk->desk->records[1];
    cr_assert_eq(fee->reason, CASH_FEE);
    cr_assert_eq(fee->change_e8, -909);
    cr_assert_eq(fee->row, record_row_id("77", 2));
}
