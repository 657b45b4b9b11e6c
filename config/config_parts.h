/* config_parts: what the sources of config/ share: faults, and where each value stands.
 *
 * Nobody outside this folder includes it.  Cold thread, at start. */
#ifndef POISE_CONFIG_CONFIG_PARTS_H
#define POISE_CONFIG_CONFIG_PARTS_H

#include "config/params_rows.h"

#define PLACE_BYTES       (CONFIG_PATH_BYTES + 16)
#define KEY_PATH_BYTES    128
#define LINE_OF_OVERRIDES (-1)

/* config_tell adds a fault; config_tell_quote one of a key of the i'th [[quote]], which it names first. */
__attribute__((format(printf, 3, 4))) void config_tell(struct config *config, int line, const char *form,
                                                       ...);
__attribute__((format(printf, 4, 5))) void config_tell_quote(struct config *config, uint32_t i,
                                                             const char *key, const char *form, ...);
/* config_tell_venue says that a name is no venue, and which it resembles. */
void config_tell_venue(struct config *config, int line, const char *name);
void config_sort_faults(struct config *config);

/* config_place writes "config/poise.toml:41", "override", or the file alone for line 0. */
const char *config_place(const struct config *config, int line, char out[PLACE_BYTES]);

/* config_key_path writes "risk.max_order", "venue.binance.ca_file", "quote.btc.size", or "quote[2].size"
 * while the element has no name. */
const char *config_key_path(const struct config *config, const char *section, uint32_t element,
                            const char *key, char out[KEY_PATH_BYTES]);

/* config_line_of is the line of a key's value; of a default its section's, so that there is a place to
 * write it. */
int config_line_of(const struct config *config, const char *section, const char *key, uint32_t element);

/* config_sound answers false for a value that was refused already: it is not held against another. */
bool config_sound(const struct config *config, const char *section, const char *key, uint32_t element);

struct config_value *config_value_of(const struct config *config, const struct params_row *row,
                                     uint32_t element);
uint32_t config_count_of(const struct config *config, const struct params_section *section);
char *config_element_of(const struct config *config, const struct params_section *section, uint32_t element);
void *config_field_of(const struct config *config, const struct params_row *row, uint32_t element);
int64_t config_integer(const void *field, uint16_t bytes);

/* config_check tells everything that does not fit together; live_named: a person said --live. */
void config_check(struct config *config, bool live_named);

#endif
