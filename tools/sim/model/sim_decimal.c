#include "tools/sim/model/sim_decimal.h"

#include <string.h>

int64_t sim_decimal_power(int n)
{
    int64_t power = 1;

    for (int i = 0; i < n; i++) {
        power *= 10;
    }
    return power;
}

__int128 sim_decimal_floor(__int128 a, __int128 b)
{
    __int128 quotient = a / b;

    return quotient * b > a ? quotient - 1 : quotient;
}

enum sim_decimal_status sim_decimal_parse(const char *text, size_t length, int decimals, int64_t *units)
{
    size_t at = 0;
    bool negative = false, digits = false, point = false, fine = false;
    int left = decimals;
    __int128 value = 0;

    if (at < length && text[at] == '-') {
        negative = true;
        at++;
    }
    for (; at < length; at++) {
        char c = text[at];
        if (c == '.') {
            if (point) {
                return SIM_DECIMAL_MALFORMED;
            }
            point = true;
            continue;
        }
        if (c < '0' || c > '9') {
            return SIM_DECIMAL_MALFORMED;
        }
        digits = true;
        if (point && left == 0) {
            fine = fine || c != '0';
            continue;
        }
        value = value * 10 + (c - '0');
        if (value > INT64_MAX) {
            return SIM_DECIMAL_MALFORMED;
        }
        if (point) {
            left--;
        }
    }
    if (!digits) {
        return SIM_DECIMAL_MALFORMED;
    }
    for (; left > 0; left--) {
        value *= 10;
        if (value > INT64_MAX) {
            return SIM_DECIMAL_MALFORMED;
        }
    }
    if (fine) {
        return SIM_DECIMAL_TOO_FINE;
    }
    *units = (int64_t)(negative ? -value : value);
    return SIM_DECIMAL_OK;
}

size_t sim_decimal_print(char *out, __int128 value, int decimals, int show)
{
    char reversed[64];
    size_t count = 0, length = 0;
    bool negative = value < 0;
    unsigned __int128 rest = negative ? -(unsigned __int128)value : (unsigned __int128)value;

    for (int i = decimals; i < show && count < 20; i++) {
        reversed[count++] = '0';
    }
    for (int i = 0; i < decimals; i++) {
        reversed[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (show > 0) {
        reversed[count++] = '.';
    }
    do {
        reversed[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest != 0 && count < sizeof reversed - 2);
    if (negative) {
        reversed[count++] = '-';
    }
    while (count > 0) {
        out[length++] = reversed[--count];
    }
    out[length] = '\0';
    return length;
}

size_t sim_decimal_trim(char *out, __int128 value, int decimals)
{
    size_t length = sim_decimal_print(out, value, decimals, decimals);

    if (memchr(out, '.', length) == NULL) {
        return length;
    }
    while (out[length - 1] == '0') {
        length--;
    }
    if (out[length - 1] == '.') {
        length--;
    }
    out[length] = '\0';
    return length;
}
