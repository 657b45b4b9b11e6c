/* A feed's sync, by what its functions do to a book. */
#include "hot/feed/sync.h"
#include "tests/sim/cover.h"

static uint64_t of_sync[SYNC_STATE_COUNT][SYNC_EVENT_COUNT];

enum sync_answer __real_sync_delta(struct sync *sync, const struct feed_event *event);
enum sync_answer __wrap_sync_delta(struct sync *sync, const struct feed_event *event);
enum sync_answer __real_sync_snapshot(struct sync *sync, const struct feed_event *event);
enum sync_answer __wrap_sync_snapshot(struct sync *sync, const struct feed_event *event);
enum sync_answer __real_sync_restart(struct sync *sync, const struct feed_event *event);
enum sync_answer __wrap_sync_restart(struct sync *sync, const struct feed_event *event);
enum sync_answer __real_sync_break(struct sync *sync, const char *why);
enum sync_answer __wrap_sync_break(struct sync *sync, const char *why);
enum sync_answer __real_sync_lost(struct sync *sync);
enum sync_answer __wrap_sync_lost(struct sync *sync);
void __real_sync_near(struct sync *sync);
void __wrap_sync_near(struct sync *sync);

enum sync_answer __wrap_sync_delta(struct sync *sync, const struct feed_event *event)
{
    uint8_t from = sync->state;
    uint64_t applied = sync->applied, crossed = sync->crossed;
    bool proved = sync_proved(sync);
    enum sync_answer answer = __real_sync_delta(sync, event);
    of_sync[from][SYNC_EVENT_DELTA] += !proved || sync->applied != applied;
    of_sync[from][SYNC_EVENT_BREAK] +=
        proved && (sync->applied == applied || sync->crossed != crossed) && sync->state == SYNC_GAP;
    return answer;
}

enum sync_answer __wrap_sync_snapshot(struct sync *sync, const struct feed_event *event)
{
    uint8_t from = sync->state;
    uint64_t loads = sync->loads, crossed = sync->crossed;
    enum sync_answer answer = __real_sync_snapshot(sync, event);
    of_sync[from][sync->loads == loads       ? SYNC_EVENT_TOO_OLD
                  : sync->crossed != crossed ? SYNC_EVENT_BREAK
                                             : SYNC_EVENT_LOADED]++;
    return answer;
}

enum sync_answer __wrap_sync_restart(struct sync *sync, const struct feed_event *event)
{
    uint8_t from = sync->state;
    uint64_t crossed = sync->crossed;
    enum sync_answer answer = __real_sync_restart(sync, event);
    of_sync[from][sync->crossed != crossed ? SYNC_EVENT_BREAK : SYNC_EVENT_LOADED]++;
    return answer;
}

enum sync_answer __wrap_sync_break(struct sync *sync, const char *why)
{
    of_sync[sync->state][SYNC_EVENT_BREAK]++;
    return __real_sync_break(sync, why);
}

enum sync_answer __wrap_sync_lost(struct sync *sync)
{
    of_sync[sync->state][SYNC_EVENT_LOST]++;
    return __real_sync_lost(sync);
}

void __wrap_sync_near(struct sync *sync)
{
    of_sync[sync->state][SYNC_EVENT_NEAR] += sync->state == SYNC_SYNCED;
    __real_sync_near(sync);
}

static int cell(int state, int event)
{
    return sync_next((enum sync_state)state, (enum sync_event)event) >= 0;
}

/* clang-format off */
static const char *const states[SYNC_STATE_COUNT] = { "EMPTY", "BUFFERING", "SYNCED", "REFRESHING", "GAP" };
static const char *const events[SYNC_EVENT_COUNT] = { "DELTA", "LOADED", "TOO_OLD", "BREAK", "NEAR", "LOST" };
/* clang-format on */

const struct cover_table cover_sync = { "sync",     SYNC_STATE_COUNT, SYNC_EVENT_COUNT,
                                        of_sync[0], states,           events,
                                        cell };
