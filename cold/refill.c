#include "cold/refill.h"

#include "cold/journal.h"
#include "cold/ledger.h"

/* The newest segment may be what recovery saved of the ring; what the store had queued stands in the one
 * before. */
#define REFILL_BACK 2

struct refill {
    struct store *store;
    uint64_t run, number;
    uint16_t part;
};

static void on_entry(void *context, const struct ledger_entry *entry)
{
    struct refill *refill = context;
    store_booking(refill->store, refill->run, refill->number, refill->part++, entry);
}

/* Writes until there is room again; false when the database refuses. */
static bool make_room(struct store *store)
{
    struct store_counts counts;
    store_counts(store, &counts);
    while (counts.queued > STORE_QUEUE_ROWS / 2 && !counts.degraded) {
        store_step(store, 1, true);
        store_counts(store, &counts);
    }
    return !counts.degraded;
}

uint64_t refill_store(struct store *store, const char *directory, uint64_t run, bool whole)
{
    struct journal_reader_options options = {
        .directory = directory, .run = run, .newest_segment = !whole, .segments_back = REFILL_BACK
    };
    struct refill refill = { .store = store, .run = run };
    char error[1024];
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    struct ledger *ledger = reader != NULL ? ledger_make() : NULL;
    struct journal_item item;
    enum journal_result result;
    uint64_t given = 0;

    if (ledger != NULL) {
        ledger_sink(ledger, on_entry, &refill);
        while ((result = journal_next(reader, &item)) != JOURNAL_END && make_room(store)) {
            if (result != JOURNAL_RECORD && result != JOURNAL_HEAD) {
                continue;
            }
            /* A head's records name things and restore the books; their entries were made long ago. */
            refill.number = item.item.number;
            refill.part = 0;
            ledger_record(ledger, item.item.record);
            store_record(store, run, item.item.number, item.item.record);
            given += result == JOURNAL_RECORD;
        }
        ledger_free(ledger);
    }
    if (reader != NULL) {
        journal_reader_close(reader);
    }
    return given;
}
