#include "config/config.h"

#include "ring/decimal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config config;
static struct instrument_table instruments;
static struct account_table accounts;

static void go_home(void)
{
    cr_assert_eq(chdir(POISE_SOURCE_DIR "/tests/config"), 0);
}

/* The smallest file that is right; %s is put at the end of [risk], of [[quote]] and of the file. */
static const char *const small =
    "[engine]\nmode = \"paper\"\n"
    "[risk]\nmax_order = 1000\nmax_position = 1\nmax_delta = 0.1\nmax_loss = 0\n%s\n"
    "[[account]]\nname = \"a\"\nvenue = \"binance\"\nproduct = \"inverse\"\n"
    "[[account]]\nname = \"b\"\nvenue = \"binance\"\nproduct = \"linear\"\n"
    "[[quote]]\nname = \"q\"\nquote_leg = \"binance.inverse.BTCUSD_PERP\"\n"
    "quote_account = \"a\"\nhedge_leg = \"binance.linear.BTCUSDT\"\n"
    "hedge_account = \"b\"\nsize = 5\nmax_inventory = 50\nmin_profit_bp = 0.5\n"
    "max_naked = 0.05\n%s\n%s\n";

static bool load(const char *risk, const char *quote, const char *end, const char *const *overrides)
{
    char path[] = "/tmp/poise-config-XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    FILE *out = fdopen(file, "w");
    fprintf(out, small, risk, quote, end);
    fclose(out);
    bool good = config_load(&config, path, overrides);
    unlink(path);
    return good;
}

static void expect_loads(const char *risk, const char *quote, const char *end)
{
    bool good = load(risk, quote, end, NULL);
    cr_expect(good, "%s", config.fault[0].text);
}

/* That exactly one fault was told, and that it contains the words. */
static void expect_fault(const char *words)
{
    cr_expect_eq(config.fault_count, 1, "%u faults, first: %s", config.fault_count, config.fault[0].text);
    cr_expect_not_null(strstr(config.fault[0].text, words), "\"%s\" is not in: %s", words,
                       config.fault[0].text);
}

Test(config, all_faults_are_told_at_once_in_the_order_of_the_file, .init = go_home)
{
    FILE *golden = fopen("faults.txt", "re");
    char line[512];
    uint32_t at = 0;

    cr_assert_not_null(golden);
    cr_expect_not(config_load(&config, "faults.toml", NULL));
    while (fgets(line, sizeof line, golden) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        cr_assert_lt(at, config.fault_count);
        cr_expect_str_eq(config.fault[at].text, line);
        at++;
    }
    cr_expect_eq(at, config.fault_count);
    fclose(golden);
    config_free(&config);
}

Test(config, decimals_are_exact_to_the_last_digit)
{
    expect_loads("price_band_bp = 70.29",
                 "hedge_cost_bp = 0.29\nallocation = 9007199254.74099301\n"
                 "hedge_min = \"0.00000001\"\nskew_bp = \"0.1\"\nrequote_min_ms = 0.000001",
                 "");
    /* 70.29 x 100 is 7028.999... in a double, and the coin amount needs 60 bits. */
    cr_expect_eq(config.risk.price_band_centibp, 7029);
    cr_expect_eq(config.quote[0].params.hedge_cost_centibp, 29);
    cr_expect_eq(config.quote[0].params.allocation_e8, 900719925474099301);
    cr_expect_eq(config.quote[0].params.hedge_min_e8, 1);
    cr_expect_eq(config.quote[0].params.skew_centibp, 10);
    cr_expect_eq(config.quote[0].params.requote_min_ns, 1);
    cr_expect_eq(config.quote[0].params.min_profit_centibp, 50);
    config_free(&config);
}

Test(config, units_are_the_engines)
{
    expect_loads("max_naked_ms = 1500\nstale_clock_ms = 10",
                 "hedge_timeout_ms = 12.5\nsides = \"ask\"\nlevels = 3", "");
    cr_expect_eq(config.quote[0].params.hedge_timeout_ns, 12500000);
    cr_expect_eq(config.quote[0].params.sides, 2);
    cr_expect_eq(config.quote[0].params.levels, 3);
    cr_expect_eq(config.risk.stale_clock_ns, 10000000);
    cr_expect_eq(config.clock_tick_ns, 1000000);
    cr_expect_eq(config.account[1].row.product, PRODUCT_LINEAR);
    cr_expect_eq(config.account[0].maker_centibp, INT64_MIN);
    cr_expect_eq(config.core_cold, -2);
    cr_expect_eq(config.quote[0].params.max_naked_ns, 1500000000, "an instance inherits the engine's");
    cr_expect_eq(config.instrument_count, 2);
    cr_expect_str_eq(config.instrument[1].symbol, "BTCUSDT");
    cr_expect_eq(config.instrument[0].product, PRODUCT_INVERSE);
    config_free(&config);
}

Test(config, overrides_stand_over_the_file_and_in_the_journaled_text)
{
    const char *overrides[] = { "risk.max_order=2500.5",
                                "quote.q.size=7",
                                "quote[0].enabled=false",
                                "account.b.taker_bp=4.5",
                                "engine.state_dir=\"x y\"",
                                "venue.binance.ca_file=a.pem",
                                NULL };
    cr_expect(load("", "", "", overrides), "%s", config.fault[0].text);
    cr_expect_eq(config.risk.max_order_e8, 250050000000);
    cr_expect_str_eq(config.quote[0].size, "7");
    cr_expect_eq(config.quote[0].params.enabled, 0);
    cr_expect_eq(config.account[1].taker_centibp, 450);
    cr_expect_str_eq(config.state_dir, "x y");
    cr_expect_str_eq(config.venue[0].ca_file, "a.pem");
    cr_expect_not_null(strstr(config.text, "# override quote.q.size=7\n"));
    cr_expect_eq(strlen(config.text), config.text_bytes);
    config_free(&config);
}

struct fault_case {
    const char *override;
    const char *words;
};

Test(config, a_wrong_override_is_a_fault_like_any_other)
{
    static const struct fault_case cases[] = {
        { "risk.max_ordr=1", "override: risk.max_ordr: unknown key: did you mean risk.max_order?" },
        { "quote.z.size=1", "there is no [[quote]] called z" },
        { "quote[1].size=1", "there is no such [[quote]]" },
        { "risk.max_order", "must be SECTION.KEY=VALUE" },
        { "nothing=1", "unknown section" },
        { "risk.max_order=much", "risk.max_order = \"much\": must be 0.00000001 to 1000000000" },
        { "venue.binanc.ca_file=x", "did you mean binance?" },
        { "cores.yield=maybe", "must be true or false" },
        { "engine.mode=live", "--live" },
    };

    for (size_t i = 0; i < POISE_COUNT_OF(cases); i++) {
        const char *overrides[] = { cases[i].override, "account.a.key_file=k", "account.b.key_file=k", NULL };
        cr_expect_not(load("", "", "", overrides));
        expect_fault(cases[i].words);
        config_free(&config);
    }
}

Test(config, live_must_be_named_by_a_person_and_takes_no_fixed_rate)
{
    const char *overrides[] = { "engine.mode=live", "account.a.key_file=k", "account.b.key_file=k", "--live",
                                NULL };
    const char *rate = "[[convert]]\nfrom = \"USDT\"\nto = \"USD\"\nfixed = \"1\"";

    cr_expect(load("", "", "", overrides), "%s", config.fault[0].text);
    cr_expect_eq(config.mode, MODE_LIVE);
    config_free(&config);
    cr_expect_not(load("", "", rate, overrides));
    expect_fault("refused in live");
    config_free(&config);
}

Test(config, a_venue_with_one_login_has_accounts_for_all_products_and_others_have_none)
{
    static const char *const deribit =
        "[[account]]\nname = \"d\"\nvenue = \"deribit\"\nproduct = \"%s\"\n%s\n"
        "[[quote]]\nname = \"r\"\nquote_leg = \"deribit.inverse.BTC-PERPETUAL\"\nquote_account = \"d\"\n"
        "hedge_leg = \"deribit.linear.BTC_USDC-PERPETUAL\"\nhedge_account = \"d\"\nsize = 10\n"
        "max_inventory = 50\nmin_profit_bp = 0.5\nmax_naked = 0.05\n";
    char end[1024];

    snprintf(end, sizeof end, deribit, "all", "");
    expect_loads("", "", end);
    const struct account *row = &config.account[2].row;
    cr_expect_eq(row->product, PRODUCT_ALL);
    cr_expect(account_trades(row, VENUE_DERIBIT, PRODUCT_OPTION));
    cr_expect_not(account_trades(row, VENUE_BINANCE, PRODUCT_OPTION));
    cr_expect_eq(row->credit[CREDIT_TRADE].burst, 20, "the least the venue gives");
    cr_expect_eq(row->credit[CREDIT_TRADE].rate_e3, 5000);
    cr_expect_eq(row->credit[CREDIT_SUBSCRIBE].burst, 3);
    cr_expect_eq(config.account[0].row.credit[CREDIT_TRADE].burst, 0, "binance counts in windows");
    cr_expect(account_trades(&config.account[0].row, VENUE_BINANCE, PRODUCT_INVERSE));
    cr_expect_not(account_trades(&config.account[0].row, VENUE_BINANCE, PRODUCT_LINEAR));
    config_free(&config);

    snprintf(end, sizeof end, deribit, "all", "trade_burst = 100\ntrade_rate_s = 30");
    expect_loads("", "", end);
    cr_expect_eq(config.account[2].row.credit[CREDIT_TRADE].burst, 100);
    cr_expect_eq(config.account[2].row.credit[CREDIT_TRADE].rate_e3, 30000);
    cr_expect_eq(config.account[2].row.credit[CREDIT_QUERY].burst, 40);
    config_free(&config);

    snprintf(end, sizeof end, deribit, "all", "trade_burst = 100");
    cr_expect_not(load("", "", end, NULL));
    expect_fault("trade_burst and trade_rate_s go together");
    config_free(&config);

    snprintf(end, sizeof end, deribit, "inverse", "");
    cr_expect_not(load("", "", end, NULL));
    cr_expect_not_null(strstr(config.fault[0].text, "account.d.product = \"inverse\": must be \"all\""), "%s",
                       config.fault[0].text);
    config_free(&config);

    cr_expect_not(load("", "", "[[account]]\nname = \"c\"\nvenue = \"binance\"\nproduct = \"all\"\n", NULL));
    expect_fault("binance has a login for each product");
    config_free(&config);
    cr_expect_not(load("", "",
                       "[[account]]\nname = \"c\"\nvenue = \"binance\"\nproduct = \"spot\"\nquery_burst = "
                       "5\nquery_rate_s = 1\n",
                       NULL));
    expect_fault("binance counts no such credits");
    config_free(&config);
    cr_expect_not(load("",
                       "max_naked_ms = 250\nsecond_leg = \"deribit.all.BTC-PERPETUAL\"\nsecond_account = "
                       "\"a\"",
                       "", NULL));
    expect_fault("product must be one of spot, linear, inverse, option");
    config_free(&config);
}

Test(config, kinds_that_no_strategy_trades_are_refused_before_anything_starts)
{
    static const char *const legs[] = { "deribit.option.BTC-27NOV26-60000-C", "alpaca.spot.IBIT",
                                        "thena.spot.BTCB-USDT" };
    for (size_t i = 0; i < POISE_COUNT_OF(legs); i++) {
        char more[160];
        snprintf(more, sizeof more, "max_naked_ms = 250\nsecond_leg = \"%s\"\nsecond_account = \"a\"",
                 legs[i]);
        cr_expect_not(load("", more, "", NULL));
        expect_fault("no strategy trades it yet");
        config_free(&config);
    }
}

Test(config, a_simulated_venue_has_an_address_and_a_real_one_none)
{
    const char *sim[] = { "engine.mode=sim", "account.a.key_file=k", "account.b.key_file=k", NULL };
    const char *paper[] = { "venue.binance.connect_to=127.0.0.1:9443", NULL };

    cr_expect_not(load("", "", "", sim));
    expect_fault("venue.binance.connect_to is missing");
    config_free(&config);
    cr_expect_not(load("", "", "", paper));
    expect_fault("only in mode sim");
    config_free(&config);
    expect_loads("", "", "");
    config_free(&config);
    const char *both[] = { "engine.mode=sim", "account.a.key_file=k", "account.b.key_file=k",
                           "venue.binance.connect_to=[::1]:9443", NULL };
    cr_expect(load("", "", "", both), "%s", config.fault[0].text);
    config_free(&config);
}

Test(config, a_file_that_is_not_there_or_not_toml_is_one_fault, .init = go_home)
{
    cr_expect_not(config_load(&config, "nowhere.toml", NULL));
    expect_fault("nowhere.toml: cannot be opened: No such file");
    config_free(&config);
    cr_expect_not(load("max_order = 3", "", "", NULL));
    expect_fault(":8: not TOML");
    config_free(&config);
}

Test(config, more_faults_than_are_kept_are_still_counted)
{
    char many[4096] = "";
    for (int i = 0; i < CONFIG_FAULTS_MAX + 10; i++) {
        snprintf(many + strlen(many), sizeof many - strlen(many), "zz%d = 1\n", i);
    }
    cr_expect_not(load(many, "", "", NULL));
    cr_expect_eq(config.fault_count, CONFIG_FAULTS_MAX + 10);
    config_free(&config);
}

Test(config, the_print_names_the_line_of_every_value, .init = go_home)
{
    char *text = NULL;
    size_t bytes = 0;
    const char *overrides[] = { "risk.max_loss=5.10", NULL };

    cr_assert_eq(chdir(POISE_SOURCE_DIR), 0);
    cr_assert(config_load(&config, "config/demo.toml", overrides));
    FILE *out = open_memstream(&text, &bytes);
    config_print(&config, out, true);
    fclose(out);
    cr_expect_not_null(strstr(text, "{\"key\":\"risk.max_loss\",\"value\":\"5.1\",\"source\":\"override\""));
    cr_expect_not_null(
        strstr(text, "{\"key\":\"engine.mode\",\"value\":\"sim\",\"source\":\"config/demo.toml:8\""));
    cr_expect_not_null(strstr(text, "{\"key\":\"risk.max_unknown\",\"value\":\"3\",\"source\":\"default\""));
    cr_expect_not_null(strstr(text, "{\"key\":\"quote.btc.min_profit_bp\",\"value\":\"-8\""));
    free(text);
    config_free(&config);
}

/* A slip of the finger anywhere in the file ends in faults or in another value, never in a crash. */
Test(config, any_byte_of_the_file_may_be_wrong)
{
    static char text[1 << 16];
    char path[] = "/tmp/poise-config-XXXXXX";
    uint64_t seed = 20240808;
    uint32_t refused = 0;

    FILE *file = fopen(POISE_SOURCE_DIR "/config/demo.toml", "re");
    cr_assert_not_null(file);
    size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    int out = mkstemp(path);
    cr_assert_geq(out, 0);
    for (int round = 0; round < 600; round++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t at = (size_t)(seed >> 33) % bytes;
        char before = text[at];
        text[at] = round % 3 == 0 ? (char)(seed >> 20) : "\n=[]\"'.-#09ez"[(seed >> 24) % 13];
        cr_assert_eq(pwrite(out, text, bytes, 0), (ssize_t)bytes);
        bool good = config_load(&config, path, NULL);
        cr_expect_eq(good, config.fault_count == 0);
        refused += !good;
        config_free(&config);
        text[at] = before;
    }
    cr_expect(refused > 100 && refused < 600, "%u refused", refused);
    close(out);
    unlink(path);
}

/* ------------------------------------------------------------------ binding */

static void add_instrument(const char *name, enum product product, enum instrument_kind kind,
                           const char *base, const char *quote, const char *settle, int64_t contract_e8,
                           int qty_decimals, int64_t lot)
{
    struct instrument row = {
        .venue = VENUE_BINANCE,
        .product = (uint8_t)product,
        .kind = (uint8_t)kind,
        .status = INSTRUMENT_TRADING,
        .price_decimals = 1,
        .qty_decimals = (uint8_t)qty_decimals,
        .tick = 1,
        .lot = lot,
        .min_qty = lot,
        .max_qty = 1000 * lot,
        .contract_e8 = contract_e8,
        .base = currency_find(&instruments, base, strlen(base), true),
        .quote = currency_find(&instruments, quote, strlen(quote), true),
        .settle = currency_find(&instruments, settle, strlen(settle), true),
    };
    snprintf(row.name, sizeof row.name, "%s", name);
    snprintf(row.symbol, sizeof row.symbol, "%s", strrchr(name, '.') + 1);
    cr_assert_neq(instrument_add(&instruments, &row), UINT16_MAX);
}

static void make_instruments(const char *hedge_base)
{
    instrument_table_reset(&instruments);
    memset(&accounts, 0, sizeof accounts);
    add_instrument("binance.linear.BTCUSDT", PRODUCT_LINEAR, KIND_LINEAR_PERPETUAL, hedge_base, "USDT",
                   "USDT", DECIMAL_E8, 3, 1);
    add_instrument("binance.inverse.BTCUSD_PERP", PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, "BTC", "USD",
                   "BTC", 100 * DECIMAL_E8, 0, 1);
    add_instrument("binance.spot.USDTUSD", PRODUCT_SPOT, KIND_SPOT, "USDT", "USD", "USD", DECIMAL_E8, 2, 1);
}

static const char *const usdt = "[[convert]]\nfrom = \"USDT\"\nto = \"USD\"\nfixed = 1";

Test(config, binding_gives_units_and_indexes)
{
    make_instruments("BTC");
    cr_assert(load("", "target_inventory = \"-3\"", usdt, NULL));
    cr_expect(config_bind(&config, &instruments, &accounts), "%s", config.fault[0].text);

    const struct quote_params *params = &config.quote[0].params;
    cr_expect_eq(params->size, 5);
    cr_expect_eq(params->max_inventory, 50);
    cr_expect_eq(params->target_inventory, -3);
    cr_expect_eq(params->quote_instrument, 1);
    cr_expect_eq(params->hedge_instrument, 0);
    cr_expect_eq(params->second_instrument, NO_INSTRUMENT);
    cr_expect_eq(params->quote_account, 0);
    cr_expect_eq(params->hedge_account, 1);
    cr_expect_eq(params->second_account, NO_ACCOUNT);
    cr_expect_eq(accounts.count, 2);
    cr_expect_str_eq(accounts.row[1].name, "b");
    cr_expect_str_eq(currency_code(&instruments, config.risk.report_currency), "USD");
    config_free(&config);
}

struct bind_case {
    const char *risk, *quote, *end, *hedge_base, *words;
};

Test(config, binding_refuses_what_the_instrument_cannot_do)
{
    static const struct bind_case cases[] = {
        { "", "", "", "BTC", "needs a [[convert]] from USDT to USD" },
        { "", "", "[[convert]]\nfrom = \"USDC\"\nto = \"USD\"\nfixed = 1", "BTC", "from USDT to USD" },
        { "", "", usdt, "ETH", "its coin is ETH and the quoted leg's is BTC" },
        { "", "levels = 5\nsize_step_percent = 100", usdt, "BTC", "exceeds risk.max_order = 1000" },
        { "", "target_inventory = 2.5", usdt, "BTC", "= 2.5: must be a multiple of 1, the lot of" },
        { "", "", "[[convert]]\nfrom = \"USDT\"\nto = \"USD\"\ninstrument = \"binance.spot.USDTEUR\"", "BTC",
          "lists no such instrument" },
        { "", "", "[[convert]]\nfrom = \"USD\"\nto = \"USDT\"\ninstrument = \"binance.spot.USDTUSD\"", "BTC",
          "is the price of USDT in USD, not of USD in USDT" },
    };

    for (size_t i = 0; i < POISE_COUNT_OF(cases); i++) {
        make_instruments(cases[i].hedge_base);
        cr_assert(load(cases[i].risk, cases[i].quote, cases[i].end, NULL), "%s", config.fault[0].text);
        cr_expect_not(config_bind(&config, &instruments, &accounts));
        expect_fault(cases[i].words);
        config_free(&config);
    }
}

Test(config, conversions_may_lead_over_a_third_currency)
{
    make_instruments("BTC");
    cr_assert(load("", "",
                   "[[convert]]\nfrom = \"USDC\"\nto = \"USDT\"\nfixed = 1\n"
                   "[[convert]]\nfrom = \"USDC\"\nto = \"USD\"\nfixed = 1",
                   NULL));
    cr_expect(config_bind(&config, &instruments, &accounts), "%s", config.fault[0].text);
    config_free(&config);
}
