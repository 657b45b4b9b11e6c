/* no_heap: counts what asks the heap for memory.  Programs that include it are linked with
 * --wrap=malloc,calloc,realloc, so only code inside the program is counted, not the C library's own. */
#ifndef POISE_TESTS_NO_HEAP_H
#define POISE_TESTS_NO_HEAP_H

#include <stddef.h>
#include <stdint.h>

extern uint64_t no_heap_takes;

#endif
