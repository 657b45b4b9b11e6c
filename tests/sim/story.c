#include "tests/sim/story.h"

#include "tests/sim/ask.h"
#include "tests/sim/disk.h"
#include "tests/sim/life.h"
#include "tests/sim/watch.h"
#include "tests/sim/world.h"

#include <stdlib.h>

static struct {
    uint64_t seed, begun_ns, end_ns;
    struct life_options options;
} story;

static int64_t draw(int64_t low, int64_t high)
{
    return sim_random_range(world_random(), low, high);
}

static bool chance(int64_t ppm)
{
    return sim_random_chance(world_random(), ppm);
}

/* ------------------------------------------------------------------ lives */

static void choose_machine(void)
{
    struct world_machine *machine = world_machine();
    machine->busy_ns = (uint64_t)draw(2, 200) * NS_PER_US;
    machine->idle_ns = (uint64_t)draw(1, 8) * NS_PER_MS;
    story.options.cold_ns = (uint64_t)draw(1, 15) * NS_PER_MS;
    story.options.three_loops = chance(300000);
    machine->shuffle = story.options.three_loops;
}

void story_run(uint64_t seed, const char *folder, bool log)
{
    memset(&story, 0, sizeof story);
    story.seed = seed;
    watch_start(seed);
    world_log(log);
    world_start(seed);
    ask_start(seed);
    disk_start(seed);
    life_start(folder);
    story.begun_ns = time_now.now_ns;
    story.end_ns = time_now.now_ns + (uint64_t)draw(300, 1800) * NS_PER_S;
    story.options = (struct life_options){ .seed = seed };
    choose_machine();
    story.options.stop_at_ns = story.end_ns;
    story.options.hurry_at_ns = UINT64_MAX;
    int code = life_run(&story.options);
    if (code != 0) {
        watch_violation("nothing was wrong, and the engine left with %d", code);
    }
    life_stop();
    world_stop();
}

/* ------------------------------------------------------------------ what was counted */

void story_tell(FILE *out)
{
    const struct watch_counts *w = watch_counts();
    const struct wire_counts *n = wire_counts();
    const struct life_counts *l = life_counts();
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "simulated_seconds", (time_now.now_ns - story.begun_ns) / NS_PER_S },
        { "records_consumed", w->records },
        { "records_said", w->said },
        { "executions", w->fills },
        { "orders", w->orders },
        { "amends", w->amends },
        { "cancels", w->cancels },
        { "queries", w->queries },
        { "hedges", w->hedges },
        { "rejects", w->rejects },
        { "lives", l->lives },
        { "links", n->links },
        { "bytes_to_venues", n->bytes_up },
        { "bytes_from_venues", n->bytes_down },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        fprintf(out, "%s %llu\n", rows[i].name, (unsigned long long)rows[i].value);
    }
    fprintf(out, "hash %llu\n", (unsigned long long)watch_hash());
}
