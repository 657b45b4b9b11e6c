/* Keys and signatures, against what the venue's documents and recorded clients say. */
#include "tests/venues/support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void expect_signature(const struct sign_key *key, const char *text, const char *signature)
{
    char out[SIGN_BASE64_BYTES + 1];
    memset(out, 0, sizeof out);
    size_t bytes = sign_text(key, text, strlen(text), out);
    cr_assert_eq(bytes, strlen(signature));
    cr_assert_str_eq(out, signature, "of %s", text);
}

static void key_of(const json_t *credentials, const char *auth, struct sign_key *key)
{
    const json_t *row = json_object_get(credentials, auth);
    const char *api_key = json_string_value(json_object_get(row, "apiKey"));
    const char *secret = json_string_value(json_object_get(row, "secret"));
    if (secret != NULL) {
        cr_assert(sign_key_hmac(key, api_key, secret, strlen(secret)));
        return;
    }
    /* the PKCS#8 form must give the same key as the seed */
    char pem[512];
    snprintf(pem, sizeof pem, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n",
             json_string_value(json_object_get(row, "private_key_pkcs8_der_base64")));
    cr_assert(sign_key_pem(key, api_key, pem, strlen(pem)));
    unsigned char seed[32];
    struct sign_key by_seed;
    const char *hex = json_string_value(json_object_get(row, "seed_hex"));
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        seed[i] = (unsigned char)byte;
    }
    cr_assert(sign_key_ed25519(&by_seed, api_key, seed));
    cr_assert_arr_eq(by_seed.secret, key->secret, sizeof key->secret);
}

Test(sign, every_recorded_client_signature_comes_out)
{
    struct file file;
    json_error_t error;
    cr_assert(file_read(&file, "vectors/binance.json"));
    json_t *all = json_loadb(file.text, file.bytes, 0, &error);
    cr_assert_not_null(all);
    size_t i, count = 0;
    json_t *item;
    json_array_foreach(json_object_get(all, "cases"), i, item)
    {
        struct sign_key key;
        key_of(json_object_get(all, "credentials"), json_string_value(json_object_get(item, "auth")), &key);
        expect_signature(&key, json_string_value(json_object_get(item, "sign_payload")),
                         json_string_value(json_object_get(item, "signature")));
        count++;
    }
    cr_assert_eq(count, 31);
    json_decref(all);
    file_free(&file);
}

Test(sign, the_documented_samples_come_out)
{
    static const char secret[] = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    struct sign_key key;
    cr_assert(sign_key_hmac(&key, "k", secret, strlen(secret)));
    expect_signature(&key,
                     "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&"
                     "timestamp=1499827319559",
                     "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
    expect_signature(&key,
                     "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00&"
                     "quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&"
                     "timestamp=1645423376532&type=LIMIT",
                     "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24");
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\r\nMC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+\r\n"
                              "qa8WEf0lQOl1s4CLIAB9m89u\r\n-----END PRIVATE KEY-----\r\n";
    cr_assert(sign_key_pem(&key, "k", pem, strlen(pem)));
    expect_signature(
        &key, "A\001EXAMPLE\001SPOT\0011\00120240627-11:17:25.223",
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA==");
    expect_signature(
        &key,
        "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1649729878532",
        "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag==");
}

Test(sign, what_is_no_key_is_refused)
{
    struct sign_key key;
    char long_key[SIGN_API_KEY_BYTES + 1];
    memset(long_key, 'k', sizeof long_key);
    long_key[SIGN_API_KEY_BYTES] = '\0';
    cr_assert_not(sign_key_hmac(&key, long_key, "s", 1));
    cr_assert_not(sign_key_hmac(&key, "k", "", 0));
    cr_assert_not(sign_key_pem(&key, "k", "", 0));
    static const char *const pems[] = {
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0l-----END PRIVATE "
        "KEY-----",
        /* an elliptic curve that is not this one */
        "-----BEGIN PRIVATE KEY-----MC4CAQAwBQYDK2VuBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u-----END "
        "PRIVATE "
        "KEY-----",
    };
    for (size_t i = 0; i < POISE_COUNT_OF(pems); i++) {
        cr_assert_not(sign_key_pem(&key, "k", pems[i], strlen(pems[i])), "%s", pems[i]);
    }
}

Test(sign, a_prefix_hashed_before_changes_no_signature)
{
    struct sign_key key;
    struct sign_prefix prefix;
    char text[300], plain[SIGN_BASE64_BYTES], after[SIGN_BASE64_BYTES];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('!' + i * 7 % 90);
    }
    cr_assert(sign_key_hmac(&key, "api", "secret", 6));
    for (size_t common = 0; common < 200; common++) {
        sign_prefix(&prefix, &key, text, common);
        cr_assert_eq(prefix.bytes, common / 64 * 64);
        for (size_t bytes = common; bytes < sizeof text; bytes += 1 + bytes % 5) {
            cr_assert_eq(sign_text(&key, text, bytes, plain), SIGN_HEX_BYTES);
            cr_assert_eq(sign_text_after(&key, &prefix, text, bytes, after), SIGN_HEX_BYTES);
            cr_assert_arr_eq(plain, after, SIGN_HEX_BYTES, "%zu of %zu bytes", common, bytes);
        }
    }
    /* keys that hash nothing have no prefix, and no key is no reason to stop */
    unsigned char seed[32] = { 1 };
    cr_assert(sign_key_ed25519(&key, "api", seed));
    sign_prefix(&prefix, &key, text, 200);
    cr_assert_eq(prefix.bytes, 0);
    cr_assert_eq(sign_text(&key, text, 250, plain), SIGN_BASE64_BYTES);
    cr_assert_eq(sign_text_after(&key, &prefix, text, 250, after), SIGN_BASE64_BYTES);
    cr_assert_arr_eq(plain, after, SIGN_BASE64_BYTES);
    cr_assert_eq(sign_text_after(&key, NULL, text, 250, after), SIGN_BASE64_BYTES);
    sign_prefix(&prefix, NULL, text, 200);
    cr_assert_eq(prefix.bytes, 0);
}

Test(sign, a_wiped_key_holds_nothing)
{
    struct sign_key key;
    struct sign_key zero = { 0 };
    cr_assert(sign_key_hmac(&key, "api", "secret", 6));
    sign_wipe(&key);
    cr_assert_arr_eq((unsigned char *)&key, (unsigned char *)&zero, sizeof key);
}

Test(sign, a_secret_longer_than_a_block_is_hashed_first)
{
    char secret[131];
    struct sign_key key;
    memset(secret, 0xaa, sizeof secret);
    cr_assert(sign_key_hmac(&key, "k", secret, sizeof secret));
    /* RFC 4231, case 6 */
    expect_signature(&key, "Test Using Larger Than Block-Size Key - Hash Key First",
                     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
