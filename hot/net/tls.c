/* wolfSSL keeps the state machine; this file gives it bytes, memory and a cipher.
 *
 * wolfSSL's callbacks for memory and ciphers are global and say nothing about the connection.  Every call
 * into wolfSSL therefore happens between enter() and leave(), and `inside` names, for this thread, the
 * connection at work.  A cipher key is bound to its Aes object once, through the object's device context;
 * wolfSSL zeroes that object whenever it changes keys, which unbinds it. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/error-ssl.h>

#include "hot/net/tls.h"
#include "hot/net/sentence.h"
#include "hot/net/tls_cipher.h"
#include "hot/net/tls_pool.h"

#include <arpa/inet.h>
#include <pthread.h>

#include <string.h>

enum { DEVICE = 1, ERROR_BYTES = 160, HOST_BYTES = 256 };

/* Measured with wolfSSL 5.5.4: an open connection holds 130 KiB; the thread's tables of curve multiples,
 * built by its first handshakes and kept, 3.3 MiB. */
enum { POOL_BYTES_FIXED = 6 << 20, POOL_BYTES_EACH = 256 << 10 };
enum { SEALING, OPENING, DIRECTIONS };

static const char system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

/* AES-128-GCM first: it is the cheapest here, and no weaker where it matters. */
static const char suites[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
                             "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                             "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                             "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* One direction's key, and the raw key it was expanded from. */
struct bound_key {
    struct tls_cipher_key key;
    uint8_t raw[32];
    size_t raw_bytes;
};

struct tls {
    struct bound_key keys[DIRECTIONS];
    struct tls_context *context;
    WOLFSSL *ssl;
    WOLFSSL_SESSION *ticket;
    tls_emit emit;
    void *emit_ctx;
    const uint8_t *window;
    size_t window_len;
    enum tls_state state;
    bool emit_refused;
    bool resumed;
    char host[HOST_BYTES];
    char error[ERROR_BYTES];
};

struct tls_context {
    struct tls_pool pool;
    WOLFSSL_CTX *ctx;
    const struct tls_cipher *cipher;
    struct tls *connections;
    uint32_t connection_max;
    uint32_t connection_count;
    struct tls_counters counters;
};

static _Thread_local struct tls *inside;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static bool library_ready;

static void enter(struct tls *tls)
{
    inside = tls;
}

static void leave(void)
{
    inside = NULL;
}

static struct tls_pool *pool_inside(void)
{
    return inside != NULL ? &inside->context->pool : NULL;
}

static void *library_malloc(size_t bytes)
{
    return tls_pool_take(pool_inside(), bytes);
}

static void library_free(void *block)
{
    tls_pool_give(block);
}

static void *library_realloc(void *block, size_t bytes)
{
    return tls_pool_resize(pool_inside(), block, bytes);
}

/* key_of answers the expanded key of a cipher object, expanding it when the object is new or was given
 * another key. */
static struct tls_cipher_key *key_of(Aes *aes, int direction)
{
    struct bound_key *bound = aes->devCtx;

    if (bound != NULL && bound->raw_bytes == (size_t)aes->keylen &&
        memcmp(bound->raw, aes->devKey, bound->raw_bytes) == 0) {
        return &bound->key;
    }
    if (inside == NULL || (aes->keylen != 16 && aes->keylen != 32)) {
        return NULL;
    }

    bound = &inside->keys[direction];
    if (!inside->context->cipher->key_set(&bound->key, (const uint8_t *)aes->devKey, (size_t)aes->keylen)) {
        return NULL;
    }
    bound->raw_bytes = (size_t)aes->keylen;
    memcpy(bound->raw, aes->devKey, bound->raw_bytes);
    aes->devCtx = bound;
    inside->context->counters.key_changes++;
    return &bound->key;
}

/* serve is wolfSSL's crypto callback.  What it does not take, wolfSSL computes itself. */
static int serve(int device, wc_CryptoInfo *info, void *ctx)
{
    (void)device;
    (void)ctx;
    if (info->algo_type != WC_ALGO_TYPE_CIPHER || info->cipher.type != WC_CIPHER_AES_GCM || inside == NULL) {
        return CRYPTOCB_UNAVAILABLE;
    }

    struct tls_context *context = inside->context;

    if (info->cipher.enc) {
        __typeof__(info->cipher.aesgcm_enc) *e = &info->cipher.aesgcm_enc;
        struct tls_cipher_key *key = key_of(e->aes, SEALING);

        if (key == NULL || e->ivSz != TLS_CIPHER_IV_BYTES || e->authTagSz != TLS_CIPHER_TAG_BYTES) {
            return CRYPTOCB_UNAVAILABLE;
        }
        context->counters.records_sealed++;
        return context->cipher->seal(key, e->iv, e->authIn, e->authInSz, e->in, e->sz, e->out, e->authTag)
                   ? 0
                   : AES_GCM_AUTH_E;
    }

    __typeof__(info->cipher.aesgcm_dec) *d = &info->cipher.aesgcm_dec;
    struct tls_cipher_key *key = key_of(d->aes, OPENING);

    if (key == NULL || d->ivSz != TLS_CIPHER_IV_BYTES || d->authTagSz != TLS_CIPHER_TAG_BYTES) {
        return CRYPTOCB_UNAVAILABLE;
    }
    context->counters.records_opened++;
    return context->cipher->open(key, d->iv, d->authIn, d->authInSz, d->in, d->sz, d->out, d->authTag)
               ? 0
               : AES_GCM_AUTH_E;
}

static int pull(WOLFSSL *ssl, char *out, int room, void *ctx)
{
    struct tls *tls = ctx;
    size_t n = (size_t)room < tls->window_len ? (size_t)room : tls->window_len;

    (void)ssl;
    if (n == 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    memcpy(out, tls->window, n);
    tls->window += n;
    tls->window_len -= n;
    return (int)n;
}

static int push(WOLFSSL *ssl, char *bytes, int len, void *ctx)
{
    struct tls *tls = ctx;

    (void)ssl;
    if (!tls->emit(tls->emit_ctx, (const uint8_t *)bytes, (size_t)len)) {
        tls->emit_refused = true;
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    return len;
}

static void start_library(void)
{
    library_ready = wolfSSL_SetAllocators(library_malloc, library_free, library_realloc) == 0 &&
                    wolfSSL_Init() == WOLFSSL_SUCCESS && wc_CryptoCb_RegisterDevice(DEVICE, serve, NULL) == 0;
}

static bool set_up(struct tls_context *context, const struct tls_options *o, char *error, size_t error_bytes)
{
    const char *bundle = o->ca_path != NULL ? o->ca_path : system_bundle;
    /* The first group gets the key share in the hello. */
    int groups[] = { WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1 };

    context->cipher = tls_cipher_pick(o->cipher_backend);
    if (context->cipher == NULL) {
        sentence(error, error_bytes, "no AES-GCM library%s%s works on this machine",
                 o->cipher_backend != NULL ? " named " : "",
                 o->cipher_backend != NULL ? o->cipher_backend : "");
        return false;
    }
    context->ctx = wolfSSL_CTX_new(o->only_tls12 ? wolfTLSv1_2_client_method() : wolfTLS_client_method());
    if (context->ctx == NULL) {
        sentence(error, error_bytes, "wolfSSL gave no context");
        return false;
    }
    wolfSSL_CTX_set_verify(context->ctx, WOLFSSL_VERIFY_PEER, NULL);
    wolfSSL_CTX_SetIORecv(context->ctx, pull);
    wolfSSL_CTX_SetIOSend(context->ctx, push);
    /* Tickets are kept here, per connection; wolfSSL's own cache is global and locked. */
    wolfSSL_CTX_set_session_cache_mode(context->ctx, WOLFSSL_SESS_CACHE_OFF);
    if (wolfSSL_CTX_SetMinVersion(context->ctx, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_set_cipher_list(context->ctx, o->ciphers != NULL ? o->ciphers : suites) !=
            WOLFSSL_SUCCESS ||
        wolfSSL_CTX_SetDevId(context->ctx, DEVICE) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_set_group_messages(context->ctx) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_set_groups(context->ctx, groups, sizeof groups / sizeof groups[0]) != WOLFSSL_SUCCESS) {
        sentence(error, error_bytes, "wolfSSL refused the TLS versions, ciphers or groups");
        return false;
    }
    if (wolfSSL_CTX_load_verify_locations(context->ctx, bundle, NULL) != WOLFSSL_SUCCESS) {
        sentence(error, error_bytes, "%s: no certificate authorities could be read from it", bundle);
        return false;
    }
    return true;
}

bool tls_context_create(struct tls_context **out, const struct tls_options *options, char *error,
                        size_t error_bytes)
{
    uint32_t max = options->connection_max != 0 ? options->connection_max : 16;
    size_t pool_bytes = POOL_BYTES_FIXED + (size_t)max * POOL_BYTES_EACH;

    *out = NULL;
    pthread_once(&library_once, start_library);
    if (!library_ready) {
        sentence(error, error_bytes, "wolfSSL did not start");
        return false;
    }

    struct tls_context *context = net_take(&options->memory, sizeof *context, 64);
    struct tls *connections = net_take(&options->memory, max * sizeof *connections, 64);
    void *pool = net_take(&options->memory, pool_bytes, 64);

    if (context == NULL || connections == NULL || pool == NULL) {
        sentence(error, error_bytes, "no memory for %u TLS connections", max);
        return false;
    }
    memset(context, 0, sizeof *context);
    memset(connections, 0, max * sizeof *connections);
    tls_pool_init(&context->pool, pool, pool_bytes);
    context->connections = connections;
    context->connection_max = max;
    if (!set_up(context, options, error, error_bytes)) {
        wolfSSL_CTX_free(context->ctx);
        return false;
    }
    *out = context;
    return true;
}

const char *tls_cipher_backend(const struct tls_context *context)
{
    return context->cipher->name;
}

const struct tls_counters *tls_counters(const struct tls_context *context)
{
    struct tls_counters *c = (struct tls_counters *)&context->counters;

    c->pool_takes = context->pool.takes;
    c->system_takes = context->pool.system_takes;
    c->pool_peak_bytes = (uint64_t)(context->pool.next - context->pool.begin);
    return c;
}

struct tls *tls_create(struct tls_context *context)
{
    if (context->connection_count == context->connection_max) {
        return NULL;
    }

    struct tls *tls = &context->connections[context->connection_count++];

    tls->context = context;
    tls->state = TLS_IDLE;
    return tls;
}

static void drop_ticket(struct tls *tls)
{
    if (tls->ticket != NULL) {
        wolfSSL_SESSION_free(tls->ticket);
        tls->ticket = NULL;
    }
}

/* drop_session frees the session and wipes its keys; its ticket, if the server gave one, stays for the
 * next. */
static void drop_session(struct tls *tls)
{
    if (tls->ssl == NULL) {
        return;
    }
    if (tls->state == TLS_OPEN || tls->state == TLS_CLOSED) {
        WOLFSSL_SESSION *session = wolfSSL_get1_session(tls->ssl);

        if (session != NULL && wolfSSL_SESSION_has_ticket(session)) {
            drop_ticket(tls);
            tls->ticket = session;
        } else if (session != NULL) {
            wolfSSL_SESSION_free(session);
        }
    }
    wolfSSL_free(tls->ssl);
    tls->ssl = NULL;
    for (int d = 0; d < DIRECTIONS; d++) {
        tls->context->cipher->key_clear(&tls->keys[d].key);
        explicit_bzero(tls->keys[d].raw, sizeof tls->keys[d].raw);
        tls->keys[d].raw_bytes = 0;
    }
}

void tls_context_destroy(struct tls_context *context)
{
    if (context == NULL) {
        return;
    }
    for (uint32_t i = 0; i < context->connection_count; i++) {
        struct tls *tls = &context->connections[i];

        enter(tls);
        drop_session(tls);
        drop_ticket(tls);
        leave();
    }
    wolfSSL_CTX_free(context->ctx);
    context->ctx = NULL;
}

static enum tls_state fail(struct tls *tls, const char *what, int code)
{
    char words[WOLFSSL_MAX_ERROR_SZ] = "";

    if (tls->emit_refused) {
        sentence(tls->error, sizeof tls->error, "%s: the socket took no more", what);
    } else if (code != 0) {
        wolfSSL_ERR_error_string((unsigned long)(code < 0 ? -code : code), words);
        if (words[0] == '\0' || strstr(words, "unknown") != NULL) {
            wolfSSL_ERR_error_string((unsigned long)code, words);
        }
        sentence(tls->error, sizeof tls->error, "%s: %s (wolfSSL %d)", what, words, code);
    } else {
        sentence(tls->error, sizeof tls->error, "%s", what);
    }
    tls->state = TLS_FAILED;
    return TLS_FAILED;
}

static bool is_numeric(const char *host)
{
    uint8_t address[16];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* prepare makes the wolfSSL session: verification first, so that nothing can go out without it. */
static bool prepare(struct tls *tls)
{
    const char *host = tls->host;

    tls->ssl = wolfSSL_new(tls->context->ctx);
    if (tls->ssl == NULL) {
        return false;
    }
    wolfSSL_set_verify(tls->ssl, WOLFSSL_VERIFY_PEER, NULL);
    if (is_numeric(host)) {
        WOLFSSL_X509_VERIFY_PARAM *param = wolfSSL_get0_param(tls->ssl);

        if (param == NULL || wolfSSL_X509_VERIFY_PARAM_set1_ip_asc(param, host) != WOLFSSL_SUCCESS) {
            return false;
        }
    } else if (wolfSSL_check_domain_name(tls->ssl, host) != WOLFSSL_SUCCESS ||
               wolfSSL_UseSNI(tls->ssl, WOLFSSL_SNI_HOST_NAME, host, (word16)strlen(host)) !=
                   WOLFSSL_SUCCESS) {
        return false;
    }
    wolfSSL_SetIOReadCtx(tls->ssl, tls);
    wolfSSL_SetIOWriteCtx(tls->ssl, tls);
    if (wolfSSL_UseSessionTicket(tls->ssl) != WOLFSSL_SUCCESS) {
        return false;
    }
    if (tls->ticket != NULL && wolfSSL_set_session(tls->ssl, tls->ticket) != WOLFSSL_SUCCESS) {
        drop_ticket(tls); /* expired: a full handshake serves as well */
    }
    return true;
}

/* shake moves the handshake on as far as the window allows. */
static enum tls_state shake(struct tls *tls)
{
    int answer = wolfSSL_connect(tls->ssl);

    if (answer == WOLFSSL_SUCCESS) {
        tls->resumed = wolfSSL_session_reused(tls->ssl) == 1;
        return tls->state = TLS_OPEN;
    }

    int code = wolfSSL_get_error(tls->ssl, answer);

    if (code == WOLFSSL_ERROR_WANT_READ) {
        return TLS_HANDSHAKE;
    }
    drop_ticket(tls); /* whatever it was, it did not help */
    return fail(tls, "handshake", code);
}

enum tls_state tls_start(struct tls *tls, const char *host, tls_emit emit, void *ctx)
{
    size_t host_len = strlen(host);

    enter(tls);
    drop_session(tls);
    tls->emit = emit;
    tls->emit_ctx = ctx;
    tls->emit_refused = false;
    tls->resumed = false;
    tls->window = NULL;
    tls->window_len = 0;
    tls->error[0] = '\0';
    if (host_len == 0 || host_len >= sizeof tls->host) {
        leave();
        return fail(tls, "host name is empty or too long", 0);
    }
    if (strcmp(tls->host, host) != 0) {
        drop_ticket(tls);
        memcpy(tls->host, host, host_len + 1);
    }
    if (!prepare(tls)) {
        leave();
        return fail(tls, "wolfSSL gave no session", 0);
    }
    tls->state = TLS_HANDSHAKE;

    enum tls_state state = shake(tls);

    leave();
    return state;
}

void tls_input(struct tls *tls, const uint8_t *bytes, size_t len)
{
    tls->window = bytes;
    tls->window_len = len;
}

long tls_read(struct tls *tls, uint8_t *out, size_t out_bytes)
{
    if (tls->state != TLS_HANDSHAKE && tls->state != TLS_OPEN) {
        return -1;
    }

    enter(tls);
    if (tls->state == TLS_HANDSHAKE && shake(tls) != TLS_OPEN) {
        leave();
        return tls->state == TLS_HANDSHAKE ? 0 : -1;
    }
    /* wolfSSL takes one record at a time out of the window and keeps none back, so an empty window and
     * nothing pending mean that asking it could only fail, slowly: half of what a record costs to open. */
    if (tls->window_len == 0 && wolfSSL_pending(tls->ssl) == 0) {
        leave();
        return 0;
    }

    int n = wolfSSL_read(tls->ssl, out, (int)(out_bytes < 1 << 24 ? out_bytes : 1 << 24));

    if (n > 0) {
        leave();
        return n;
    }

    int code = wolfSSL_get_error(tls->ssl, n);

    leave();
    if (code == WOLFSSL_ERROR_WANT_READ) {
        return 0;
    }
    if (code == WOLFSSL_ERROR_ZERO_RETURN) {
        tls->state = TLS_CLOSED;
        return -1;
    }
    fail(tls, "read", code);
    return -1;
}

bool tls_send(struct tls *tls, const uint8_t *bytes, size_t len)
{
    if (tls->state != TLS_OPEN) {
        return false;
    }

    enter(tls);
    int n = wolfSSL_write(tls->ssl, bytes, (int)len);
    if (n == (int)len) {
        leave();
        return true;
    }
    fail(tls, "write", wolfSSL_get_error(tls->ssl, n));
    leave();
    return false;
}

void tls_stop(struct tls *tls)
{
    enter(tls);
    if (tls->state == TLS_OPEN && !tls->emit_refused) {
        (void)wolfSSL_shutdown(tls->ssl);
    }
    drop_session(tls);
    leave();
    tls->state = TLS_IDLE;
}

enum tls_state tls_state(const struct tls *tls)
{
    return tls->state;
}

const char *tls_error(const struct tls *tls)
{
    return tls->error;
}

bool tls_resumed(const struct tls *tls)
{
    return tls->resumed;
}

const char *tls_version(const struct tls *tls)
{
    return tls->ssl != NULL ? wolfSSL_get_version(tls->ssl) : "";
}

const char *tls_suite(const struct tls *tls)
{
    return tls->ssl != NULL ? wolfSSL_get_cipher_name(tls->ssl) : "";
}
