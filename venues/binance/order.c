#include "venues/binance/product.h"

const struct venue_order binance_order = { .session_bytes = sizeof(struct venue_session) };
