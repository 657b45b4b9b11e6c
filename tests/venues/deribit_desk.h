/* deribit_desk: a session of Deribit and what is said to it and by it. */
#ifndef POISE_TESTS_VENUES_DERIBIT_DESK_H
#define POISE_TESTS_VENUES_DERIBIT_DESK_H

#include "tests/venues/desk.h"
#include "venues/deribit/session.h"

/* The instruments of the table. */
enum { PERPETUAL, LINEAR, OPTION, SPOT };

/* deribit_desk_make makes the desk with BTC-PERPETUAL, ETH_USDC-PERPETUAL, BTC-27DEC24-100000-C and BTC_USDC;
 * deribit_desk_up brings its session up, step by step as it should. */
struct desk *deribit_desk_make(void);
struct desk *deribit_desk_up(void);

/* The next step must send this method; its params must hold the text.  Answers the id it carries. */
const char *deribit_desk_expect(struct desk *desk, const char *method, const char *holds);

/* deribit_desk_answer answers what was sent last: with a result, or an error's code. */
void deribit_desk_answer(struct desk *desk, const char *result);
void deribit_desk_refuse(struct desk *desk, int code);

/* The id of the request that stands in desk->body. */
const char *deribit_desk_id(const struct desk *desk);

#define DERIBIT_LOGIN                                                                                        \
    "{\"access_token\":\"t\",\"expires_in\":900,\"refresh_token\":\"r1\",\"scope\":\"account:read "          \
    "connection "                                                                                            \
    "trade:read_write wallet:none\",\"token_type\":\"bearer\"}"

#endif
