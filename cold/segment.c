#include "cold/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "poisej1\n";

/* ------------------------------------------------------------------ the check word
 *
 * Upper half: 26 bits of the record's number | 2 of its origin | 4 of the slot's index in the record.
 * Lower half: CRC-32C over payload, upper half and what the slot belongs to.  26 bits are unwrapped by
 * counting up, so an orders file repeats a CLOCK whenever it would fall silent for longer. */
#define NUMBER_BITS 26
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_words_fast(const uint64_t *word, size_t count)
{
    uint64_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc = __builtin_ia32_crc32di(crc, word[i]);
    }
    return (uint32_t)crc ^ UINT32_MAX;
}
#endif

static uint32_t crc_words_plain(const uint64_t *word, size_t count)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        for (int byte = 0; byte < 8; byte++) {
            crc ^= (uint8_t)(word[i] >> (8 * byte));
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
            }
        }
    }
    return crc ^ UINT32_MAX;
}

static uint32_t crc_words(const uint64_t *word, size_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return crc_words_fast(word, count);
    }
#endif
    return crc_words_plain(word, count);
}

static uint64_t check_word(const struct segment_head *head, uint32_t place, const unsigned char *payload,
                           uint32_t upper)
{
    uint64_t word[SLOT_PAYLOAD_BYTES / 8 + 3];
    memcpy(word, payload, SLOT_PAYLOAD_BYTES);
    word[7] = head->run;
    word[8] = (uint64_t)head->segment << 32 | place;
    word[9] = (uint64_t)head->kind << 32 | upper;
    return (uint64_t)upper << 32 | crc_words(word, POISE_COUNT_OF(word));
}

static uint32_t upper_of(uint64_t number, uint8_t origin, uint32_t index)
{
    return (uint32_t)(number & NUMBER_MASK) << 6 | (uint32_t)origin << 4 | index;
}

static bool slot_is_good(const struct segment_head *head, uint32_t place, const struct slot *slot)
{
    return check_word(head, place, slot->payload, (uint32_t)(slot->ring_word >> 32)) == slot->ring_word;
}

/* ------------------------------------------------------------------ writing */

void segment_start(struct segment_writer *writer, const struct segment_head *head, struct slot *to)
{
    writer->head = *head;
    memcpy(writer->head.magic, magic, sizeof magic);
    memcpy(to->payload, &writer->head, SLOT_PAYLOAD_BYTES);
    to->ring_word = check_word(&writer->head, 0, to->payload, upper_of(head->first_number, 0, 0));
    writer->slot = 1;
}

uint32_t segment_put(struct segment_writer *writer, struct slot *to, const struct slot *record,
                     enum segment_origin origin, uint64_t number)
{
    uint32_t slot_count = record_head_of(record)->slot_count;
    POISE_ASSERT(slot_count >= 1 && slot_count <= RECORD_SLOTS_MAX);
    POISE_ASSERT(writer->slot + slot_count <= SEGMENT_SLOTS_MAX);
    for (uint32_t i = 0; i < slot_count; i++) {
        memcpy(to[i].payload, record[i].payload, SLOT_PAYLOAD_BYTES);
        to[i].ring_word =
            check_word(&writer->head, writer->slot + i, to[i].payload, upper_of(number, (uint8_t)origin, i));
    }
    writer->slot += slot_count;
    return slot_count;
}

bool segment_is_order(uint8_t type)
{
    switch (type) {
    case RECORD_CLOCK:
    case RECORD_BOOK:
    case RECORD_TOP:
    case RECORD_TRADE:
    case RECORD_MARK:
    case RECORD_FEED_STATE:
    case RECORD_INSTRUMENT_STATE:
    case RECORD_CELL:
    case RECORD_TEXT:
    case RECORD_RESTORE_EXEC:
    case RECORD_STATUS:
    case RECORD_GATEWAY_STATE:
        return false;
    default:
        return true;
    }
}

bool segment_is_feed(uint8_t type)
{
    switch (type) {
    case RECORD_CLOCK:
    case RECORD_BOOK:
    case RECORD_TOP:
    case RECORD_TRADE:
    case RECORD_MARK:
    case RECORD_FEED_STATE:
    case RECORD_INSTRUMENT_STATE:
    case RECORD_CELL:
    case RECORD_STATUS:
        return true;
    default:
        return false;
    }
}

/* ------------------------------------------------------------------ reading */

static bool refuse(char *error, size_t error_bytes, const char *path, const char *why)
{
    snprintf(error, error_bytes, "%s: %s", path, why);
    return false;
}

bool segment_open(struct segment_reader *reader, const char *path, char *error, size_t error_bytes)
{
    memset(reader, 0, sizeof *reader);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) != 0) {
        int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        return refuse(error, error_bytes, path, strerror(why));
    }
    reader->bytes = (size_t)stat.st_size;
    reader->slot_count = reader->bytes / SLOT_BYTES;
    if (reader->slot_count == 0) {
        close(fd);
        return refuse(error, error_bytes, path, "too short for a segment");
    }
    void *map = mmap(NULL, reader->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED) {
        return refuse(error, error_bytes, path, strerror(errno));
    }
    reader->slots = map;
    memcpy(&reader->head, reader->slots[0].payload, sizeof reader->head);
    if (memcmp(reader->head.magic, magic, sizeof magic) != 0) {
        segment_close(reader);
        return refuse(error, error_bytes, path, "not a segment");
    }
    if (!slot_is_good(&reader->head, 0, &reader->slots[0])) {
        segment_close(reader);
        return refuse(error, error_bytes, path, "the head fails its check");
    }
    if (reader->head.layout_hash != record_layout_hash()) {
        segment_close(reader);
        return refuse(error, error_bytes, path,
                      "written with other record layouts: read it with its own build");
    }
    reader->at = 1;
    reader->number = reader->head.first_number;
    return true;
}

/* A whole record with every check right begins here. */
static bool record_at(const struct segment_reader *reader, uint64_t at)
{
    const struct slot *slot = &reader->slots[at];
    uint32_t slot_count = record_head_of(slot)->slot_count;
    if (slot_count < 1 || slot_count > RECORD_SLOTS_MAX || at + slot_count > reader->slot_count) {
        return false;
    }
    uint32_t first = (uint32_t)(slot->ring_word >> 32);
    if ((first & 0xf) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < slot_count; i++) {
        if ((uint32_t)(slot[i].ring_word >> 32) != (first | i) ||
            !slot_is_good(&reader->head, (uint32_t)(at + i), &slot[i])) {
            return false;
        }
    }
    return true;
}

enum segment_result segment_next(struct segment_reader *reader, struct segment_item *item)
{
    if (reader->at >= reader->slot_count) {
        return SEGMENT_DONE;
    }
    if (!record_at(reader, reader->at)) {
        /* Torn at the end, or damaged in the middle: which of the two shows in what follows. */
        for (uint64_t at = reader->at + 1; at < reader->slot_count; at++) {
            if (record_at(reader, at)) {
                reader->at = at;
                return SEGMENT_DAMAGED;
            }
        }
        return SEGMENT_DONE;
    }
    const struct slot *slot = &reader->slots[reader->at];
    uint32_t upper = (uint32_t)(slot->ring_word >> 32);
    reader->number += ((upper >> 6) - (uint32_t)reader->number) & NUMBER_MASK;
    *item = (struct segment_item){ .record = slot, .number = reader->number, .origin = (upper >> 4) & 3 };
    reader->at += record_head_of(slot)->slot_count;
    reader->ended = item->origin == ORIGIN_JOURNAL && record_head_of(slot)->type == RECORD_SEGMENT_END;
    return SEGMENT_RECORD;
}

uint64_t segment_torn(const struct segment_reader *reader)
{
    return reader->bytes - reader->at * SLOT_BYTES;
}

void segment_close(struct segment_reader *reader)
{
    if (reader->slots != NULL) {
        munmap((void *)(uintptr_t)reader->slots, reader->bytes);
        reader->slots = NULL;
    }
}

/* ------------------------------------------------------------------ names */

void segment_path(char out[SEGMENT_PATH_BYTES], const char *directory, enum segment_kind kind, uint64_t run,
                  uint32_t segment)
{
    if (kind == SEGMENT_ORDERS) {
        snprintf(out, SEGMENT_PATH_BYTES, "%s/orders-%06" PRIu64 ".pj", directory, run);
    } else {
        snprintf(out, SEGMENT_PATH_BYTES, "%s/run-%06" PRIu64 "-seg-%05" PRIu32 ".pj", directory, run,
                 segment);
    }
}

static int compare_files(const void *a, const void *b)
{
    const struct segment_file *x = a, *y = b;
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    if (x->run != y->run) {
        return x->run < y->run ? -1 : 1;
    }
    return x->segment < y->segment ? -1 : x->segment > y->segment;
}

bool segment_list(const char *directory, struct segment_file **files, uint32_t *count)
{
    *files = NULL;
    *count = 0;
    DIR *open_directory = opendir(directory);
    if (open_directory == NULL) {
        return false;
    }
    struct dirent *entry;
    while ((entry = readdir(open_directory)) != NULL) {
        struct segment_file file = { .kind = SEGMENT_FULL };
        int length = 0;
        if (sscanf(entry->d_name, "run-%" SCNu64 "-seg-%" SCNu32 ".pj%n", &file.run, &file.segment,
                   &length) != 2 ||
            length == 0) {
            file.kind = SEGMENT_ORDERS;
            file.segment = 0;
            length = 0;
            if (sscanf(entry->d_name, "orders-%" SCNu64 ".pj%n", &file.run, &length) != 1 || length == 0) {
                continue;
            }
        }
        if (entry->d_name[length] != '\0') {
            continue;
        }
        snprintf(file.path, sizeof file.path, "%s/%s", directory, entry->d_name);
        struct stat stat_of;
        if (stat(file.path, &stat_of) != 0) {
            continue;
        }
        file.bytes = (uint64_t)stat_of.st_size;
        struct segment_file *more = realloc(*files, (*count + 1) * sizeof file);
        if (more == NULL) {
            break;
        }
        *files = more;
        (*files)[(*count)++] = file;
    }
    closedir(open_directory);
    if (*count > 1) {
        qsort(*files, *count, sizeof **files, compare_files);
    }
    return true;
}
