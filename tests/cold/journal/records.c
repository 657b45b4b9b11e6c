#include "tests/cold/journal/records.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

uint8_t test_on_orphan;

uint64_t test_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

void test_directory(char out[256], bool shared)
{
    snprintf(out, 256, "%s/poise-test-XXXXXX", shared ? "/dev/shm" : "/tmp");
    POISE_ASSERT(mkdtemp(out) != NULL);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

void test_remove(const char *directory)
{
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void emit_blob(enum record_type type, const void *blob, size_t bytes, reduce_emit emit, void *context)
{
    struct slot record[RECORD_SLOTS_MAX];
    memset(record, 0, sizeof record);
    record_begin(record, type, record_slots_for_blob(bytes), 1);
    record_blob_write(record, blob, bytes);
    emit(context, record);
}

void test_run_head(uint64_t run, reduce_emit emit, void *context)
{
    struct slot record[2];
    memset(record, 0, sizeof record);
    struct record_begin_run *begin = (struct record_begin_run *)record_begin(record, RECORD_BEGIN, 2, 1);
    begin->run = run;
    begin->wall_ns = 1700000000000000000;
    begin->layout_hash = record_layout_hash();
    begin->engine = TEST_ENGINE;
    begin->mode = MODE_SIM;
    snprintf(begin->build_id, sizeof begin->build_id, "test");
    emit(context, record);

    char text[900];
    memset(text, 'x', sizeof text);
    emit_blob(RECORD_TEXT, text, 800, emit, context);

    struct instrument inverse = { .name = "binance.inverse.BTCUSD_PERP",
                                  .symbol = "BTCUSD_PERP",
                                  .index = 0,
                                  .venue = VENUE_BINANCE,
                                  .product = PRODUCT_INVERSE,
                                  .kind = KIND_INVERSE_PERPETUAL,
                                  .price_decimals = 1,
                                  .quote = 1,
                                  .tick = 1,
                                  .lot = 1,
                                  .min_qty = 1,
                                  .max_qty = 1000000,
                                  .max_price = 100000000,
                                  .contract_e8 = 100 * DECIMAL_E8 };
    emit_blob(RECORD_INSTRUMENT, &inverse, sizeof inverse, emit, context);
    struct instrument linear = { .name = "binance.linear.BTCUSDT",
                                 .symbol = "BTCUSDT",
                                 .index = 1,
                                 .venue = VENUE_BINANCE,
                                 .product = PRODUCT_LINEAR,
                                 .kind = KIND_LINEAR_PERPETUAL,
                                 .price_decimals = 2,
                                 .qty_decimals = 3,
                                 .quote = 2,
                                 .settle = 2,
                                 .tick = 10,
                                 .lot = 1,
                                 .min_qty = 1,
                                 .max_qty = 1000000,
                                 .max_price = 1000000000,
                                 .contract_e8 = DECIMAL_E8 };
    emit_blob(RECORD_INSTRUMENT, &linear, sizeof linear, emit, context);
    struct account inverse_account = {
        .name = "inv", .venue = VENUE_BINANCE, .product = PRODUCT_INVERSE, .key_hash = 99
    };
    emit_blob(RECORD_ACCOUNT, &inverse_account, sizeof inverse_account, emit, context);
    struct account linear_account = {
        .name = "lin", .index = 1, .venue = VENUE_BINANCE, .product = PRODUCT_LINEAR, .key_hash = 99
    };
    emit_blob(RECORD_ACCOUNT, &linear_account, sizeof linear_account, emit, context);
    struct quote_params params = { .name = "one",
                                   .instance = 3,
                                   .kind = STRATEGY_QUOTE,
                                   .enabled = 1,
                                   .quote_instrument = 0,
                                   .hedge_instrument = 1,
                                   .hedge_account = 1,
                                   .second_instrument = NO_INSTRUMENT,
                                   .second_account = NO_ACCOUNT,
                                   .on_orphan = test_on_orphan,
                                   .post_only = 1,
                                   .levels = 1,
                                   .sides = 3,
                                   .size = 10,
                                   .max_inventory = 100,
                                   .quote_stale_ns = 1000000000,
                                   .hedge_stale_ns = 1000000000,
                                   .hedge_timeout_ns = 1000000000,
                                   .max_naked_ns = 1000000000,
                                   .ladder_step_ns = 1000000000 };
    emit_blob(RECORD_PARAMS, &params, sizeof params, emit, context);
    struct slot done;
    memset(&done, 0, sizeof done);
    record_begin(&done, RECORD_RESTORE_DONE, 1, 2);
    emit(context, &done);
}

struct record_report *test_report(struct slot record[3], enum record_type type, uint64_t order,
                                  uint16_t instrument, uint64_t stamp_ns)
{
    memset(record, 0, 3 * sizeof *record);
    struct record_report *report = (struct record_report *)record_begin(record, type, 3, stamp_ns);
    report->head.instrument = instrument;
    report->head.account = instrument;
    report->order = order;
    report->fee_currency = CURRENCY_NONE;
    return report;
}

struct record_order *test_order(struct slot record[2], enum record_type type, uint64_t order,
                                uint16_t instrument, enum side side, int64_t qty, int64_t price,
                                uint64_t stamp_ns)
{
    memset(record, 0, 2 * sizeof *record);
    struct record_order *said = (struct record_order *)record_begin(record, type, 2, stamp_ns);
    said->head.instrument = instrument;
    said->head.account = instrument;
    said->head.flags = RECORD_FLAG_OUT;
    said->order = order;
    said->side = side;
    said->qty = qty;
    said->price = price;
    said->instance = 3;
    said->leg = (uint8_t)instrument;
    said->role = instrument == 0 ? ORDER_ROLE_QUOTE : ORDER_ROLE_HEDGE;
    return said;
}

uint64_t test_order_id(uint64_t counter)
{
    return order_id_make(TEST_ENGINE, 3, 0, counter);
}

bool test_commit(struct spsc *ring, const struct slot *record)
{
    struct slot *to = spsc_claim(ring, record_head_of(record)->slot_count);
    if (to == NULL) {
        return false;
    }
    record_copy(to, record);
    spsc_commit(ring);
    return true;
}

void test_list_add(void *context, const struct slot *record)
{
    struct test_list *list = context;
    uint32_t slot_count = record_head_of(record)->slot_count;
    if (list->used + slot_count > list->capacity) {
        list->capacity = list->capacity * 2 + 1024;
        struct slot *more = aligned_alloc(SLOT_BYTES, (size_t)list->capacity * SLOT_BYTES);
        POISE_ASSERT(more != NULL);
        if (list->used != 0) {
            memcpy(more, list->slot, (size_t)list->used * SLOT_BYTES);
        }
        free(list->slot);
        list->slot = more;
    }
    memset(&list->slot[list->used], 0, (size_t)slot_count * SLOT_BYTES);
    record_copy(&list->slot[list->used], record);
    list->used += slot_count;
    list->records++;
}

void test_list_free(struct test_list *list)
{
    free(list->slot);
    memset(list, 0, sizeof *list);
}
