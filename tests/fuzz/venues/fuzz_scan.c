/* The tolerant scanner: what it takes it takes again field by field, and its numbers agree with the slow way.
 */
#include "venues/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scan_name names[] = { SCAN_NAME("name"), SCAN_NAME("a") };

static void walk(const char *text, size_t bytes)
{
    struct scan scan;
    struct scan_value letters[SCAN_LETTERS], named[2];
    scan_open(&scan, text, bytes);
    if (scan_peek(&scan) == SCAN_OBJECT && !scan_fields(&scan, letters, names, 2, named)) {
        abort(); /* it was taken whole before */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    struct scan scan;
    struct scan_value value = { 0 };
    scan_open(&scan, copy, size);
    bool taken = scan_take(&scan, &value);
    int64_t consumed = scan_finish(&scan);
    if (consumed < -1 || consumed > (int64_t)size || taken != (consumed > 0)) {
        abort();
    }
    if (taken) {
        walk(copy, (size_t)consumed);
    }
    for (int decimals = 0; decimals <= 8; decimals += 4) {
        int64_t fast = 0, slow = 0;
        bool ok = scan_fixed(copy, size, decimals, &fast);
        if (ok != (decimal_parse(copy, size, decimals, &slow) == DECIMAL_OK) || (ok && fast != slow)) {
            abort();
        }
    }
    free(copy);
    return 0;
}
