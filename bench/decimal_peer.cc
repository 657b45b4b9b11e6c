#include "bench/decimal_peer.h"

#include <charconv>

int64_t decimal_peer_parse(const char *text, size_t bytes)
{
    double value = 0;
    std::from_chars(text, text + bytes, value);
    return static_cast<int64_t>(value * 1e8 + 0.5);
}

size_t decimal_peer_print(char *out, size_t bytes, int64_t value)
{
    auto result =
        std::to_chars(out, out + bytes, static_cast<double>(value) / 1e8, std::chars_format::fixed, 8);
    return static_cast<size_t>(result.ptr - out);
}
