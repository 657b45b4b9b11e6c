/* sim_decimal: exact decimals between text and integers.
 *
 * A value is an integer count of 10^-decimals units.  Nothing passes through a double.  Pure: any thread. */
#ifndef TOOLS_SIM_MODEL_SIM_DECIMAL_H
#define TOOLS_SIM_MODEL_SIM_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_decimal_status {
    SIM_DECIMAL_OK,
    SIM_DECIMAL_MALFORMED, /* not a decimal number, empty, or beyond int64 */
    SIM_DECIMAL_TOO_FINE,  /* has non-zero digits below the unit */
};

/* sim_decimal_parse reads text[0..length) as a count of 10^-decimals.  Zeros below the unit are accepted
 * ("61800.20" with one decimal is 618002); other digits there answer TOO_FINE.  No exponent, no spaces;
 * a leading '-' is allowed.  *units is written only on OK. */
enum sim_decimal_status sim_decimal_parse(const char *text, size_t length, int decimals, int64_t *units);

/* sim_decimal_print writes value (a count of 10^-decimals) with exactly `show` decimals, padding with zeros;
 * show must not be below decimals.  Answers the length.  out needs 64 bytes. */
size_t sim_decimal_print(char *out, __int128 value, int decimals, int show);

/* sim_decimal_trim writes value with trailing zeros and a bare point removed ("1.50" gives "1.5").
 * Answers the length.  out needs 64 bytes. */
size_t sim_decimal_trim(char *out, __int128 value, int decimals);

/* sim_decimal_power answers 10^n for 0 <= n <= 18. */
int64_t sim_decimal_power(int n);

/* sim_decimal_floor answers a / b rounded toward minus infinity; b > 0. */
__int128 sim_decimal_floor(__int128 a, __int128 b);

#endif
