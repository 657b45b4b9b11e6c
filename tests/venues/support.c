#include "tests/venues/support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

bool file_read_path(struct file *file, const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return false;
    }
    fseek(stream, 0, SEEK_END);
    long bytes = ftell(stream);
    rewind(stream);
    file->text = malloc((size_t)bytes + 1);
    file->bytes = fread(file->text, 1, (size_t)bytes, stream);
    file->text[file->bytes] = '\0';
    fclose(stream);
    return file->bytes == (size_t)bytes;
}

bool file_read(struct file *file, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tests/data/fixtures/%s", POISE_SOURCE_DIR, name);
    return file_read_path(file, path);
}

bool file_read_gzip(struct file *file, const char *path)
{
    gzFile stream = gzopen(path, "rb");
    if (stream == NULL) {
        return false;
    }
    size_t room = 1 << 20;
    file->text = malloc(room + 1);
    file->bytes = 0;
    for (;;) {
        int got = gzread(stream, file->text + file->bytes, (unsigned)(room - file->bytes));
        if (got <= 0) {
            break;
        }
        file->bytes += (size_t)got;
        if (file->bytes == room) {
            room *= 2;
            file->text = realloc(file->text, room + 1);
        }
    }
    file->text[file->bytes] = '\0';
    gzclose(stream);
    return true;
}

void file_free(struct file *file)
{
    free(file->text);
    file->text = NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

size_t file_names(const char *folder, char names[][96], size_t max)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tests/data/fixtures/%s", POISE_SOURCE_DIR, folder);
    DIR *listing = opendir(path);
    size_t count = 0;
    for (struct dirent *entry; listing != NULL && count < max && (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] != '.' && strlen(entry->d_name) < 96) {
            strcpy(names[count++], entry->d_name);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    qsort(names, count, 96, by_name);
    return count;
}

bool file_line(const struct file *file, size_t *at, const char **line, size_t *bytes)
{
    if (*at >= file->bytes) {
        return false;
    }
    const char *from = file->text + *at;
    const char *to = memchr(from, '\n', file->bytes - *at);
    *line = from;
    *bytes = to != NULL ? (size_t)(to - from) : file->bytes - *at;
    *at += *bytes + 1;
    return true;
}

void guard_make(struct guard *guard, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guard->bytes = (bytes + page) / page * page;
    guard->memory =
        mmap(NULL, guard->bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard->memory == MAP_FAILED || mprotect(guard->memory + guard->bytes, page, PROT_NONE) != 0) {
        abort();
    }
}

char *guard_put(struct guard *guard, const char *text, size_t bytes)
{
    char *at = guard->memory + guard->bytes - bytes;
    memcpy(at, text, bytes);
    return at;
}

void guard_free(struct guard *guard)
{
    munmap(guard->memory, guard->bytes + (size_t)sysconf(_SC_PAGESIZE));
}

void book_clear(struct book *book)
{
    book->count[0] = book->count[1] = 0;
    book->at = 0;
    book->first = true;
    book->synced = false;
}

void book_set(struct book *book, enum side side, struct level level)
{
    struct level *levels = book->side[side];
    uint32_t low = 0, high = book->count[side];
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        bool better =
            side == SIDE_BUY ? levels[middle].price > level.price : levels[middle].price < level.price;
        if (better) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool there = low < book->count[side] && levels[low].price == level.price;
    if (level.qty == 0) {
        if (there) {
            memmove(levels + low, levels + low + 1, (--book->count[side] - low) * sizeof *levels);
        }
        return;
    }
    if (!there) {
        if (book->count[side] == BOOK_SIDE_MAX) {
            abort();
        }
        memmove(levels + low + 1, levels + low, (book->count[side]++ - low) * sizeof *levels);
    }
    levels[low] = level;
}

void book_take(struct book *book, const struct venue *venue, uint8_t product, const struct feed_event *event)
{
    if ((event->flags & FEED_EVENT_SNAPSHOT) != 0) {
        uint32_t dropped = book->dropped, applied = book->applied, gaps = book->gaps;
        book_clear(book);
        book->dropped = dropped, book->applied = applied, book->gaps = gaps;
        book->synced = true;
        book->at = event->last;
    } else {
        if (!book->synced) {
            return;
        }
        enum book_link link = venue->feed->link(product, book->at, book->first, event);
        book->dropped += link == BOOK_LINK_DROP;
        book->gaps += link == BOOK_LINK_GAP;
        if (link != BOOK_LINK_APPLY) {
            return;
        }
        book->applied++;
        book->first = false;
        book->at = event->last;
    }
    for (uint32_t i = 0; i < event->bid_count; i++) {
        book_set(book, SIDE_BUY, event->bids[i]);
    }
    for (uint32_t i = 0; i < event->ask_count; i++) {
        book_set(book, SIDE_SELL, event->asks[i]);
    }
}

void *kept(size_t bytes)
{
    static void *all[1024];
    static size_t count;
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (memory == NULL || count == POISE_COUNT_OF(all)) {
        abort();
    }
    memset(memory, 0, bytes);
    return all[count++] = memory;
}

void table_one(struct instrument_table *table, uint8_t product, const char *symbol, int price_decimals,
               int qty_decimals)
{
    struct instrument row = { .venue = VENUE_BINANCE, .product = product };
    row.price_decimals = (uint8_t)price_decimals;
    row.qty_decimals = (uint8_t)qty_decimals;
    row.tick = row.lot = 1;
    row.contract_e8 = DECIMAL_E8;
    strcpy(row.symbol, symbol);
    instrument_table_reset(table);
    instrument_add(table, &row);
}
