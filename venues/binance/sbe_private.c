#include "venues/binance/report.h"
#include "venues/binance/sbe.h"

int64_t binance_sbe_private(struct binance_reader *reader, const char *bytes, size_t count)
{
    (void)bytes;
    (void)count;
    reader->why = "binary frames of the WebSocket API are not read";
    return PARSE_BROKEN;
}
