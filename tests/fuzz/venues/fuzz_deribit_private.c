/* Replies and private channels, and the session that hears them. */
#include "tests/fuzz/venues/fuzz_deribit.h"
#include "venues/deribit/session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct venue_session *session;
    static struct account account = { .venue = VENUE_DERIBIT, .product = PRODUCT_ALL, .dead_man_ms = 10000 };
    static struct sign_key key;
    static struct venue_out out;
    static char body[4096];
    const uint16_t wanted = 0;
    if (size < 1) {
        return 0;
    }
    if (session == NULL) {
        session = aligned_alloc(64, (venue_deribit.order->session_bytes + 63) / 64 * 64);
        sign_key_hmac(&key, "k", "s", 1);
        out.body = body;
        out.body_capacity = sizeof body;
    }
    venue_deribit.order->init(session, &venue_deribit, fuzz_deribit_table(), &account, &key, &wanted, 1);
    for (int i = 0; i < 4 && venue_deribit.order->step(session, 1, 1, true, &out); i++) {
        if (out.act == ACT_OPEN) {
            venue_deribit.order->event(session, out.slot, SESSION_UP, 1);
        }
    }
    /* a state of the log-in: the answer that is waited for has the id the first byte names */
    struct deribit_session *own = (struct deribit_session *)session;
    own->state = (uint8_t)(STATE_LOGIN + data[0] % (STATE_READY - STATE_LOGIN + 1));
    own->asked = true;
    own->turn = 0;
    char *copy = fuzz_copy(data + 1, size - 1);
    fuzz_yielded = 0;
    int64_t consumed =
        venue_deribit.order->message(session, SESSION_SLOT_ORDER, copy, size - 1, 2, 2, &fuzz_sink, &out);
    fuzz_judge(consumed, size - 1);
    for (int i = 0; i < 8 && venue_deribit.order->step(session, 3, 3, (data[0] & 128) == 0, &out); i++) {
    }
    free(copy);
    return 0;
}
