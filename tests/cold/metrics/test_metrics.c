#include "cold/metrics.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/poise-metrics-XXXXXX";
static struct counters *counters;
static char error[200];

static void begin(void)
{
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
    counters = counters_create(path);
    cr_assert_not_null(counters);
    counter_set(counters_add(counters, 1, "strategy.records", COUNTER_SUM), 41);
    counter_set(counters_add(counters, 2, "strategy.records", COUNTER_SUM), 1);
    counter_set(counters_add(counters, 2, "gateway.coinm.sent", COUNTER_SUM), 3);
    counter_set(counters_add(counters, 2, "strategy.free", COUNTER_GAUGE), -5);
    counter_set(counters_add(counters, 3, "gateway.us\"d\\m.sent", COUNTER_SUM), 4);
    counter_set(counters_add(counters, 0, "m.binance.linear.BTCUSDT.bid", COUNTER_GAUGE), 618002);
    struct histogram *step = counters_add_histogram(counters, "strategy.step_ns");
    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_record(step, i);
    }
    counters_add_histogram(counters, "gateway.coinm.ack");
}

static void end(void)
{
    counters_close(counters);
    unlink(path);
}

TestSuite(metrics, .init = begin, .fini = end);

/* What a reader of the format checks: every line is a comment or NAME[{labels}] VALUE, a family has one TYPE
 * line and its samples stand below it, no series appears twice. */
static void expect_valid(const char *text)
{
    char family[128] = "";
    char *copy = strdup(text);
    char *rest = copy;
    char *line;
    char seen[64][256];
    uint32_t seen_count = 0;

    while ((line = strsep(&rest, "\n")) != NULL) {
        if (*line == '\0') {
            cr_expect_null(rest, "an empty line inside");
            continue;
        }
        if (strncmp(line, "# TYPE ", 7) == 0) {
            snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            for (uint32_t i = 0; i < seen_count; i++) {
                cr_expect_str_neq(seen[i], line);
            }
            snprintf(seen[seen_count++], sizeof seen[0], "%s", line);
            continue;
        }
        char *space = strrchr(line, ' ');
        cr_assert_not_null(space, "%s", line);
        size_t name = strcspn(line, "{ ");
        cr_expect_eq(strncmp(line, family, strlen(family)), 0, "%s is below %s", line, family);
        cr_expect_eq(strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), name,
                     "%s", line);
        if (line[name] == '{') {
            cr_expect_eq(space[-1], '}', "%s", line);
        }
        char *after;
        strtod(space + 1, &after);
        cr_expect_eq(*after, '\0', "%s", line);
        *space = '\0';
        for (uint32_t i = 0; i < seen_count; i++) {
            cr_expect_str_neq(seen[i], line);
        }
        snprintf(seen[seen_count++], sizeof seen[0], "%s", line);
    }
    free(copy);
}

Test(metrics, the_page_is_prometheus_text)
{
    size_t bytes;
    char *text = metrics_text(counters, &bytes);

    cr_assert_not_null(text);
    cr_expect_eq(strlen(text), bytes);
    expect_valid(text);
    cr_expect_not_null(
        strstr(text, "# TYPE poise_strategy_records_total counter\npoise_strategy_records_total 42\n"), "%s",
        text);
    cr_expect_not_null(strstr(text, "poise_gateway_sent_total{of=\"coinm\"} 3\n"
                                    "poise_gateway_sent_total{of=\"us\\\"d\\\\m\"} 4\n"));
    cr_expect_not_null(strstr(text, "# TYPE poise_strategy_free gauge\npoise_strategy_free -5\n"));
    cr_expect_not_null(strstr(text, "poise_m_bid{of=\"binance.linear.BTCUSDT\"} 618002\n"));
    cr_expect_not_null(strstr(text, "# TYPE poise_strategy_step_ns summary\n"));
    cr_expect_not_null(strstr(text, "poise_strategy_step_ns_count 1000\n"));
    cr_expect_not_null(strstr(text, "poise_gateway_ack_ns{of=\"coinm\",quantile=\"0.99\"} NaN\n"));

    /* The median of 1..1000 is 500, in a bucket of width 32 at most. */
    const char *median = strstr(text, "poise_strategy_step_ns{quantile=\"0.5\"} ");
    cr_assert_not_null(median);
    long value = strtol(strchr(median, ' ') + 1, NULL, 10);
    cr_expect(value >= 500 && value <= 532, "%ld", value);
    free(text);
}

/* Sends a request and serves until the answer is whole, all on this thread. */
static const char *ask(struct metrics *metrics, const char *request)
{
    static char reply[1 << 16];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(metrics_port(metrics)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int at = socket(AF_INET, SOCK_STREAM, 0);
    size_t bytes = 0;

    cr_assert_eq(connect(at, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(send(at, request, strlen(request), 0), (ssize_t)strlen(request));
    cr_assert_eq(fcntl(at, F_SETFL, O_NONBLOCK), 0);
    for (int turn = 0; turn < 1000000; turn++) {
        metrics_step(metrics);
        ssize_t got = recv(at, reply + bytes, sizeof reply - 1 - bytes, 0);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            bytes += (size_t)got;
        } else {
            cr_assert_eq(errno, EAGAIN);
        }
    }
    close(at);
    reply[bytes] = '\0';
    return reply;
}

static bool healthy_answer;

static bool is_healthy(void *context, const char **why)
{
    (void)context;
    *why = healthy_answer ? "trading" : "halted";
    return healthy_answer;
}

#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" more "\r\n"

Test(metrics, it_serves_figures_and_health_on_loopback)
{
    struct metrics_options options = { .counters = counters, .healthy = is_healthy };
    struct metrics *metrics = metrics_start(&options, error, sizeof error);
    cr_assert_not_null(metrics, "%s", error);

    const char *reply = ask(metrics, GET("/metrics", ""));
    cr_expect_eq(strncmp(reply, "HTTP/1.1 200", 12), 0, "%s", reply);
    cr_expect_not_null(strstr(reply, "text/plain; version=0.0.4"));
    cr_expect_not_null(strstr(reply, "poise_strategy_records_total 42\n"));
    healthy_answer = true;
    reply = ask(metrics, GET("/healthz", ""));
    cr_expect_eq(strncmp(reply, "HTTP/1.1 200", 12), 0);
    cr_expect_not_null(strstr(reply, "trading"));
    healthy_answer = false;
    reply = ask(metrics, GET("/healthz", ""));
    cr_expect_eq(strncmp(reply, "HTTP/1.1 503", 12), 0);
    cr_expect_not_null(strstr(reply, "halted"));
    cr_expect_eq(strncmp(ask(metrics, GET("/", "")), "HTTP/1.1 404", 12), 0);
    cr_expect_eq(strncmp(ask(metrics, "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                      "Content-Length: 2\r\n\r\nab"),
                         "HTTP/1.1 405", 12),
                 0);
    cr_expect_geq(metrics_descriptor(metrics), 0);
    metrics_stop(metrics);
}

Test(metrics, a_configured_token_must_be_shown)
{
    struct metrics_options options = { .counters = counters, .token = "open sesame" };
    struct metrics *metrics = metrics_start(&options, error, sizeof error);
    cr_assert_not_null(metrics, "%s", error);

    cr_expect_eq(strncmp(ask(metrics, GET("/metrics", "")), "HTTP/1.1 401", 12), 0);
    cr_expect_eq(
        strncmp(ask(metrics, GET("/metrics", "Authorization: Bearer open sesam\r\n")), "HTTP/1.1 401", 12),
        0);
    cr_expect_eq(
        strncmp(ask(metrics, GET("/metrics", "Authorization: Bearer open sesamee\r\n")), "HTTP/1.1 401", 12),
        0);
    cr_expect_eq(strncmp(ask(metrics, GET("/metrics", "Authorization: open sesame\r\n")), "HTTP/1.1 401", 12),
                 0);
    cr_expect_eq(
        strncmp(ask(metrics, GET("/metrics", "Authorization: Bearer open sesame\r\n")), "HTTP/1.1 200", 12),
        0);
    metrics_stop(metrics);
}

Test(metrics, a_port_in_use_is_told)
{
    struct metrics_options options = { .counters = counters };
    struct metrics *first = metrics_start(&options, error, sizeof error);
    cr_assert_not_null(first, "%s", error);
    options.port = metrics_port(first);
    cr_expect_null(metrics_start(&options, error, sizeof error));
    cr_expect_not_null(strstr(error, "cannot listen on 127.0.0.1:"));
    metrics_stop(first);
}

Test(metrics, the_token_file_must_be_ours_alone)
{
    char token[METRICS_TOKEN_BYTES];
    char name[] = "/tmp/poise-token-XXXXXX";
    int file = mkstemp(name);
    cr_assert_eq(write(file, "open sesame\nmore\n", 17), 17);
    close(file);

    cr_expect(metrics_token_load(name, token, error, sizeof error), "%s", error);
    cr_expect_str_eq(token, "open sesame");
    cr_assert_eq(chmod(name, 0644), 0);
    cr_expect_not(metrics_token_load(name, token, error, sizeof error));
    cr_expect_not_null(strstr(error, "0600"));
    cr_expect_str_eq(token, "");
    unlink(name);
    cr_expect_not(metrics_token_load(name, token, error, sizeof error));
}
