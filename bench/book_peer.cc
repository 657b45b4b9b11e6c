#include "bench/book_peer.h"

#include <map>

namespace
{
struct tree {
    std::map<int64_t, int64_t> side[2];
};
} // namespace

void *book_peer_make(void)
{
    return new tree;
}

void book_peer_destroy(void *book)
{
    delete static_cast<tree *>(book);
}

void book_peer_set(void *book, int ask, int64_t price, int64_t qty)
{
    auto &side = static_cast<tree *>(book)->side[ask];
    if (qty == 0) {
        side.erase(price);
    } else {
        side[price] = qty;
    }
}

int64_t book_peer_best(void *book, int ask)
{
    auto &side = static_cast<tree *>(book)->side[ask];
    return side.empty() ? 0 : ask != 0 ? side.begin()->first : side.rbegin()->first;
}
