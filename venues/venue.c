#include "venues/venue.h"

#include <string.h>

static const struct venue *const venues[] = { &venue_binance, &venue_deribit };

/* clang-format off */
const char *const control_names[CONTROL_KIND_COUNT] = {
    [0]                    = "none",
    [CONTROL_SUBSCRIBED]   = "subscribed",
    [CONTROL_UNSUBSCRIBED] = "unsubscribed",
    [CONTROL_LOGIN]        = "login",
    [CONTROL_LOGOUT]       = "logout",
    [CONTROL_ERROR]        = "error",
    [CONTROL_HEARTBEAT]    = "heartbeat",
    [CONTROL_TEST_REQUEST] = "test_request",
    [CONTROL_PONG]         = "pong",
    [CONTROL_OK]           = "ok",
    [CONTROL_COUNT]        = "count",
    [CONTROL_TIME]         = "time",
    [CONTROL_DEAD_MAN]     = "dead_man",
    [CONTROL_LIMITS]       = "limits",
    [CONTROL_SHUTDOWN]     = "shutdown",
    [CONTROL_STREAM_ENDED] = "stream_ended",
    [CONTROL_KEY_REVOKED]  = "key_revoked",
    [CONTROL_REQUEST]      = "request",
};
/* clang-format on */

const struct venue *venue_find(const char *name)
{
    for (size_t i = 0; i < POISE_COUNT_OF(venues); i++) {
        if (strcmp(venues[i]->name, name) == 0) {
            return venues[i];
        }
    }
    return NULL;
}

const struct venue *venue_by_id(uint8_t id)
{
    for (size_t i = 0; i < POISE_COUNT_OF(venues); i++) {
        if (venues[i]->id == id) {
            return venues[i];
        }
    }
    return NULL;
}
