/* A WebSocket frame of 256 bytes: reading one in place, and masking one to send, beside copying as much. */
#include "bench/cases.h"
#include "hot/net/ws.h"

#include <string.h>

#define EACH    64
#define PAYLOAD 256

static uint8_t memory[INBOX_BEFORE + EACH * (PAYLOAD + 8) + INBOX_AFTER];
static struct inbox inbox;
static size_t inbox_bytes;
static uint8_t out[WS_HEADER_ROOM + PAYLOAD];
static uint8_t copy[PAYLOAD];

static bool setup(struct bench *bench)
{
    (void)bench;
    inbox_init(&inbox, memory, EACH * (PAYLOAD + 8));
    uint64_t random = 7;
    for (int i = 0; i < EACH; i++) {
        uint8_t frame[PAYLOAD + 4] = { 0x81, 126, PAYLOAD >> 8, PAYLOAD & 255 };
        for (int b = 0; b < PAYLOAD; b++) {
            frame[4 + b] = (uint8_t)('a' + bench_random(&random) % 26);
        }
        POISE_ASSERT(inbox_append(&inbox, frame, sizeof frame));
    }
    inbox_bytes = inbox.end;
    return true;
}

static uint64_t read_frames(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct ws_reader reader;
        struct ws_message message;
        ws_reader_start(&reader);
        inbox.begin = 0;
        inbox.end = inbox_bytes;
        bool fine = true;
        uint64_t from = clock_ticks();
        for (int k = 0; k < EACH; k++) {
            fine &= ws_next(&reader, &inbox, &message) == WS_EVENT_TEXT;
        }
        ticks[i] = clock_ticks() - from;
        POISE_ASSERT(fine && message.len == PAYLOAD);
        hash = bench_hash(hash, message.bytes[0]);
    }
    return hash;
}

static uint64_t write_frames(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct ws_mask mask = { { 1, 2, 3, i } };
        size_t bytes = 0;
        uint8_t *frame = NULL;
        memset(out, 'x', sizeof out);
        uint64_t from = clock_ticks();
        for (int k = 0; k < EACH; k++) {
            frame = ws_frame(out + WS_HEADER_ROOM, PAYLOAD, WS_TEXT, ws_mask_next(&mask), &bytes);
        }
        ticks[i] = clock_ticks() - from;
        hash = bench_hash(hash, frame[bytes - 1]);
    }
    return hash;
}

static uint64_t copy_frames(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t from = clock_ticks();
        for (int k = 0; k < EACH; k++) {
            memcpy(copy, out + WS_HEADER_ROOM, PAYLOAD);
            bench_keep(copy);
        }
        ticks[i] = clock_ticks() - from;
    }
    return 0;
}

/* clang-format off */
#define FRAME(name_, burst_) \
    .name = name_, .group = "frame", .processors = 1, .operations = EACH, .burst_samples = 2000, \
    .setup = setup, .burst = burst_
static const struct bench_case rows[] = {
    { FRAME("ws.read_256", read_frames) },
    { FRAME("ws.write_256", write_frames), .against = { "ws.copy_256" } },
    { FRAME("ws.copy_256", copy_frames) },
};
/* clang-format on */

const struct bench_table bench_frame = { rows, POISE_COUNT_OF(rows) };
