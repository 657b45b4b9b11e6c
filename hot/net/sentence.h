/* sentence writes a line for people: at start, and when a TLS connection ends in failure.  Never per
 * message. */
#ifndef POISE_HOT_NET_SENTENCE_H
#define POISE_HOT_NET_SENTENCE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* sentence is snprintf, cut to fit. */
__attribute__((format(printf, 3, 4))) static inline void sentence(char *out, size_t room, const char *format,
                                                                  ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(out, room, format, args); /* tidy: at start, or at a connection's end */
    va_end(args);
}

#endif
