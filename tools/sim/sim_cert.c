#include "tools/sim/sim_cert.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char names[] =
    "DNS:localhost,IP:127.0.0.1,DNS:*.binance.com,DNS:*.binance.vision,DNS:*.testnet.binance.vision,"
    "DNS:*.binancefuture.com,DNS:*.bybit.com,DNS:*.okx.com,DNS:*.gateio.ws,DNS:*.gate.io,DNS:*.hyperliquid."
    "xyz,DNS:*.deribit.com,"
    "DNS:*.backpack.exchange,DNS:*.bitmex.com,DNS:*.alpaca.markets,DNS:*.data.alpaca.markets";

static bool extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return good;
}

static X509 *certificate(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    unsigned char serial[8];

    RAND_bytes(serial, sizeof serial);
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    X509_set_version(cert, 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), 10L * 365 * 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));

    bool ca = issuer == NULL;
    bool good =
        extend(cert, ca ? cert : issuer, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE") &&
        extend(cert, ca ? cert : issuer, NID_subject_key_identifier, "hash") &&
        extend(cert, ca ? cert : issuer, NID_key_usage,
               ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (!ca) {
        good = good && extend(cert, issuer, NID_subject_alt_name, names) &&
               extend(cert, issuer, NID_ext_key_usage, "serverAuth") &&
               extend(cert, issuer, NID_authority_key_identifier, "keyid");
    }
    if (!good || X509_sign(cert, issuer_key, EVP_sha256()) == 0) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static bool write_pem(const char *folder, const char *name, X509 *cert, EVP_PKEY *key)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, key != NULL ? 0600 : 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        return false;
    }
    int done =
        key != NULL ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) : PEM_write_X509(file, cert);

    return fclose(file) == 0 && done == 1;
}

bool sim_cert_make(const char *folder, char *error, size_t error_size)
{
    static const char *const files[] = { "ca.pem", "ca.key", "srv.pem", "srv.key" };
    bool all = true;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "%s: %s", folder, strerror(errno));
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        all = all && access(path, R_OK) == 0;
    }
    if (all) {
        return true;
    }
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key == NULL ? NULL : certificate(ca_key, "poise test CA", NULL, ca_key);
    X509 *cert = ca == NULL || key == NULL ? NULL : certificate(key, "localhost", ca, ca_key);
    bool good = cert != NULL && write_pem(folder, "ca.key", NULL, ca_key) &&
                write_pem(folder, "ca.pem", ca, NULL) && write_pem(folder, "srv.key", NULL, key) &&
                write_pem(folder, "srv.pem", cert, NULL);

    if (!good) {
        snprintf(error, error_size, "%s: the certificates could not be made", folder);
    }
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return good;
}
