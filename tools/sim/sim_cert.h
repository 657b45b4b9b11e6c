/* sim_cert: the certificate authority and server certificate of a simulator on loopback.
 *
 * Made once in a folder: ca.pem (give it to clients), ca.key, srv.pem, srv.key.  The server certificate names
 * localhost, 127.0.0.1 and the venues' hosts, so that clients verify it under the names they always use. */
#ifndef TOOLS_SIM_SIM_CERT_H
#define TOOLS_SIM_SIM_CERT_H

#include <stdbool.h>
#include <stddef.h>

/* sim_cert_make makes the four files when any is missing; false with a sentence in error. */
bool sim_cert_make(const char *folder, char *error, size_t error_size);

#endif
