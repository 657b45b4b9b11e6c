/* fixtures: what the tests of every venue's fixtures share: decoded and compared, cut at every byte, and with
 * bytes changed.
 *
 * Expected lines lie in tests/data/fixtures/expected/<venue>/, one file a fixture.  They were written by the
 * decode tool (POISE_WRITE_EXPECTED=1 writes them anew) and then read against the fixtures and the venue's
 * page; a difference means that a message is understood otherwise than it was then. */
#ifndef POISE_TESTS_VENUES_FIXTURES_H
#define POISE_TESTS_VENUES_FIXTURES_H

#include "tests/venues/support.h"

#define FIXTURES_MAX           256
#define FIXTURES_ARGUMENTS_MAX 16

enum fixtures_part { FIXTURES_FEED, FIXTURES_PRIVATE, FIXTURES_REST, FIXTURES_PART_COUNT };

struct fixtures {
    const struct venue *venue; /* its name is the folder's */
    uint8_t (*product)(const char *name);

    /* kept says whether a file is a message at all; compared, whether expected lines lie beside it. */
    bool (*kept)(const char *name);
    bool (*compared)(const char *name);

    /* arguments adds to "decode VENUE" what a person would type for this fixture; answers the new count. */
    int (*arguments)(const char *name, char **arguments, int count);

    /* takes says whether a part may be handed such a text at all. */
    bool (*takes)(enum fixtures_part part, const char *name, const char *text);
};

bool fixtures_ends(const char *name, const char *with);

/* fixtures_compare decodes every compared fixture; answers how many there were. */
size_t fixtures_compare(const struct fixtures *fixtures);

/* fixtures_cut hands every prefix to every part of the venue, before a page that may not be read;
 * fixtures_change hands on copies with changed bytes. */
void fixtures_cut(const struct fixtures *fixtures);
void fixtures_change(const struct fixtures *fixtures);

#endif
