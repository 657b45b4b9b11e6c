/* tls_cipher_list names the libraries compiled in, for tls_cipher.c and the sources that
 * wrap one each. */
#ifndef POISE_HOT_NET_TLS_CIPHER_LIST_H
#define POISE_HOT_NET_TLS_CIPHER_LIST_H

#include "hot/net/tls_cipher.h"

#ifdef POISE_HAVE_IPSEC_MB
extern const struct tls_cipher tls_cipher_mb;
#endif
extern const struct tls_cipher tls_cipher_evp;

/* tls_cipher_known_answer seals and opens a published vector, and refuses a false tag. */
bool tls_cipher_known_answer(const struct tls_cipher *cipher);

#endif
