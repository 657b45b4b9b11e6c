/* poise-sim-trim: a shorter recording that begins with the book as it stood.
 *
 * It writes one derived line, a REST depth snapshot of the book at the start (the best 1000 levels a side),
 * and then the recording's own lines up to the end, byte for byte.  Several products cut at the same receive
 * times stay aligned. */
#include "tools/sim/model/sim_book.h"
#include "tools/sim/model/sim_decimal.h"
#include "tools/sim/sim_setup.h"
#include "tools/sim/sim_tape.h"
#include "tools/sim/sim_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LINE_BYTES      (4 << 20)
#define SNAPSHOT_LEVELS 1000

static void side_text(struct sim_text *out, const struct sim_instrument *i, const struct sim_ladder *ladder)
{
    int price_show = i->kind == SIM_SPOT ? 8 : i->price_decimals;
    size_t count = ladder->count < SNAPSHOT_LEVELS ? ladder->count : SNAPSHOT_LEVELS;

    sim_text_str(out, "[");
    for (size_t k = 0; k < count; k++) {
        const struct sim_level *level = &ladder->level[ladder->count - 1 - k];
        sim_text_str(out, k > 0 ? ",[\"" : "[\"");
        sim_text_decimal(out, level->price, i->price_decimals, price_show);
        sim_text_str(out, "\",\"");
        sim_text_decimal(out, level->qty, i->qty_decimals, i->qty_decimals);
        sim_text_str(out, "\"]");
    }
    sim_text_str(out, "]");
}

static void snapshot_text(struct sim_text *out, const struct sim_instrument *i, const struct sim_book *book,
                          int64_t recv_ns)
{
    sim_text_add(out, "%lld {\"lastUpdateId\":%lld,", (long long)recv_ns, (long long)book->u);
    if (i->kind != SIM_SPOT) {
        sim_text_add(out, "\"E\":%lld,\"T\":%lld,", (long long)book->stamp_ms, (long long)book->stamp_ms);
    }
    if (i->kind == SIM_INVERSE) {
        sim_text_add(out, "\"symbol\":\"%s\",\"pair\":\"%s\",", i->symbol, i->pair);
    }
    sim_text_str(out, "\"bids\":");
    side_text(out, i, &book->side[SIM_BUY]);
    sim_text_str(out, ",\"asks\":");
    side_text(out, i, &book->side[SIM_SELL]);
    sim_text_str(out, "}\n");
}

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "poise-sim-trim KIND FROM.jsonl.gz TO.jsonl.gz BEGIN_NS END_NS\n"
                        "  e.g. poise-sim-trim linear full.jsonl.gz short.jsonl.gz 1723161428937085768 "
                        "1723161518937085768\n");
        return 2;
    }
    int kind = sim_setup_kind(arguments[1], strlen(arguments[1]));
    int64_t begin = strtoll(arguments[4], NULL, 10), end = strtoll(arguments[5], NULL, 10);
    struct sim_tape tape;
    struct sim_book book = { 0 };
    struct sim_text text = { 0 };
    char error[512];

    if (kind < 0 || end <= begin) {
        fprintf(stderr, "poise-sim-trim: KIND is spot, linear or inverse, and END is after BEGIN\n");
        return 2;
    }
    struct sim_instrument instrument = sim_setup_instrument((enum sim_kind)kind);

    if (!sim_tape_load(&tape, arguments[2], &instrument, 0, error, sizeof error)) {
        fprintf(stderr, "poise-sim-trim: %s\n", error);
        return 1;
    }
    for (size_t i = 0; i < tape.count && tape.event[i].recv_ns <= begin; i++) {
        if (tape.event[i].kind == SIM_TAPE_SNAPSHOT) {
            sim_book_snapshot(&book, &tape.event[i]);
        } else if (tape.event[i].kind == SIM_TAPE_DEPTH) {
            sim_book_depth(&book, &tape.event[i]);
        }
    }
    gzFile from = gzopen(arguments[2], "rb"), to = gzopen(arguments[3], "wb9");
    char *line = malloc(LINE_BYTES);
    size_t lines = 1;

    if (from == NULL || to == NULL || line == NULL) {
        fprintf(stderr, "poise-sim-trim: %s cannot be written\n", arguments[3]);
        return 1;
    }
    snapshot_text(&text, &instrument, &book, begin);
    gzwrite(to, text.data, (unsigned)text.length);
    while (gzgets(from, line, LINE_BYTES) != NULL) {
        int64_t recv = strtoll(line, NULL, 10);
        if (recv > begin && recv <= end) {
            gzwrite(to, line, (unsigned)strlen(line));
            lines++;
        }
    }
    gzclose(from);
    if (gzclose(to) != Z_OK) {
        fprintf(stderr, "poise-sim-trim: %s was not written whole\n", arguments[3]);
        return 1;
    }
    fprintf(stderr, "%s: %zu lines\n", arguments[3], lines);
    free(line);
    sim_text_free(&text);
    sim_book_free(&book);
    sim_tape_free(&tape);
    return 0;
}
