#include "cold/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMON                                                                                               \
    "run INTEGER NOT NULL, number INTEGER NOT NULL, part INTEGER NOT NULL, wall_ns INTEGER NOT NULL"
#define NAMED "PRIMARY KEY (run, number, part)) WITHOUT ROWID;"

/* How a file comes from one schema to the next: never changed once written, only added to.  Prices and
 * quantities are decimals in text, money is INTEGER in 1e-8. */
static const char *const migrations[STORE_SQLITE_SCHEMA] = {
    /* 1 */
    "CREATE TABLE runs (" COMMON ", engine INTEGER, mode TEXT, build_id TEXT, layout_hash INTEGER, " NAMED
    "CREATE TABLE orders (" COMMON ", kind TEXT NOT NULL, order_id TEXT, instance TEXT, account TEXT,"
    " instrument TEXT, side TEXT, role TEXT, price TEXT, qty TEXT, cum_qty TEXT, tif TEXT, flags INTEGER,"
    " level INTEGER, status TEXT, reason TEXT, request TEXT, venue_order_id TEXT, venue_code INTEGER, " NAMED
    "CREATE TABLE fills (" COMMON ", order_id TEXT, exec_id INTEGER NOT NULL, instance TEXT, account TEXT,"
    " instrument TEXT, side TEXT, price TEXT, qty TEXT NOT NULL, cum_qty TEXT, fee_e8 INTEGER, fee_currency "
    "TEXT,"
    " realised_e8 INTEGER, liquidity TEXT, venue_order_id TEXT, venue_time_ns INTEGER, source TEXT, " NAMED
    "CREATE TABLE positions (" COMMON ", account TEXT, instrument TEXT, qty TEXT, entry_e8 INTEGER,"
    " unrealised_e8 INTEGER, liquidation_e8 INTEGER, venue_time_ns INTEGER, source TEXT, " NAMED
    "CREATE TABLE pnl (" COMMON ", instance TEXT, state INTEGER, quote_qty INTEGER, hedge_qty INTEGER,"
    " delta_e8 INTEGER, fills INTEGER, hedges INTEGER, naked_ns INTEGER, max_naked_ns INTEGER,"
    " trading_e8 INTEGER, basis_e8 INTEGER, funding_e8 INTEGER, fee_e8 INTEGER, slippage_e8 INTEGER,"
    " residual_e8 INTEGER, rounding_e8 INTEGER, " NAMED "CREATE TABLE events (" COMMON
    ", code INTEGER, name TEXT, instance TEXT, severity INTEGER, account TEXT,"
    " instrument TEXT, value_0 INTEGER, value_1 INTEGER, value_2 INTEGER, value_3 INTEGER, " NAMED
    "CREATE TABLE ledger (" COMMON
    ", instance TEXT, account TEXT, currency TEXT, book TEXT NOT NULL, part_name TEXT,"
    " amount_e8 INTEGER NOT NULL, " NAMED "CREATE INDEX orders_by_id ON orders (order_id);",
    /* 2: balances; an execution counts once however often it was told */
    "CREATE TABLE balances (" COMMON ", account TEXT, currency TEXT, total_e8 INTEGER, available_e8 INTEGER,"
    " change_e8 INTEGER, reason TEXT, venue_time_ns INTEGER, source TEXT, " NAMED
    "DELETE FROM fills WHERE exec_id <> 0 AND EXISTS (SELECT 1 FROM fills AS f WHERE f.exec_id = "
    "fills.exec_id"
    " AND f.account IS fills.account AND f.instrument IS fills.instrument AND f.order_id IS fills.order_id"
    " AND (f.run, f.number) < (fills.run, fills.number));"
    "CREATE UNIQUE INDEX fills_by_execution ON fills (account, instrument, order_id, exec_id) WHERE exec_id "
    "<> 0;",
    /* 3: entries say which leg they are of */
    "ALTER TABLE ledger ADD COLUMN instrument TEXT;",
};

struct sqlite_store {
    char *path;
    sqlite3 *database;
    sqlite3_stmt *insert[STORE_TABLE_COUNT];
};

static bool refuse(struct sqlite_store *sqlite, const char *what, char error[STORE_ERROR_BYTES])
{
    snprintf(error, STORE_ERROR_BYTES, "sqlite: %s: %s", what,
             sqlite->database != NULL ? sqlite3_errmsg(sqlite->database) : "no memory");
    return false;
}

static void close_database(void *context)
{
    struct sqlite_store *sqlite = context;
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        sqlite3_finalize(sqlite->insert[i]);
        sqlite->insert[i] = NULL;
    }
    sqlite3_close(sqlite->database);
    sqlite->database = NULL;
}

static bool run_statement(struct sqlite_store *sqlite, const char *text, char error[STORE_ERROR_BYTES])
{
    return sqlite3_exec(sqlite->database, text, NULL, NULL, NULL) == SQLITE_OK || refuse(sqlite, text, error);
}

static bool read_version(struct sqlite_store *sqlite, int *version, char error[STORE_ERROR_BYTES])
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(sqlite->database, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK) {
        return refuse(sqlite, "schema version", error);
    }
    bool good = sqlite3_step(statement) == SQLITE_ROW;
    *version = good ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    return good || refuse(sqlite, "schema version", error);
}

/* One transaction a step: a crash in between leaves a whole older schema. */
static bool migrate(struct sqlite_store *sqlite, char error[STORE_ERROR_BYTES])
{
    int version = 0;
    char bump[64];

    if (!read_version(sqlite, &version, error)) {
        return false;
    }
    if (version > STORE_SQLITE_SCHEMA) {
        snprintf(error, STORE_ERROR_BYTES, "sqlite: %s has schema %d, this build knows %d", sqlite->path,
                 version, STORE_SQLITE_SCHEMA);
        return false;
    }
    for (; version < STORE_SQLITE_SCHEMA; version++) {
        snprintf(bump, sizeof bump, "PRAGMA user_version = %d", version + 1);
        if (!run_statement(sqlite, "BEGIN IMMEDIATE", error)) {
            return false;
        }
        if (!run_statement(sqlite, migrations[version], error) || !run_statement(sqlite, bump, error) ||
            !run_statement(sqlite, "COMMIT", error)) {
            sqlite3_exec(sqlite->database, "ROLLBACK", NULL, NULL, NULL);
            return false;
        }
    }
    return true;
}

static bool prepare_inserts(struct sqlite_store *sqlite, char error[STORE_ERROR_BYTES])
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        char text[768];
        char marks[2 * (STORE_VALUES_MAX + 4) + 1] = "?,?,?,?";
        for (const char *at = store_columns[table]; at != NULL; at = strchr(at + 1, ',')) {
            strcat(marks, ",?");
        }
        snprintf(text, sizeof text,
                 "INSERT INTO %s (run,number,part,wall_ns,%s) VALUES (%s) ON CONFLICT DO NOTHING",
                 store_tables[table], store_columns[table], marks);
        if (sqlite3_prepare_v3(sqlite->database, text, -1, SQLITE_PREPARE_PERSISTENT, &sqlite->insert[table],
                               NULL) != SQLITE_OK) {
            return refuse(sqlite, store_tables[table], error);
        }
    }
    return true;
}

static bool open_database(void *context, char error[STORE_ERROR_BYTES])
{
    struct sqlite_store *sqlite = context;

    if (sqlite->database != NULL) {
        return true;
    }
    /* No waiting for others' locks: the cold thread has more to do, and rows can wait. */
    bool good = sqlite3_open_v2(sqlite->path, &sqlite->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                NULL) == SQLITE_OK ||
                refuse(sqlite, sqlite->path, error);
    good = good && run_statement(sqlite, "PRAGMA journal_mode = WAL", error) &&
           run_statement(sqlite, "PRAGMA synchronous = NORMAL", error) && migrate(sqlite, error) &&
           prepare_inserts(sqlite, error);
    if (!good) {
        close_database(sqlite);
    }
    return good;
}

static bool begin(void *context, char error[STORE_ERROR_BYTES])
{
    return run_statement(context, "BEGIN IMMEDIATE", error);
}

static bool put(void *context, const struct store_row *row, char error[STORE_ERROR_BYTES])
{
    struct sqlite_store *sqlite = context;
    sqlite3_stmt *insert = sqlite->insert[row->table];

    sqlite3_reset(insert);
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)row->run);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)row->number);
    sqlite3_bind_int(insert, 3, row->part);
    sqlite3_bind_int64(insert, 4, row->wall_ns);
    for (int i = 0; i < row->value_count; i++) {
        const struct store_value *value = &row->value[i];
        if (value->is_null) {
            sqlite3_bind_null(insert, 5 + i);
        } else if (value->is_text) {
            sqlite3_bind_text(insert, 5 + i, value->text, -1, SQLITE_STATIC);
        } else {
            sqlite3_bind_int64(insert, 5 + i, value->number);
        }
    }
    bool good = sqlite3_step(insert) == SQLITE_DONE || refuse(sqlite, store_tables[row->table], error);
    sqlite3_reset(insert);
    return good;
}

static bool commit(void *context, char error[STORE_ERROR_BYTES])
{
    return run_statement(context, "COMMIT", error);
}

static void rollback(void *context)
{
    struct sqlite_store *sqlite = context;
    sqlite3_exec(sqlite->database, "ROLLBACK", NULL, NULL, NULL);
    /* A disk that failed may have left the connection in doubt: the next try opens it anew. */
    close_database(sqlite);
}

static void free_store(void *context)
{
    struct sqlite_store *sqlite = context;
    close_database(sqlite);
    free(sqlite->path);
    free(sqlite);
}

/* ------------------------------------------------------------------ reading the books */

static void text_of(sqlite3_stmt *statement, int column, char out[STORE_TEXT_BYTES])
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    snprintf(out, STORE_TEXT_BYTES, "%s", text != NULL ? (const char *)text : "");
}

bool store_sqlite_postings(const char *path, void (*row)(void *context, const struct store_posting *posting),
                           void *context, char error[STORE_ERROR_BYTES])
{
    struct sqlite_store sqlite = { 0 };
    sqlite3_stmt *statement = NULL;
    int version = 0;
    bool good = sqlite3_open_v2(path, &sqlite.database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ||
                refuse(&sqlite, path, error);
    good = good && read_version(&sqlite, &version, error);
    if (good && version != STORE_SQLITE_SCHEMA) {
        snprintf(error, STORE_ERROR_BYTES, "sqlite: %s has schema %d, this build reads %d", path, version,
                 STORE_SQLITE_SCHEMA);
        good = false;
    }
    good = good && (sqlite3_prepare_v2(sqlite.database,
                                       "SELECT run,number,part,wall_ns,instance,account,instrument,currency,"
                                       "book,part_name,amount_e8 FROM ledger ORDER BY run,number,part",
                                       -1, &statement, NULL) == SQLITE_OK ||
                    refuse(&sqlite, "ledger", error));
    int step = SQLITE_DONE;
    while (good && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_posting posting = { .run = (uint64_t)sqlite3_column_int64(statement, 0),
                                         .number = (uint64_t)sqlite3_column_int64(statement, 1),
                                         .part = (uint32_t)sqlite3_column_int64(statement, 2),
                                         .wall_ns = sqlite3_column_int64(statement, 3),
                                         .amount_e8 = sqlite3_column_int64(statement, 10) };
        text_of(statement, 4, posting.instance);
        text_of(statement, 5, posting.account);
        text_of(statement, 6, posting.instrument);
        text_of(statement, 7, posting.currency);
        text_of(statement, 8, posting.book);
        text_of(statement, 9, posting.part_name);
        row(context, &posting);
    }
    good = good && (step == SQLITE_DONE || refuse(&sqlite, "ledger", error));
    sqlite3_finalize(statement);
    sqlite3_close(sqlite.database);
    return good;
}

bool store_sqlite(struct store_backend *backend, const char *path)
{
    struct sqlite_store *sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL || (sqlite->path = strdup(path)) == NULL) {
        free(sqlite);
        return false;
    }
    *backend = (struct store_backend){
        .name = "sqlite",
        .open = open_database,
        .begin = begin,
        .put = put,
        .commit = commit,
        .rollback = rollback,
        .close = free_store,
        .context = sqlite,
    };
    return true;
}
