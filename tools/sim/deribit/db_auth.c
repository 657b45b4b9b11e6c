#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CLOCK_MS     60000
#define USUAL_LIFE_S 31536000

void db_auth_hex(const char *secret, const char *text, size_t length, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;

    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, length, digest, &size);
    for (unsigned int i = 0; i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[64] = '\0';
}

static int find_key(const struct db_shell *shell, const char *id)
{
    for (int i = 0; i < shell->key_count; i++) {
        if (id != NULL && strcmp(shell->key[i].id, id) == 0) {
            return i;
        }
    }
    return -1;
}

/* --- scopes -------------------------------------------------------------------------------------------- */

static enum db_access access_of(const char *word)
{
    return strcmp(word, "read_write") == 0 ? DB_WRITE : strcmp(word, "read") == 0 ? DB_READ : DB_NONE;
}

/* grant reads what was asked for.  Without a word on trade, account or wallet a key gives all it has. */
static struct db_scope grant(const struct db_shell *shell, const char *asked)
{
    static const char *const words[] = { "none", "read", "read_write" };
    struct db_scope scope = { .expires_s = USUAL_LIFE_S };
    char *copy = strdup(asked == NULL ? "" : asked), *save = NULL;
    bool named = false;

    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        if (strncmp(word, "trade:", 6) == 0) {
            scope.trade = access_of(word + 6);
            named = true;
        } else if (strncmp(word, "account:", 8) == 0) {
            scope.account = access_of(word + 8);
            named = true;
        } else if (strncmp(word, "wallet:", 7) == 0) {
            scope.wallet = access_of(word + 7);
            named = true;
        } else if (strncmp(word, "session:", 8) == 0) {
            snprintf(scope.session, sizeof scope.session, "%s", word + 8);
        } else if (strncmp(word, "expires:", 8) == 0 && atoll(word + 8) > 0) {
            scope.expires_s = atoll(word + 8);
        }
    }
    free(copy);
    if (!named) {
        scope.trade = scope.account = DB_WRITE;
        scope.wallet = DB_READ;
    }
    if (shell->options.is.no_trade && scope.trade == DB_WRITE) {
        scope.trade = DB_READ;
    }
    if (!shell->options.is.withdraw && scope.wallet == DB_WRITE) {
        scope.wallet = DB_READ;
    }
    snprintf(scope.text, sizeof scope.text, "account:%s trade:%s wallet:%s %s%s mainaccount",
             words[scope.account], words[scope.trade], words[scope.wallet],
             scope.session[0] == '\0' ? "connection" : "session:", scope.session);
    return scope;
}

/* --- tokens -------------------------------------------------------------------------------------------- */

static void draw(struct db_shell *shell, char *out, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    int length = snprintf(out, size, "%lld.1", (long long)(shell->now_ns / 1000000));

    while ((size_t)length + 1 < size) {
        out[length] = length == 22 ? '.' : letters[sim_random_range(&shell->random, 0, 63)];
        length++;
    }
    out[length] = '\0';
}

static struct db_token *new_token(struct db_shell *shell, int key, const struct db_scope *scope,
                                  uint64_t conn)
{
    struct db_token *oldest = &shell->token[0];

    for (int i = 0; i < DB_TOKEN_MAX; i++) {
        if (shell->token[i].expires_ns <= shell->now_ns) {
            oldest = &shell->token[i];
            break;
        }
        oldest = shell->token[i].expires_ns < oldest->expires_ns ? &shell->token[i] : oldest;
    }
    *oldest = (struct db_token){ .key = key, .scope = *scope };
    draw(shell, oldest->access, sizeof oldest->access);
    draw(shell, oldest->refresh, sizeof oldest->refresh);
    oldest->expires_ns = shell->now_ns + scope->expires_s * 1000000000;
    oldest->conn = scope->session[0] == '\0' ? conn : 0;
    return oldest;
}

void db_auth_gone(struct db_shell *shell, uint64_t conn)
{
    for (int i = 0; i < DB_TOKEN_MAX; i++) {
        if (shell->token[i].conn == conn && conn != 0) {
            shell->token[i].expires_ns = 0;
        }
    }
}

int db_auth_token(struct db_shell *shell, struct db_call *call, const char *access)
{
    for (int i = 0; i < DB_TOKEN_MAX; i++) {
        const struct db_token *token = &shell->token[i];
        if (token->expires_ns != 0 && strcmp(token->access, access) == 0) {
            if (token->expires_ns <= shell->now_ns) {
                return db_gate_fail(call, 13009, "{\"reason\":\"token_expired\"}");
            }
            call->key = token->key;
            call->scope = token->scope;
            return 0;
        }
    }
    return db_gate_fail(call, 13009, "{\"reason\":\"invalid_token\"}");
}

/* --- headers ------------------------------------------------------------------------------------------- */

static int basic(struct db_shell *shell, struct db_call *call, const char *text)
{
    unsigned char raw[1024];
    size_t length = strlen(text);

    if (length == 0 || length % 4 != 0 || length > 1000) {
        return 13004;
    }
    int size = EVP_DecodeBlock(raw, (const unsigned char *)text, (int)length);
    if (size <= 0) {
        return 13004;
    }
    raw[size] = '\0';
    char *colon = strchr((char *)raw, ':');
    if (colon == NULL) {
        return 13004;
    }
    *colon = '\0';
    int key = find_key(shell, (char *)raw);
    if (key < 0 || strcmp(shell->key[key].secret, colon + 1) != 0) {
        return 13004;
    }
    call->key = key;
    call->scope = grant(shell, NULL);
    return 0;
}

/* stale is true of a timestamp more than a minute off. */
static bool stale(struct db_shell *shell, int64_t stamp_ms)
{
    int64_t off = db_shell_server_ns(shell) / 1000000 - stamp_ms;

    return off > CLOCK_MS || off < -CLOCK_MS;
}

static int signed_header(struct db_shell *shell, struct db_call *call, const struct sim_request *request,
                         const char *text)
{
    char *copy = strdup(text), *save = NULL;
    const char *id = NULL, *ts = NULL, *sig = NULL, *nonce = NULL;
    struct sim_text covered = { 0 };
    int64_t stamp_ms = 0;
    char hex[65];
    int code = 0;

    for (char *pair = strtok_r(copy, ",", &save); pair != NULL; pair = strtok_r(NULL, ",", &save)) {
        while (*pair == ' ') {
            pair++;
        }
        char *equals = strchr(pair, '=');
        if (equals == NULL) {
            continue;
        }
        *equals = '\0';
        const char **at = strcmp(pair, "id") == 0      ? &id
                          : strcmp(pair, "ts") == 0    ? &ts
                          : strcmp(pair, "sig") == 0   ? &sig
                          : strcmp(pair, "nonce") == 0 ? &nonce
                                                       : NULL;
        if (at != NULL) {
            *at = equals + 1;
        }
    }
    int key = find_key(shell, id);
    if (key < 0) {
        code = 13004;
    } else if (ts == NULL || sig == NULL || nonce == NULL ||
               sim_decimal_parse(ts, strlen(ts), 0, &stamp_ms) != SIM_DECIMAL_OK || stale(shell, stamp_ms)) {
        code = 13009;
    } else {
        /* the target exactly as it was sent */
        sim_text_add(&covered, "%s\n%s\n%s\n%s%s%s\n", ts, nonce, request->verb, request->path,
                     request->query[0] != '\0' ? "?" : "", request->query);
        sim_text_put(&covered, request->body, request->body_length);
        sim_text_str(&covered, "\n");
        db_auth_hex(shell->key[key].secret, covered.data, covered.length, hex);
        if (strlen(sig) != 64 || CRYPTO_memcmp(hex, sig, 64) != 0) {
            code = shell->options.choices.bad_signature;
        } else {
            call->key = key;
            call->scope = grant(shell, NULL);
        }
    }
    sim_text_free(&covered);
    free(copy);
    return code;
}

int db_auth_header(struct db_shell *shell, struct db_call *call, const struct sim_request *request)
{
    const char *header = request->authorization;
    static const char signature[] = "deri-hmac-sha256 ";

    if (header == NULL || header[0] == '\0') {
        return 0;
    }
    if (strncasecmp(header, "bearer ", 7) == 0) {
        return db_auth_token(shell, call, header + 7);
    }
    if (strncasecmp(header, "basic ", 6) == 0) {
        return basic(shell, call, header + 6);
    }
    if (strncasecmp(header, signature, sizeof signature - 1) == 0) {
        return signed_header(shell, call, request, header + sizeof signature - 1);
    }
    return 13004;
}

/* --- public/auth --------------------------------------------------------------------------------------- */

static int by_signature(struct db_shell *shell, struct db_call *call, int *key)
{
    const char *nonce = db_gate_text(call, "nonce"), *data = db_gate_text(call, "data");
    const char *signature = db_gate_text(call, "signature"), *stamp = db_gate_text(call, "timestamp");
    struct sim_text covered = { 0 };
    int64_t stamp_ms = 0;
    char hex[65];

    *key = find_key(shell, db_gate_text(call, "client_id"));
    if (*key < 0) {
        return 13004;
    }
    if (stamp == NULL || signature == NULL ||
        sim_decimal_parse(stamp, strlen(stamp), 0, &stamp_ms) != SIM_DECIMAL_OK) {
        return db_gate_invalid(call, stamp == NULL ? "timestamp" : "signature", "missing required parameter");
    }
    sim_text_add(&covered, "%lld\n%s\n%s", (long long)stamp_ms, nonce == NULL ? "" : nonce,
                 data == NULL ? "" : data);
    db_auth_hex(shell->key[*key].secret, covered.data, covered.length, hex);
    sim_text_free(&covered);
    bool good = strlen(signature) == 64 && CRYPTO_memcmp(hex, signature, 64) == 0;
    return good && !stale(shell, stamp_ms) ? 0 : shell->options.choices.bad_signature;
}

int db_auth_run(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *grant_type = db_gate_text(call, "grant_type"), *asked = db_gate_text(call, "scope");
    struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    struct db_scope scope = grant(shell, asked);
    int key = -1, code = 0;

    if (grant_type == NULL) {
        return db_gate_invalid(call, "grant_type", "missing required parameter");
    }
    if (strcmp(grant_type, "client_credentials") == 0) {
        const char *secret = db_gate_text(call, "client_secret");
        key = find_key(shell, db_gate_text(call, "client_id"));
        code = key >= 0 && secret != NULL && strcmp(shell->key[key].secret, secret) == 0 ? 0 : 13004;
    } else if (strcmp(grant_type, "client_signature") == 0) {
        code = by_signature(shell, call, &key);
    } else if (strcmp(grant_type, "refresh_token") == 0) {
        const char *refresh = db_gate_text(call, "refresh_token");
        code = 13009;
        for (int i = 0; i < DB_TOKEN_MAX && refresh != NULL; i++) {
            struct db_token *token = &shell->token[i];
            if (token->expires_ns > shell->now_ns && strcmp(token->refresh, refresh) == 0) {
                key = token->key;
                scope = asked != NULL ? scope : token->scope;
                token->expires_ns = 0; /* a refresh token serves once */
                code = 0;
                break;
            }
        }
    } else {
        return db_gate_invalid(call, "grant_type", "unsupported grant type");
    }
    if (code != 0) {
        return code;
    }
    /* Over HTTP there is no connection for a token to die with. */
    const struct db_token *token = new_token(shell, key, &scope, call->socket ? call->conn : 0);

    if (session != NULL) {
        session->key = key;
        session->scope = scope;
        session->token_ns = token->expires_ns;
        session->armed = session->armed || shell->cod_default[shell->key[key].account];
    }
    sim_text_add(out,
                 "{\"token_type\":\"bearer\",\"sid\":\"%.8s\",\"scope\":\"%s\",\"refresh_token\":\"%s\","
                 "\"expires_in\":%lld,\"enabled_features\":[],\"access_token\":\"%s\"}",
                 token->access + 24, scope.text, token->refresh, (long long)scope.expires_s, token->access);
    return 0;
}

int db_auth_logout(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;

    if (db_gate_flag(call, "invalidate_token", true)) {
        db_auth_gone(shell, call->conn);
    }
    if (session != NULL) {
        session->armed = false; /* a logout leaves the orders */
        session->key = -1;
        call->hang_up = true;
    }
    sim_text_str(out, "\"ok\"");
    return 0;
}
