/* config: the trader's TOML as checked values.
 *
 * Cold thread, at start.  Every fault of every file is collected with file, line, key, value, allowed range
 * and purpose; when there is one, nothing is started.  toml++ reads the syntax behind config/toml.h. */
#ifndef POISE_CONFIG_CONFIG_H
#define POISE_CONFIG_CONFIG_H

#include "config/params.h"
#include "ring/account.h"
#include "ring/instrument.h"

#define CONFIG_FAULTS_MAX      64
#define CONFIG_FAULT_BYTES     320
#define CONFIG_CONVERTS_MAX    16
#define CONFIG_PATH_BYTES      256
#define CONFIG_HOSTS_MAX       8
#define CONFIG_CORES_MAX       16
#define CONFIG_INSTRUMENTS_MAX 64

struct config_fault {
    char
        text[CONFIG_FAULT_BYTES]; /* "config/poise.toml:41: risk.max_naked_ms = 0: must be 1 to 5000 (why)" */
    int line;                     /* 0: of the whole file or of an override */
};

/* Where a value came from: a row of the table in params.c and, of repeated sections, which element. */
struct config_value {
    uint16_t row;
    uint16_t element;
    int32_t line; /* 1 up in the file; 0 the default; -1 an override */
    bool faulty;  /* a fault was told: nothing is checked against it */
};

/* An instrument named by a leg or a conversion: cold fetches its metadata from the venue. */
struct config_instrument {
    char name[INSTRUMENT_NAME_BYTES]; /* "binance.inverse.BTCUSD_PERP" */
    uint8_t venue, product;
    char symbol[INSTRUMENT_SYMBOL_BYTES];
    int line;
};

struct config_account {
    struct account row; /* key_hash unset */
    char key_file[CONFIG_PATH_BYTES];
    int64_t maker_centibp, taker_centibp; /* INT64_MIN: ask the venue */
    int line;
};

struct config_convert {
    char from[CURRENCY_BYTES], to[CURRENCY_BYTES];
    char instrument[INSTRUMENT_NAME_BYTES]; /* "" when fixed */
    int64_t fixed_e8;
    int64_t max_age_ns, max_deviation_centibp;
    int line;
};

/* Quantities a trader writes as decimals of an instrument are kept as text until metadata gives the units. */
#define CONFIG_DECIMAL_BYTES 24
struct config_quote {
    struct quote_params params; /* everything that needs no metadata */
    char quote_leg[INSTRUMENT_NAME_BYTES], quote_account[ACCOUNT_NAME_BYTES];
    char hedge_leg[INSTRUMENT_NAME_BYTES], hedge_account[ACCOUNT_NAME_BYTES];
    char second_leg[INSTRUMENT_NAME_BYTES], second_account[ACCOUNT_NAME_BYTES];
    char size[CONFIG_DECIMAL_BYTES], max_inventory[CONFIG_DECIMAL_BYTES],
        target_inventory[CONFIG_DECIMAL_BYTES];
    int line;
};

struct config_venue {
    uint8_t venue;
    char connect_to[64]; /* "127.0.0.1:9443": every host of this venue goes there (sim only); "" resolve */
    char ca_file[CONFIG_PATH_BYTES]; /* "" system bundle */
    int line;
};

struct config {
    char path[CONFIG_PATH_BYTES];
    char *text; /* the whole file, journaled; owned */
    size_t text_bytes;
    enum mode mode;
    uint32_t engine; /* 1..1023 */

    /* [engine] */
    char state_dir[CONFIG_PATH_BYTES];  /* disk: segments, store, lock, counter block */
    char shared_dir[CONFIG_PATH_BYTES]; /* tmpfs: journal ring, counters page */
    int64_t clock_tick_ns;
    int64_t depth_levels; /* 1..BOOK_DEPTH_MAX */
    int64_t journal_ring_slots;
    int64_t journal_sync_ns;
    int64_t journal_keep_bytes; /* 0: keep all */
    int64_t segment_bytes;
    int64_t metrics_port; /* 0 off */
    char metrics_token_file[CONFIG_PATH_BYTES];
    char io_backend[12]; /* "auto", "uring", "spin" */
    char log_level[8];
    int64_t feed_depth_ms; /* spacing of the depth stream asked for; the venue's default when 0 */

    /* [cores]: -1 float.  Roles with the same number share a thread. */
    int32_t core_feed, core_strategy, core_gateway, core_cold;
    bool yield; /* busy polling gives way between turns: tests and shared machines */

    struct risk_params risk;
    int64_t max_naked_ns; /* [risk]: what an instance that says nothing of its own gets, and its ceiling */
    char report_currency[CURRENCY_BYTES];

    uint32_t venue_count;
    struct config_venue venue[VENUE_COUNT];
    uint32_t account_count;
    struct config_account account[ACCOUNT_MAX];
    uint32_t convert_count;
    struct config_convert convert[CONFIG_CONVERTS_MAX];
    uint32_t quote_count;
    struct config_quote quote[PARAMS_INSTANCE_MAX];
    uint32_t instrument_count; /* every instrument named anywhere, once */
    struct config_instrument instrument[CONFIG_INSTRUMENTS_MAX];

    uint32_t value_count; /* every value of the file and every default, owned */
    struct config_value *value;

    uint32_t fault_count; /* may exceed CONFIG_FAULTS_MAX: the rest was only counted */
    struct config_fault fault[CONFIG_FAULTS_MAX];
};

/* config_load reads and checks one file; false when there is any fault (all of them are in fault[], in the
 * order of the file).  config_free is due either way.
 *
 * overrides, NULL or a list that ends with NULL: "key=value" applied over the file, for tests and the demo.
 * Keys are dotted: "risk.max_order=500", "venue.binance.connect_to=127.0.0.1:9443", and of repeated sections
 * "quote.NAME.size=3" or "quote[0].size=3".  The word "--live" among them says that the caller was told, by
 * a person, to trade live: without it mode = "live" is a fault. */
bool config_load(struct config *config, const char *path, const char *const *overrides);

/* config_bind turns the decimals into units once the instrument table is filled, gives indexes to
 * instruments, accounts and currencies, and checks what needs both (size against lot and minimum, legs of
 * one base coin, conversions for every currency in use); more faults, same form. */
bool config_bind(struct config *config, struct instrument_table *instruments, struct account_table *accounts);

/* config_print writes every value with its source ("config/poise.toml:41", "default" or "override"), one a
 * line, as text or as JSON objects with key, value, source and purpose. */
struct _IO_FILE;
void config_print(const struct config *config, struct _IO_FILE *out, bool json);

void config_free(struct config *config);

/* config_key_load reads a key file (TOML: api_key, api_secret, passphrase, private_key_pem_file, seed_hex)
 * after checking owner and mode (0600 or stricter, ours, a file and no link); false with a sentence in error,
 * and then key is all zero.  Exactly one of api_secret, seed_hex and private_key_pem_file is needed; a PEM
 * file's path counts from the key file's folder and is checked in the same way.  The caller locks the memory
 * of *key and wipes it with config_key_wipe. */
struct config_key {
    char api_key[136];
    char api_secret[4096]; /* HMAC secret or PEM text */
    size_t api_secret_bytes;
    char passphrase[72];
    unsigned char seed[32];
    uint8_t kind; /* 1 HMAC, 2 seed, 3 PEM */
};
bool config_key_load(const char *path, struct config_key *key, char *error, size_t error_bytes);
void config_key_wipe(struct config_key *key);

#endif
