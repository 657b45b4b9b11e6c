#include "bench/parse_peer.h"

#include <cstdio>
#include <simdjson.h>

#define TEXT_OF(x)            #x
#define TEXT_OF_VALUE(x)      TEXT_OF(x)
#define SIMDJSON_VERSION_TEXT TEXT_OF_VALUE(SIMDJSON_VERSION)

using namespace simdjson;

namespace
{
ondemand::parser parser;

// "61800.20" as 6180020: the venue prints the unit's decimals, so leaving out the point is enough.
int64_t units(std::string_view text)
{
    int64_t value = 0;
    for (char c : text) {
        if (c != '.') {
            value = value * 10 + (c - '0');
        }
    }
    return value;
}

uint32_t side(ondemand::array levels, int64_t (*out)[2])
{
    uint32_t count = 0;
    for (auto level : levels) {
        int part = 0;
        for (auto number : level.get_array()) {
            out[count][part++] = units(number.get_string());
        }
        count++;
    }
    return count;
}
} // namespace

int parse_peer_depth(const char *text, size_t bytes, struct parse_peer_answer *answer)
{
    try {
        ondemand::document document = parser.iterate(padded_string_view(text, bytes, bytes + 128));
        ondemand::object data = document["data"].get_object();
        if (std::string_view(data["e"]) != "depthUpdate") {
            return 0;
        }
        answer->time_ms = data["E"].get_int64();
        if (std::string_view(data["s"]) != "BTCUSDT") {
            return 0;
        }
        answer->last = data["u"].get_uint64();
        answer->bid_count = side(data["b"].get_array(), answer->bid);
        answer->ask_count = side(data["a"].get_array(), answer->ask);
        return 1;
    } catch (simdjson_error &) {
        return 0;
    }
}

int parse_peer_ticker(const char *text, size_t bytes, struct parse_peer_answer *answer)
{
    try {
        ondemand::document document = parser.iterate(padded_string_view(text, bytes, bytes + 128));
        ondemand::object data = document["data"].get_object();
        if (std::string_view(data["e"]) != "bookTicker") {
            return 0;
        }
        answer->last = data["u"].get_uint64();
        if (std::string_view(data["s"]) != "BTCUSDT") {
            return 0;
        }
        answer->bid[0][0] = units(data["b"]);
        answer->bid[0][1] = units(data["B"]);
        answer->ask[0][0] = units(data["a"]);
        answer->ask[0][1] = units(data["A"]);
        answer->time_ms = data["E"].get_int64();
        answer->bid_count = answer->ask_count = 1;
        return 1;
    } catch (simdjson_error &) {
        return 0;
    }
}

const char *parse_peer_name(void)
{
    static char name[64];
    std::snprintf(name, sizeof name, "simdjson %s %s", SIMDJSON_VERSION_TEXT,
                  get_active_implementation()->name().c_str());
    return name;
}
