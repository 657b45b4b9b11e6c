#include "config/config.h"

#include "config/toml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 16384

struct reader {
    char *error;
    size_t error_bytes;
    const char *path;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct reader *reader, const char *form, ...)
{
    va_list arguments;
    char why[200];
    va_start(arguments, form);
    vsnprintf(why, sizeof why, form, arguments);
    va_end(arguments);
    snprintf(reader->error, reader->error_bytes, "%s: %s", reader->path, why);
    return false;
}

/* Reads a file that only its owner, who is us, can read.  Judged by the open file, so that nothing can be
 * exchanged between the look and the reading. */
static bool read_secret(const struct reader *reader, const char *path, char *text, size_t capacity,
                        size_t *bytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) {
        return errno == ELOOP ? refuse(reader, "is a symbolic link: name the file itself")
                              : refuse(reader, "cannot be opened: %s", strerror(errno));
    }

    struct stat status;
    bool good = false;
    if (fstat(file, &status) != 0) {
        refuse(reader, "cannot be examined: %s", strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        refuse(reader, "is not a file");
    } else if (status.st_uid != geteuid()) {
        refuse(reader, "belongs to user %u and not to us (%u): chown it", (unsigned)status.st_uid,
               (unsigned)geteuid());
    } else if ((status.st_mode & 077) != 0) {
        refuse(reader, "has mode %04o: others can reach it; chmod 600", (unsigned)status.st_mode & 07777);
    } else if ((size_t)status.st_size >= capacity) {
        refuse(reader, "is longer than %zu bytes", capacity - 1);
    } else {
        good = true;
    }

    *bytes = 0;
    while (good && *bytes < capacity) {
        ssize_t got = read(file, text + *bytes, capacity - *bytes);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            good = refuse(reader, "cannot be read: %s", strerror(errno));
            break;
        }
        *bytes += (size_t)got;
    }
    close(file);
    if (good && *bytes == capacity) {
        good = refuse(reader, "grew while it was read");
    }
    return good;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_seed(const struct reader *reader, struct config_key *key, const char *hex, size_t bytes)
{
    if (bytes >= 2 && hex[0] == '0' && (hex[1] | 0x20) == 'x') {
        hex += 2;
        bytes -= 2;
    }
    if (bytes != 2 * sizeof key->seed) {
        return refuse(reader, "seed_hex must be %zu hexadecimal digits", 2 * sizeof key->seed);
    }
    for (size_t i = 0; i < sizeof key->seed; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return refuse(reader, "seed_hex must be %zu hexadecimal digits", 2 * sizeof key->seed);
        }
        key->seed[i] = (unsigned char)(high << 4 | low);
    }
    key->kind = 2;
    return true;
}

/* A path in a key file counts from the key file, wherever the engine was started. */
static bool take_pem(const struct reader *reader, struct config_key *key, const char *name)
{
    char path[2 * CONFIG_PATH_BYTES];
    const char *slash = strrchr(reader->path, '/');
    int folder = name[0] == '/' || slash == NULL ? 0 : (int)(slash - reader->path) + 1;

    if ((size_t)snprintf(path, sizeof path, "%.*s%s", folder, reader->path, name) >= sizeof path) {
        return refuse(reader, "private_key_pem_file is too long a path");
    }
    struct reader pem = { .error = reader->error, .error_bytes = reader->error_bytes, .path = path };
    if (!read_secret(&pem, path, key->api_secret, sizeof key->api_secret, &key->api_secret_bytes)) {
        return false;
    }
    key->api_secret[key->api_secret_bytes] = '\0';
    key->kind = 3;
    return true;
}

static bool take_text(const struct reader *reader, const struct toml_entry *entry, char *to, size_t to_bytes)
{
    if (entry->text_bytes == 0 || entry->text_bytes >= to_bytes || strlen(entry->text) != entry->text_bytes) {
        return refuse(reader, "line %d: %s must be 1 to %zu characters", entry->line, entry->key,
                      to_bytes - 1);
    }
    memcpy(to, entry->text, entry->text_bytes + 1);
    return true;
}

/* The values never enter a sentence: only their names and lines do. */
static bool take_entry(const struct reader *reader, struct config_key *key, const struct toml_entry *entry)
{
    bool secret = strcmp(entry->key, "api_secret") == 0;
    bool seed = strcmp(entry->key, "seed_hex") == 0;
    bool pem = strcmp(entry->key, "private_key_pem_file") == 0;

    if (entry->section[0] != '\0' || entry->type != TOML_STRING) {
        return refuse(reader, "line %d: must be a text at the top of the file", entry->line);
    }
    if ((secret || seed || pem) && key->kind != 0) {
        return refuse(reader, "line %d: only one of api_secret, seed_hex and private_key_pem_file",
                      entry->line);
    }
    if (strcmp(entry->key, "api_key") == 0) {
        return take_text(reader, entry, key->api_key, sizeof key->api_key);
    }
    if (strcmp(entry->key, "passphrase") == 0) {
        return take_text(reader, entry, key->passphrase, sizeof key->passphrase);
    }
    if (secret) {
        key->kind = 1;
        key->api_secret_bytes = entry->text_bytes;
        return take_text(reader, entry, key->api_secret, sizeof key->api_secret);
    }
    if (seed) {
        return take_seed(reader, key, entry->text, entry->text_bytes);
    }
    if (pem) {
        return take_pem(reader, key, entry->text);
    }
    return refuse(reader,
                  "line %d: unknown key: there are api_key, api_secret, passphrase, "
                  "private_key_pem_file, seed_hex",
                  entry->line);
}

bool config_key_load(const char *path, struct config_key *key, char *error, size_t error_bytes)
{
    char text[KEY_FILE_MAX];
    size_t bytes = 0;
    struct reader reader = { .error = error, .error_bytes = error_bytes, .path = path };
    struct toml_list list = { 0 };

    memset(key, 0, sizeof *key);
    bool good = read_secret(&reader, path, text, sizeof text, &bytes);
    if (good && !toml_read(text, bytes, &list)) {
        /* The parser's own sentence may quote what it could not read. */
        good = refuse(&reader, "line %d is not TOML", list.error_line);
    }
    for (uint32_t i = 0; good && i < list.count; i++) {
        good = take_entry(&reader, key, &list.entry[i]);
    }
    if (good && key->kind == 0) {
        good = refuse(&reader, "one of api_secret, seed_hex and private_key_pem_file is missing");
    }
    if (good && key->api_key[0] == '\0' && key->kind != 2) {
        good = refuse(&reader, "api_key is missing");
    }
    toml_free(&list);
    explicit_bzero(text, sizeof text);
    if (!good) {
        config_key_wipe(key);
    }
    return good;
}

void config_key_wipe(struct config_key *key)
{
    explicit_bzero(key, sizeof *key);
}
