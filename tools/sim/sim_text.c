#include "tools/sim/sim_text.h"

#include "tools/sim/model/sim_decimal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct sim_text *text, size_t more)
{
    if (text->length + more + 1 <= text->capacity) {
        return;
    }
    size_t wanted = text->capacity == 0 ? 256 : text->capacity * 2;

    text->capacity = wanted < text->length + more + 1 ? text->length + more + 1 : wanted;
    text->data = realloc(text->data, text->capacity);
    if (text->data == NULL) {
        abort();
    }
}

void sim_text_put(struct sim_text *text, const void *bytes, size_t length)
{
    reserve(text, length);
    if (length > 0) {
        memcpy(text->data + text->length, bytes, length);
    }
    text->length += length;
    text->data[text->length] = '\0';
}

void sim_text_str(struct sim_text *text, const char *string)
{
    sim_text_put(text, string, strlen(string));
}

void sim_text_add(struct sim_text *text, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    reserve(text, (size_t)length);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
    va_end(again);
    text->length += (size_t)length;
}

void sim_text_quote(struct sim_text *text, const char *string)
{
    sim_text_put(text, "\"", 1);
    for (; *string != '\0'; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\') {
            char pair[2] = { '\\', (char)c };
            sim_text_put(text, pair, 2);
        } else if (c < 0x20) {
            sim_text_add(text, "\\u%04x", c);
        } else {
            sim_text_put(text, string, 1);
        }
    }
    sim_text_put(text, "\"", 1);
}

void sim_text_decimal(struct sim_text *text, __int128 value, int decimals, int show)
{
    char digits[80];

    sim_text_put(text, digits, sim_decimal_print(digits, value, decimals, show));
}

void sim_text_reset(struct sim_text *text)
{
    text->length = 0;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

void sim_text_free(struct sim_text *text)
{
    free(text->data);
    *text = (struct sim_text){ 0 };
}

void sim_text_misnumber(struct sim_text *text, const char *name)
{
    char *at = text->length > 0 ? strstr(text->data, name) : NULL;

    if (at == NULL) {
        return;
    }
    at += strcspn(at, "0123456789");
    at += strspn(at, "0123456789");
    at[-1] = at[-1] == '7' ? '3' : '7';
}
