/* metrics: the counters page as Prometheus text, for whoever watches from outside.
 *
 * GET /metrics and GET /healthz on loopback, with a bearer token when one is configured.  Cold thread: it
 * calls metrics_step in its loop, and nothing is served between calls.  The figures come from the page of
 * ring/counters.h alone, so that reading them disturbs nobody.
 *
 * Names: "strategy.records" is poise_strategy_records; of three words and more, first and last are the name
 * and the middle is the label `of`: "gateway.coinm.sent" is poise_gateway_sent{of="coinm"}.  Sums end in
 * _total.  A histogram is a summary in nanoseconds with quantiles 0.5, 0.9, 0.99, 0.999 and 1 (upper edges of
 * its buckets, 12.5 % wide) and a count; it has no sum. */
#ifndef POISE_COLD_METRICS_H
#define POISE_COLD_METRICS_H

#include "ring/counters.h"

#define METRICS_TOKEN_BYTES 128

struct metrics;

struct metrics_options {
    const struct counters *counters;
    uint16_t port;     /* 0: any free one; metrics_port tells */
    const char *token; /* NULL or "": none; copied */
    /* healthy judges the engine for /healthz: 200 or 503, with a word why.  NULL: always healthy. */
    bool (*healthy)(void *context, const char **why);
    void *healthy_context;
};

/* metrics_start listens on 127.0.0.1; NULL with a sentence in error (the engine trades without it). */
struct metrics *metrics_start(const struct metrics_options *options, char *error, size_t error_bytes);
void metrics_stop(struct metrics *metrics);

/* metrics_step serves what has arrived and returns; metrics_descriptor may be waited on beside others. */
void metrics_step(struct metrics *metrics);
int metrics_descriptor(const struct metrics *metrics);
uint16_t metrics_port(const struct metrics *metrics);

/* metrics_text renders the page; the text is the caller's to free.  NULL when memory is short. */
char *metrics_text(const struct counters *counters, size_t *bytes);

/* metrics_token_load reads the token (first line) from a file of ours that nobody else can reach; false with
 * a sentence in error. */
bool metrics_token_load(const char *path, char token[METRICS_TOKEN_BYTES], char *error, size_t error_bytes);

#endif
