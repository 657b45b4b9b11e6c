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

// A bare number in units of so many decimals: exact, so not by way of a double.
int64_t bare_units(std::string_view text, int decimals)
{
    int64_t value = 0;
    int behind = -1;
    for (char c : text) {
        if (c == '.') {
            behind = 0;
        } else if (c >= '0' && c <= '9') {
            if (behind == decimals) {
                continue; // a nought, by the venue's tick
            }
            value = value * 10 + (c - '0');
            behind += behind >= 0;
        }
    }
    for (int i = behind < 0 ? 0 : behind; i < decimals; i++) {
        value *= 10;
    }
    return value;
}

uint32_t bare_side(ondemand::array levels, int64_t (*out)[2])
{
    uint32_t count = 0;
    for (auto level : levels) {
        int part = 0;
        bool deletion = false;
        for (auto value : level.get_array()) {
            if (part == 0) {
                deletion = std::string_view(value.get_string()) == "delete";
            } else {
                out[count][part - 1] = bare_units(value.raw_json_token(), part == 1 ? 2 : 0);
            }
            part++;
        }
        if (deletion) {
            out[count][1] = 0;
        }
        count++;
    }
    return count;
}
} // namespace

int parse_peer_book(const char *text, size_t bytes, struct parse_peer_answer *answer)
{
    try {
        ondemand::document document = parser.iterate(padded_string_view(text, bytes, bytes + 128));
        ondemand::object data = document["params"]["data"].get_object();
        if (std::string_view(data["type"]) != "change") {
            return 0;
        }
        answer->time_ms = data["timestamp"].get_int64();
        if (data["prev_change_id"].get_uint64().value() == 0 ||
            std::string_view(data["instrument_name"]) != "BTC-PERPETUAL") {
            return 0;
        }
        answer->last = data["change_id"].get_uint64();
        answer->bid_count = bare_side(data["bids"].get_array(), answer->bid);
        answer->ask_count = bare_side(data["asks"].get_array(), answer->ask);
        return 1;
    } catch (simdjson_error &) {
        return 0;
    }
}

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
