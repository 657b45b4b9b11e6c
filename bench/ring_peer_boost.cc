// boost::lockfree::spsc_queue behind ring_peer's interface.
#include "bench/ring_peer.h"

#include <boost/lockfree/spsc_queue.hpp>
#include <cstdlib>
#include <new>

namespace
{
using boost_queue = boost::lockfree::spsc_queue<ring_message, boost::lockfree::capacity<RING_SLOTS>>;

void *make(uint32_t slots)
{
    (void)slots;
    void *memory = std::aligned_alloc(256, (sizeof(boost_queue) + 255) / 256 * 256);
    return memory == nullptr ? nullptr : new (memory) boost_queue;
}

void destroy(void *q)
{
    static_cast<boost_queue *>(q)->~boost_queue();
    std::free(q);
}
} // namespace

#define LOOP(name) boost_##name
#define QUEUE      boost_queue
#define PUSH(q, m) ((q)->push(*(m)))
#define POP(q, m)  ((q)->pop(*(m)))
#include "bench/ring_loops.inc"

const struct ring_loops ring_loops_boost = LOOPS(make, destroy);
