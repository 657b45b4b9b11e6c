#include "bench/fused_conn.h"
/* the role itself, after its names were changed */
#include "hot/feed/feed.c"
