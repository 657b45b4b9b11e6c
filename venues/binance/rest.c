#include "venues/binance/product.h"

const struct venue_rest binance_rest = { .request = NULL };
