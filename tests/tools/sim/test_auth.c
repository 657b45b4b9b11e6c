/* Signatures against the venue page's vectors, and the time rule at its edges. */
#include "tools/sim/binance/bn_state.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct bn_key hmac_key(const char *secret)
{
    struct bn_key key = { 0 };

    strcpy(key.secret, secret);
    return key;
}

static struct bn_key ed25519_key(const char *hex)
{
    struct bn_key key = { 0 };
    unsigned char raw[32];

    for (int i = 0; i < 32; i++) {
        unsigned int byte;
        cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        raw[i] = (unsigned char)byte;
    }
    key.public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof raw);
    cr_assert_not_null(key.public_key);
    return key;
}

#define SECRET  "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
#define API_KEY "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"

Test(auth, rest_text_is_query_and_body_as_sent_without_the_signature)
{
    struct bn_key key = hmac_key(SECRET);
    struct sim_text text = { 0 };
    const char *signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
    const char *query =
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&"
        "timestamp=1499827319559&signature=x";

    bn_auth_rest_text(&text, query, "", 0);
    cr_assert(bn_auth_check(&key, text.data, text.length, signature));
    cr_assert(bn_auth_check(&key, text.data, text.length,
                            "C8DB56825AE71D6D79447849E617115F4A920FA2ACDCAB2B053C4B2838BD6B71"),
              "hex in either case");
    cr_assert_not(bn_auth_check(&key, text.data, text.length - 1, signature), "one byte less");

    /* query and body are joined with nothing between them */
    bn_auth_rest_text(&text, "symbol=LTCBTC&side=BUY", "type=LIMIT&signature=y&price=1", 30);
    cr_assert_str_eq(text.data, "symbol=LTCBTC&side=BUYtype=LIMIT&price=1");
    bn_auth_rest_text(&text, "a=%5B%7B%7D%5D", "", 0);
    cr_assert_str_eq(text.data, "a=%5B%7B%7D%5D", "percent-encoding is signed as sent");
    sim_text_free(&text);
}

Test(auth, socket_text_is_sorted_by_name)
{
    struct bn_key key = hmac_key(SECRET);
    struct sim_text text = { 0 };
    struct bn_param params[] = {
        { "symbol", "BTCUSDT" },    { "side", "SELL" },
        { "type", "LIMIT" },        { "timeInForce", "GTC" },
        { "price", "52000.00" },    { "quantity", "0.01000000" },
        { "recvWindow", "100" },    { "timestamp", "1645423376532" },
        { "signature", "ignored" }, { "apiKey", API_KEY },
    };
    struct bn_param cancel[] = { { "timestamp", "1660801715830" },
                                 { "symbol", "BTCUSDT" },
                                 { "origClientOrderId", "4d96324ff9d44481926157" },
                                 { "apiKey", API_KEY } };

    bn_auth_socket_text(&text, params, 10);
    cr_assert(bn_auth_check(&key, text.data, text.length,
                            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"));
    bn_auth_socket_text(&text, cancel, 4);
    cr_assert(bn_auth_check(&key, text.data, text.length,
                            "33d5b721f278ae17a52f004a82a6f68a70c68e7dd6776ed0be77a455ab855282"));
    sim_text_free(&text);
}

Test(auth, ed25519)
{
    struct bn_key key = ed25519_key("19420abfd752a565c15625e9da6eaf0086fc40c14960183214442c14996a800d");
    static const char sample[] = "A\x01"
                                 "EXAMPLE\x01"
                                 "SPOT\x01"
                                 "1\x01"
                                 "20240627-11:17:25.223";
    const char *logon =
        "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1649729878532";
    const char *signature =
        "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag==";

    cr_assert(bn_auth_check(
        &key, sample, sizeof sample - 1,
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="));
    cr_assert(bn_auth_check(&key, logon, strlen(logon), signature));
    cr_assert_not(bn_auth_check(&key, logon, strlen(logon) - 1, signature));
    cr_assert_not(bn_auth_check(&key, logon, strlen(logon), "short"));
    EVP_PKEY_free(key.public_key);
}

Test(auth, the_time_rule_at_its_edges)
{
    const int64_t server = INT64_C(1786522906946) * 1000000;
    bool ahead;

    cr_assert_eq(bn_auth_time("1786522906946", NULL, server, &ahead), 0);
    cr_assert_eq(bn_auth_time("1786522901946", NULL, server, &ahead), 0, "exactly 5000 ms old");
    cr_assert_eq(bn_auth_time("1786522901945", NULL, server, &ahead), -1021);
    cr_assert_not(ahead);
    cr_assert_eq(bn_auth_time("1786522907945", NULL, server, &ahead), 0, "999 ms ahead");
    cr_assert_eq(bn_auth_time("1786522907946", NULL, server, &ahead), -1021);
    cr_assert(ahead);
    cr_assert_eq(bn_auth_time("1786522906846", "100", server, &ahead), 0);
    cr_assert_eq(bn_auth_time("1786522906845", "100", server, &ahead), -1021);
    cr_assert_eq(bn_auth_time("1786522906946000", NULL, server, &ahead), 0, "microseconds");
    cr_assert_eq(bn_auth_time(NULL, NULL, server, &ahead), -1102);
    cr_assert_eq(bn_auth_time("soon", NULL, server, &ahead), -1102);
    cr_assert_eq(bn_auth_time("1786522906946", "60001", server, &ahead), -1131);
    cr_assert_eq(bn_auth_time("1786522906946", "6.125", server, &ahead), 0, "three decimals");
}

Test(auth, percent_decoding)
{
    char text[] = "p%2Bq%20r+s%5B%zz";

    bn_auth_decode(text);
    cr_assert_str_eq(text, "p+q r s[%zz");
}

/* Requests of real clients, recorded: each carries a signature that must hold. */
Test(auth, recorded_requests_of_clients)
{
    char path[1024];
    const char *folder = getenv("POISE_SHARED");
    int checked = 0;
    size_t i;
    json_t *one;

    snprintf(path, sizeof path, "%s%s/venues/vectors/binance.json",
             folder != NULL ? folder : POISE_SOURCE_DIR, folder != NULL ? "" : "/../shared");
    json_t *root = json_load_file(path, 0, NULL);
    if (root == NULL) {
        cr_skip_test("skipped: %s is not there (set POISE_SHARED)", path);
    }
    const json_t *credentials = json_object_get(root, "credentials");
    struct bn_key hmac =
        hmac_key(json_string_value(json_object_get(json_object_get(credentials, "hmac"), "secret")));
    struct bn_key ed = ed25519_key(
        json_string_value(json_object_get(json_object_get(credentials, "ed25519"), "public_key_hex")));

    json_array_foreach(json_object_get(root, "cases"), i, one)
    {
        const char *transport = json_string_value(json_object_get(one, "transport"));
        const char *auth = json_string_value(json_object_get(one, "auth"));
        const char *query = json_string_value(json_object_get(one, "query"));
        const char *body = json_string_value(json_object_get(one, "body"));
        const char *signature = json_string_value(json_object_get(one, "signature"));

        if (transport == NULL || strcmp(transport, "rest") != 0 || signature == NULL || query == NULL) {
            continue;
        }
        struct sim_text text = { 0 };
        char decoded[256];
        snprintf(decoded, sizeof decoded, "%s", signature);
        if (strchr(decoded, '%') != NULL) {
            bn_auth_decode(decoded);
        }
        bn_auth_rest_text(&text, query, body == NULL ? "" : body, body == NULL ? 0 : strlen(body));
        cr_expect(bn_auth_check(strcmp(auth, "ed25519") == 0 ? &ed : &hmac, text.data, text.length, decoded),
                  "%s", json_string_value(json_object_get(one, "id")));
        sim_text_free(&text);
        checked++;
    }
    cr_assert_gt(checked, 20, "%d", checked);
    EVP_PKEY_free(ed.public_key);
    json_decref(root);
}
