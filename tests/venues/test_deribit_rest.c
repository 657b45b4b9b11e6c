/* Questions by HTTP: what is asked, how it is signed, and what the answers become. */
#include "tests/venues/support.h"
#include "venues/deribit/request.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WALL_NS 1700000000000000000LL

struct clerk {
    struct instrument_table table;
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
    cr_assert(sign_key_hmac(&clerk->key, "the-key", "the-secret", 10));
    clerk->out.body = clerk->body;
    clerk->out.body_capacity = sizeof clerk->body;
    clerk->answer.instruments = &clerk->table;
    clerk->answer.account = 3;
    clerk->answer.instrument = on_row;
    clerk->answer.instrument_context = clerk;
    return clerk;
}

static const char *ask(struct clerk *clerk, enum rest_what what)
{
    clerk->query.what = (uint8_t)what;
    if (!deribit_rest.request(&clerk->key, &clerk->table, &clerk->query, WALL_NS, &clerk->out)) {
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
