/* poise sign: texts beyond what the recorded vectors hold.  The expected signatures were made by node's
 * crypto. */
#include "tests/tools/poise/lines.h"
#include "tools/poise/commands.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char out[LINES_BYTES], words[256], path[64];

static void key(const char *venue)
{
    strcpy(path, "/tmp/poise-sign-XXXXXX");
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    dprintf(file, "api_key = \"AMANDA\"\napi_secret = \"AMANDASECRECT\"\n");
    close(file);
    snprintf(words, sizeof words, "sign %s --key %s --time 1732147200123000000", venue, path);
}

static void sign(const char *line)
{
    cr_assert_eq(lines_of(sign_main, words, line, out), EXIT_DONE, "%s", out);
}

static void has(const char *text)
{
    cr_assert_not_null(strstr(out, text), "%s is not in\n%s", text, out);
}

/* escape writes a text as JSON has it inside a string. */
static const char *escape(const char *text)
{
    static char escaped[4096];
    size_t n = 0;
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            escaped[n++] = '\\';
        }
        escaped[n++] = *text;
    }
    escaped[n] = '\0';
    return escaped;
}

Test(sign, a_body_of_json_inside_json_is_signed_whole)
{
    char line[4096], body[1024];
    size_t n = (size_t)snprintf(body, sizeof body, "batchOrders=[");
    for (int i = 0; i < 5; i++) {
        n += (size_t)snprintf(
            body + n, sizeof body - n,
            "%s{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\",\"price\":\"1.%d\",\"newClientOrderId\":\"a/b:%d\"}",
            i == 0 ? "" : ",", i, i);
    }
    snprintf(body + n, sizeof body - n, "]&timestamp=1");
    key("binance");
    snprintf(line, sizeof line, "{\"method\":\"POST\",\"path\":\"/fapi/v1/batchOrders\",\"body\":\"%s\"}\n",
             escape(body));
    sign(line);
    has("\"signature\":\"0beb1edb239d8d1ce6f7cfb2900c114003aad49df8c8bbf31561308ecba78f29\"");
    unlink(path);

    key("deribit");
    snprintf(
        line, sizeof line,
        "{\"method\":\"POST\",\"path\":\"/api/v2/private/buy\",\"nonce\":\"n\",\"timestamp\":5,"
        "\"body\":\"%s\"}\n",
        escape("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"private/buy\",\"params\":{\"instrument_name\":"
               "\"BTC-PERPETUAL\",\"amount\":100,\"type\":\"limit\",\"price\":61234.5,\"label\":"
               "\"\xc3\xa9\\\"x\",\"time_in_force\":\"good_til_cancelled\",\"post_only\":true,"
               "\"reject_post_only\":true,\"reduce_only\":false,\"valid_until\":1732147290123}}"));
    sign(line);
    has("\"signature\":\"5887cf7b4778db3f585ef85aabb698a86a80413e536e04bdaa3de08e511bcb45\"");
    unlink(path);
}

Test(sign, long_parameters_with_escapes_are_signed_as_what_they_mean)
{
    char line[4096], data[2048] = "";
    key("binance");
    for (int i = 0; i < 100; i++) {
        strcat(data, "\\u00e4\\\"");
    }
    snprintf(line, sizeof line, "{\"method\":\"x\",\"params\":{\"timestamp\":3,\"note\":\"%s\"}}\n", data);
    sign(line);
    has("\"signature\":\"c6fbf06cc08ae1233b38ac7a764b7442132b30b4485a6ca231f815da2aed401e\"");
    unlink(path);

    key("deribit");
    memset(data, 'd', 300);
    strcpy(data + 300, "\\n");
    snprintf(
        line, sizeof line,
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"public/auth\",\"params\":{\"timestamp\":1576074319000,"
        "\"nonce\":\"abc\",\"data\":\"%s\"}}\n",
        data);
    sign(line);
    has("\"signature\":\"b6dd390ffda54b3aa9c0496fd6f5bc7a2ad03c568e7d08b3dfc1ee1072b0c73e\"");
    unlink(path);
}

Test(sign, a_query_may_stand_behind_the_path_or_begin_with_its_mark)
{
    static const char *const lines[] = { "{\"method\":\"GET\",\"path\":\"/fapi/v1/order?symbol=BTCUSDT\"}\n",
                                         "{\"path\":\"/fapi/v1/order\",\"query\":\"?symbol=BTCUSDT\"}\n",
                                         "{\"path\":\"/fapi/v1/order\",\"query\":\"symbol=BTCUSDT\"}\n" };
    key("binance");
    for (size_t i = 0; i < 3; i++) {
        sign(lines[i]);
        has("\"signed_text\":\"symbol=BTCUSDT&timestamp=1732147200123\"");
        has("\"signature\":\"4866ff7873e66d4022371b810a1ed7d66072e20b55911ab7db31f5472ee15e87\"");
    }
    unlink(path);
}
