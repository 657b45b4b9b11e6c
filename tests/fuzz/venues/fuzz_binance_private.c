/* Replies and user streams, and the session that hears them. */
#include "tests/fuzz/venues/fuzz_binance.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct venue_session *session;
    static struct account account;
    static struct sign_key key;
    static struct venue_out out;
    static char body[4096];
    const uint16_t wanted = 0;
    if (size < 2) {
        return 0;
    }
    if (session == NULL) {
        session = aligned_alloc(64, (venue_binance.order->session_bytes + 63) / 64 * 64);
        sign_key_hmac(&key, "k", "s", 1);
        out.body = body;
        out.body_capacity = sizeof body;
    }
    account.venue = VENUE_BINANCE;
    account.product = fuzz_product(data[0]);
    account.dead_man_ms = 60000;
    venue_binance.order->init(session, &venue_binance, fuzz_table(), &account, &key, &wanted, 1);
    for (int i = 0; i < 8 && venue_binance.order->step(session, 1, 1, true, &out); i++) {
        if (out.act == ACT_OPEN) {
            venue_binance.order->event(session, out.slot, SESSION_UP, 1);
        }
    }
    char *copy = fuzz_copy(data + 2, size - 2);
    fuzz_yielded = 0;
    if ((data[1] & 1) == 0) {
        int64_t consumed =
            venue_binance.order->message(session, data[1] >> 7, copy, size - 2, 2, 2, &fuzz_sink, &out);
        fuzz_judge(consumed, size - 2);
    } else {
        uint64_t tie = (data[1] & 2) != 0 ? 1ULL << 63 | (uint64_t)(data[1] >> 2) << 16 : 77;
        venue_binance.order->response(session, tie, (data[1] & 4) != 0 ? 200 : 400, copy, size - 2, 2, 2,
                                      &fuzz_sink);
    }
    for (int i = 0; i < 8 && venue_binance.order->step(session, 3, 3, true, &out); i++) {
    }
    free(copy);
    return 0;
}
