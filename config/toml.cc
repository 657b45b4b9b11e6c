#include "config/toml.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

/* toml++ asserts where a slip of the finger leads ("[.x]" is one), and with NDEBUG assumes instead: either
 * would end us, or worse.  Its promises are kept by throwing, and the file is refused like any other. */
namespace
{
struct broken_promise {
};
[[noreturn]] void break_promise()
{
    throw broken_promise();
}
} // namespace
#undef NDEBUG
#define TOML_ASSERT(promise) ((promise) ? (void)0 : break_promise())
#include <toml++/toml.h>

namespace
{

struct reader {
    std::string_view text;
    std::vector<size_t> line_start; /* byte offset of each line */
    std::vector<toml_entry> entries;
};

/* toml++ counts columns in characters, we cut bytes. */
size_t offset_of(const reader &reader, toml::source_position position)
{
    if (position.line == 0 || position.line > reader.line_start.size()) {
        return reader.text.size();
    }
    size_t at = reader.line_start[position.line - 1];
    for (toml::source_index column = 1; column < position.column && at < reader.text.size(); column++) {
        at++;
        while (at < reader.text.size() && (static_cast<unsigned char>(reader.text[at]) & 0xc0) == 0x80) {
            at++;
        }
    }
    return at;
}

void copy_name(char (&to)[TOML_NAME_BYTES], std::string_view from)
{
    size_t bytes = std::min(from.size(), sizeof to - 1);
    std::memcpy(to, from.data(), bytes);
    to[bytes] = '\0';
}

void add(reader &reader, toml_type type, const std::string &section, int element, std::string_view key,
         toml::source_position where, std::string_view text)
{
    toml_entry entry{};
    entry.type = type;
    entry.line = static_cast<int>(where.line);
    entry.column = static_cast<int>(where.column);
    entry.element = element;
    copy_name(entry.section, section);
    copy_name(entry.key, key);
    entry.text = static_cast<char *>(std::malloc(text.size() + 1));
    if (entry.text == nullptr) {
        std::abort(); /* at start, a few bytes: the machine is in no state to trade */
    }
    std::memcpy(entry.text, text.data(), text.size());
    entry.text[text.size()] = '\0';
    entry.text_bytes = text.size();
    reader.entries.push_back(entry);
}

std::string number_as_written(const reader &reader, const toml::node &node)
{
    size_t from = offset_of(reader, node.source().begin);
    size_t to = offset_of(reader, node.source().end);
    std::string digits(reader.text.substr(from, to > from ? to - from : 0));
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    return digits;
}

/* A broken promise does not say where: the first line that makes one, tried from the top. */
int first_broken_line(std::string_view text)
{
    int line = 1;
    for (size_t end = text.find('\n'); end != std::string_view::npos;
         end = text.find('\n', end + 1), line++) {
        try {
            (void)toml::parse(text.substr(0, end + 1));
        } catch (const toml::parse_error &) {
            continue; /* a text over several lines is not closed yet */
        } catch (const broken_promise &) {
            break;
        }
    }
    return line;
}

void walk(reader &reader, toml::table &table, const std::string &section, int element);

void walk_value(reader &reader, const std::string &section, int element, std::string_view key,
                toml::node &node)
{
    toml::source_position where = node.source().begin;

    switch (node.type()) {
    case toml::node_type::table:
        walk(reader, *node.as_table(), section.empty() ? std::string(key) : section + "." + std::string(key),
             element);
        break;
    case toml::node_type::string: {
        std::string &value = node.as_string()->get();
        add(reader, TOML_STRING, section, element, key, where, value);
        explicit_bzero(value.data(), value.size());
        break;
    }
    case toml::node_type::integer:
        add(reader, TOML_NUMBER, section, element, key, where, number_as_written(reader, node));
        break;
    case toml::node_type::floating_point: {
        std::string digits = number_as_written(reader, node);
        bool finite = digits.find_first_of("in") == std::string::npos; /* inf, nan */
        add(reader, finite ? TOML_NUMBER : TOML_OTHER, section, element, key, where, digits);
        break;
    }
    case toml::node_type::boolean:
        add(reader, TOML_BOOL, section, element, key, where, node.as_boolean()->get() ? "true" : "false");
        break;
    case toml::node_type::array:
        if (toml::array *array = node.as_array(); !array->empty() && array->is_array_of_tables()) {
            std::string path = section.empty() ? std::string(key) : section + "." + std::string(key);
            for (size_t i = 0; i < array->size(); i++) {
                walk(reader, *array->get(i)->as_table(), path, static_cast<int>(i));
            }
            break;
        }
        add(reader, TOML_OTHER, section, element, key, where, "an array");
        break;
    default:
        add(reader, TOML_OTHER, section, element, key, where, "a date or time");
        break;
    }
}

void walk(reader &reader, toml::table &table, const std::string &section, int element)
{
    if (!section.empty()) {
        add(reader, TOML_SECTION, section, element, "", table.source().begin, "");
    }
    for (auto &&[key, node] : table) {
        walk_value(reader, section, element, key.str(), node);
    }
}

} // namespace

bool toml_read(const char *text, size_t bytes, struct toml_list *list)
{
    *list = toml_list{};

    toml::table table;
    try {
        table = toml::parse(std::string_view(text, bytes));
    } catch (const toml::parse_error &error) {
        list->error_line = std::max(1, static_cast<int>(error.source().begin.line));
        std::string_view why = error.description();
        std::snprintf(list->error, sizeof list->error, "%.*s", static_cast<int>(why.size()), why.data());
        return false;
    } catch (const broken_promise &) {
        list->error_line = first_broken_line(std::string_view(text, bytes));
        std::snprintf(list->error, sizeof list->error, "the line cannot be understood");
        return false;
    }

    reader reader;
    reader.text = std::string_view(text, bytes);
    reader.line_start.push_back(0);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n') {
            reader.line_start.push_back(i + 1);
        }
    }
    walk(reader, table, "", -1);

    /* toml++ keeps keys in alphabetical order; people read files from the top. */
    std::stable_sort(reader.entries.begin(), reader.entries.end(),
                     [](const toml_entry &a, const toml_entry &b) {
                         return a.line != b.line ? a.line < b.line : a.column < b.column;
                     });

    list->entry = static_cast<toml_entry *>(std::calloc(reader.entries.size() + 1, sizeof(toml_entry)));
    if (list->entry == nullptr) {
        std::abort();
    }
    std::copy(reader.entries.begin(), reader.entries.end(), list->entry);
    list->count = static_cast<uint32_t>(reader.entries.size());
    return true;
}

void toml_free(struct toml_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        explicit_bzero(list->entry[i].text, list->entry[i].text_bytes);
        std::free(list->entry[i].text);
    }
    std::free(list->entry);
    *list = toml_list{};
}
