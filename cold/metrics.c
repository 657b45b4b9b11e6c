#include "cold/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct metrics {
    struct MHD_Daemon *daemon;
    const struct counters *counters;
    char token[METRICS_TOKEN_BYTES];
    bool (*healthy)(void *context, const char **why);
    void *healthy_context;
    uint16_t port;
};

/* ------------------------------------------------------------------ the text */

#define FAMILY_BYTES 80

struct figure {
    char family[FAMILY_BYTES];
    char label[COUNTER_NAME_BYTES]; /* "" none */
    uint32_t source;                /* index in the page */
    bool sum;
    bool done;
};

static void append_clean(char *to, size_t to_bytes, const char *from, size_t bytes)
{
    size_t used = strlen(to);
    for (size_t i = 0; i < bytes && used + 1 < to_bytes; i++) {
        char c = from[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        to[used++] = plain ? c : '_';
    }
    to[used] = '\0';
}

/* Splits a page name into the family and the label: see metrics.h. */
static void name_figure(struct figure *figure, const char *name, const char *unit)
{
    const char *first = strchr(name, '.');
    const char *last = strrchr(name, '.');

    snprintf(figure->family, sizeof figure->family, "poise_");
    if (first == NULL || first == last) {
        append_clean(figure->family, sizeof figure->family, name, strlen(name));
        figure->label[0] = '\0';
    } else {
        append_clean(figure->family, sizeof figure->family, name, (size_t)(first - name) + 1);
        append_clean(figure->family, sizeof figure->family, last + 1, strlen(last + 1));
        snprintf(figure->label, sizeof figure->label, "%.*s", (int)(last - first - 1), first + 1);
    }
    size_t length = strlen(figure->family);
    size_t tail = strlen(unit);
    if (length < tail || strcmp(figure->family + length - tail, unit) != 0) {
        append_clean(figure->family, sizeof figure->family, unit, tail);
    }
}

static void print_label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            fputc('\\', out);
        }
        fputc(*at == '\n' ? ' ' : *at, out);
    }
    fputc('"', out);
}

static void print_name(FILE *out, const struct figure *figure, const char *suffix)
{
    fprintf(out, "%s%s", figure->family, suffix);
    if (figure->label[0] != '\0') {
        fputc('{', out);
        print_label(out, "of", figure->label);
        fputc('}', out);
    }
}

/* The samples of one family stand together below one TYPE line, as the format wants it. */
static void print_values(FILE *out, const struct counters *counters, struct figure *figures, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (figures[i].done) {
            continue;
        }
        fprintf(out, "# TYPE %s %s\n", figures[i].family, figures[i].sum ? "counter" : "gauge");
        for (uint32_t k = i; k < count; k++) {
            if (figures[k].done || strcmp(figures[k].family, figures[i].family) != 0) {
                continue;
            }
            /* Several writers of one sum are one series; of one gauge the first speaks. */
            int64_t value = counters_value(counters, figures[k].source);
            for (uint32_t more = k + 1; more < count; more++) {
                if (!figures[more].done && strcmp(figures[more].family, figures[k].family) == 0 &&
                    strcmp(figures[more].label, figures[k].label) == 0) {
                    value += figures[k].sum ? counters_value(counters, figures[more].source) : 0;
                    figures[more].done = true;
                }
            }
            figures[k].done = true;
            print_name(out, &figures[k], "");
            fprintf(out, " %lld\n", (long long)value);
        }
    }
}

static void print_summary(FILE *out, const struct figure *figure, const struct histogram *histogram)
{
    static const struct {
        const char *text;
        uint32_t ppm;
    } quantiles[] = {
        { "0.5", 500000 }, { "0.9", 900000 }, { "0.99", 990000 }, { "0.999", 999000 }, { "1", 1000000 }
    };

    for (size_t i = 0; i < POISE_COUNT_OF(quantiles); i++) {
        fprintf(out, "%s{", figure->family);
        if (figure->label[0] != '\0') {
            print_label(out, "of", figure->label);
            fputc(',', out);
        }
        fprintf(out, "quantile=\"%s\"} ", quantiles[i].text);
        if (atomic_load_explicit(&histogram->count, memory_order_relaxed) == 0) {
            fprintf(out, "NaN\n"); /* nothing was measured: that is not 0 ns */
        } else {
            fprintf(out, "%llu\n", (unsigned long long)histogram_quantile(histogram, quantiles[i].ppm));
        }
    }
    print_name(out, figure, "_count");
    fprintf(out, " %llu\n",
            (unsigned long long)atomic_load_explicit(&histogram->count, memory_order_relaxed));
}

static void print_histograms(FILE *out, const struct counters *counters)
{
    struct figure figures[HISTOGRAMS_MAX];
    uint32_t count = counters_histogram_count(counters);

    for (uint32_t i = 0; i < count; i++) {
        figures[i] = (struct figure){ .source = i };
        name_figure(&figures[i], counters_histogram(counters, i)->name, "_ns");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (figures[i].done) {
            continue;
        }
        fprintf(out, "# TYPE %s summary\n", figures[i].family);
        for (uint32_t k = i; k < count; k++) {
            if (!figures[k].done && strcmp(figures[k].family, figures[i].family) == 0) {
                figures[k].done = true;
                print_summary(out, &figures[k], counters_histogram(counters, k));
            }
        }
    }
}

char *metrics_text(const struct counters *counters, size_t *bytes)
{
    char *text = NULL;
    uint32_t count = counters_count(counters);
    struct figure *figures = calloc(count + 1, sizeof *figures);
    FILE *out = open_memstream(&text, bytes);

    if (figures == NULL || out == NULL) {
        free(figures);
        if (out != NULL) {
            fclose(out);
            free(text);
        }
        return NULL;
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum counter_kind kind = counters_kind(counters, i);
        if (kind != COUNTER_TEXT) {
            figures[used] = (struct figure){ .source = i, .sum = kind == COUNTER_SUM };
            name_figure(&figures[used++], counters_name(counters, i), kind == COUNTER_SUM ? "_total" : "");
        }
    }
    print_values(out, counters, figures, used);
    print_histograms(out, counters);
    free(figures);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ------------------------------------------------------------------ the endpoint */

/* Takes the same time whatever is wrong with what was shown. */
static bool may_read(const struct metrics *metrics, struct MHD_Connection *connection)
{
    if (metrics->token[0] == '\0') {
        return true;
    }
    const char *shown = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    if (shown == NULL || strncmp(shown, "Bearer ", 7) != 0) {
        return false;
    }
    shown += 7;
    size_t bytes = strlen(metrics->token);
    size_t shown_bytes = strlen(shown);
    unsigned char differs = bytes != shown_bytes;
    for (size_t i = 0; i < bytes; i++) {
        differs |= (unsigned char)(metrics->token[i] ^ (i < shown_bytes ? shown[i] : 0));
    }
    return differs == 0;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              char *text, size_t bytes, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(bytes, text, mode);
    if (response == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE) {
            free(text);
        }
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", type);
    if (status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status, const char *words)
{
    char line[160];
    int bytes = snprintf(line, sizeof line, "%s\n", words);
    return answer(connection, status, "text/plain", line, (size_t)bytes, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *path,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_bytes, void **state)
{
    static int seen;
    struct metrics *metrics = context;
    (void)version;
    (void)upload;

    /* The library calls first with the headers alone; an answer then would end the connection. */
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_bytes != 0) {
        *upload_bytes = 0; /* a body that nobody asked for is read and dropped; then comes the last call */
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET");
    }
    if (!may_read(metrics, connection)) {
        return answer_words(connection, MHD_HTTP_UNAUTHORIZED, "show the token");
    }
    if (strcmp(path, "/metrics") == 0) {
        size_t bytes;
        char *text = metrics_text(metrics->counters, &bytes);
        if (text == NULL) {
            return answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory");
        }
        return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, bytes,
                      MHD_RESPMEM_MUST_FREE);
    }
    if (strcmp(path, "/healthz") == 0) {
        const char *why = "ok";
        bool healthy = metrics->healthy == NULL || metrics->healthy(metrics->healthy_context, &why);
        return answer_words(connection, healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, why);
    }
    return answer_words(connection, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz");
}

struct metrics *metrics_start(const struct metrics_options *options, char *error, size_t error_bytes)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(options->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    if (metrics == NULL) {
        snprintf(error, error_bytes, "metrics: no memory");
        return NULL;
    }
    metrics->counters = options->counters;
    metrics->healthy = options->healthy;
    metrics->healthy_context = options->healthy_context;
    snprintf(metrics->token, sizeof metrics->token, "%s", options->token != NULL ? options->token : "");

    errno = 0;
    metrics->daemon = MHD_start_daemon(MHD_USE_EPOLL, options->port, NULL, NULL, serve, metrics,
                                       MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                                       MHD_OPTION_CONNECTION_LIMIT, 16u, MHD_OPTION_CONNECTION_TIMEOUT, 10u,
                                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_END);
    if (metrics->daemon == NULL) {
        snprintf(error, error_bytes, "metrics: cannot listen on 127.0.0.1:%u: %s", options->port,
                 errno != 0 ? strerror(errno) : "refused");
        free(metrics);
        return NULL;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_BIND_PORT);
    metrics->port = info != NULL ? info->port : options->port;
    return metrics;
}

void metrics_stop(struct metrics *metrics)
{
    if (metrics != NULL) {
        MHD_stop_daemon(metrics->daemon);
        explicit_bzero(metrics->token, sizeof metrics->token);
        free(metrics);
    }
}

void metrics_step(struct metrics *metrics)
{
    MHD_run(metrics->daemon);
}

int metrics_descriptor(const struct metrics *metrics)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info != NULL ? info->epoll_fd : -1;
}

uint16_t metrics_port(const struct metrics *metrics)
{
    return metrics->port;
}

bool metrics_token_load(const char *path, char token[METRICS_TOKEN_BYTES], char *error, size_t error_bytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;

    memset(token, 0, METRICS_TOKEN_BYTES);
    if (file < 0 || fstat(file, &status) != 0) {
        snprintf(error, error_bytes, "%s: cannot be opened: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
        snprintf(error, error_bytes, "%s: must be a file of ours with mode 0600", path);
    } else {
        ssize_t bytes = read(file, token, METRICS_TOKEN_BYTES - 1);
        token[bytes > 0 ? strcspn(token, "\r\n") : 0] = '\0';
        if (token[0] == '\0' || bytes == METRICS_TOKEN_BYTES - 1) {
            snprintf(error, error_bytes, "%s: must hold a token of 1 to %d characters", path,
                     METRICS_TOKEN_BYTES - 2);
            memset(token, 0, METRICS_TOKEN_BYTES);
        }
    }
    if (file >= 0) {
        close(file);
    }
    return token[0] != '\0';
}
