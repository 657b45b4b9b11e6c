#include "cold/journal.h"
#include "cold/slots.h"
#include "ring/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH_SLOTS = 16384, /* one job's records: 1 MiB */
    JOBS_INLINE = 16,    /* per poll without a disk thread */
    RUNS_KEPT = 8,       /* whose last segment is never deleted */
};

#define STALL_NS       (2 * NS_PER_S)
#define RETRY_NS       (1 * NS_PER_S)
#define CLOSE_WAIT_NS  (5 * NS_PER_S)
#define SPILL_BYTES    (64ULL << 20)
#define ORDERS_SILENCE (1ULL << 25) /* numbers: below what a check word can unwrap */

/* ------------------------------------------------------------------ the ring file */

#define RING_PAGE 4096
static const char ring_magic[8] = "poiserg1";

/* The record at ring position `position` has number `number`. */
struct mapping {
    uint64_t position;
    uint64_t number;
};

/* First page of the ring file; spsc follows at RING_PAGE. */
struct ring_head {
    char magic[8];
    uint64_t layout_hash;
    uint64_t run;
    uint64_t slots;
    uint16_t engine;
    uint16_t spare16[3];
    char build_id[JOURNAL_BUILD_BYTES];
    /* Two rows, so that one is whole whenever the process dies: row (turn & 1) is the valid one.  Everything
     * below its position is in a file. */
    _Atomic uint64_t turn;
    struct mapping mapping[2];
};
_Static_assert(sizeof(struct ring_head) <= RING_PAGE, "one page");

struct ring_map {
    struct ring_head *head;
    struct spsc *ring;
    size_t bytes;
};

static void ring_unmap(struct ring_map *map)
{
    if (map->head != NULL) {
        munmap(map->head, map->bytes);
        map->head = NULL;
    }
}

static bool refuse(char *error, size_t error_bytes, const char *path, const char *why)
{
    snprintf(error, error_bytes, "%s: %s", path, why);
    return false;
}

static bool ring_create(struct ring_map *map, const struct journal_options *options, char *error,
                        size_t error_bytes)
{
    char path[SEGMENT_PATH_BYTES], fresh[SEGMENT_PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s/%s", options->shared_directory, JOURNAL_RING_FILE);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    unlink(fresh);
    int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return refuse(error, error_bytes, fresh, strerror(errno));
    }
    map->bytes = RING_PAGE + spsc_bytes(options->ring_slots);
    /* Reserved now: a tmpfs that fills up later would answer a store with SIGBUS. */
    int why = posix_fallocate(fd, 0, (off_t)map->bytes);
    if (why != 0) {
        close(fd);
        unlink(fresh);
        return refuse(error, error_bytes, fresh, strerror(why));
    }
    void *memory = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) {
        why = errno;
        unlink(fresh);
        return refuse(error, error_bytes, fresh, strerror(why));
    }
    map->head = memory;
    map->ring = spsc_init((char *)memory + RING_PAGE, options->ring_slots);
    memcpy(map->head->magic, ring_magic, sizeof ring_magic);
    map->head->layout_hash = record_layout_hash();
    map->head->run = options->run;
    map->head->slots = options->ring_slots;
    map->head->engine = options->engine;
    snprintf(map->head->build_id, sizeof map->head->build_id, "%s", options->build_id);
    if (rename(fresh, path) != 0) {
        why = errno;
        unlink(fresh);
        ring_unmap(map);
        return refuse(error, error_bytes, path, strerror(why));
    }
    return true;
}

/* Maps a ring file for reading: privately, so that nothing done here reaches its owner. */
static bool ring_open(struct ring_map *map, const char *shared_directory, char *error, size_t error_bytes)
{
    char path[SEGMENT_PATH_BYTES];
    memset(map, 0, sizeof *map);
    snprintf(path, sizeof path, "%s/%s", shared_directory, JOURNAL_RING_FILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) != 0) {
        int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        return refuse(error, error_bytes, path, strerror(why));
    }
    map->bytes = (size_t)stat.st_size;
    void *memory = map->bytes < RING_PAGE + spsc_bytes(2 * RECORD_SLOTS_MAX)
                       ? MAP_FAILED
                       : mmap(NULL, map->bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) {
        return refuse(error, error_bytes, path, "not a journal ring");
    }
    map->head = memory;
    map->ring = (struct spsc *)((char *)memory + RING_PAGE);
    if (memcmp(map->head->magic, ring_magic, sizeof ring_magic) != 0 ||
        map->bytes != RING_PAGE + spsc_bytes(map->head->slots) || map->ring->count != map->head->slots) {
        ring_unmap(map);
        return refuse(error, error_bytes, path, "not a journal ring");
    }
    if (map->head->layout_hash != record_layout_hash()) {
        ring_unmap(map);
        return refuse(error, error_bytes, path,
                      "written with other record layouts: recover with the build that wrote it");
    }
    return true;
}

static void ring_mapping_set(struct ring_head *head, struct mapping mapping)
{
    uint64_t turn = atomic_load_explicit(&head->turn, memory_order_relaxed) + 1;
    head->mapping[turn & 1] = mapping;
    /* edge K: whoever finds this turn after our death finds the row it names whole */
    atomic_store_explicit(&head->turn, turn, memory_order_release);
}

static struct mapping ring_mapping(struct ring_head *head)
{
    for (;;) {
        /* edge K */
        uint64_t turn = atomic_load_explicit(&head->turn, memory_order_acquire);
        struct mapping mapping = head->mapping[turn & 1];
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&head->turn, memory_order_relaxed) == turn) {
            return mapping;
        }
    }
}

/* The committed record at a position, pads stepped over; NULL when there is none (yet). */
static const struct slot *ring_at(struct spsc *ring, uint64_t *position)
{
    for (;;) {
        struct slot *slot = &ring->slots[*position & ring->mask];
        /* edge P: sequence seen, so the bytes are there */
        if (atomic_load_explicit(spsc_word(slot), memory_order_acquire) != *position + 1) {
            return NULL;
        }
        if (record_head_of(slot)->type != RECORD_PAD) {
            return slot;
        }
        *position += record_head_of(slot)->stamp_ns;
    }
}

/* ------------------------------------------------------------------ jobs of the disk thread */

/* One file being written. */
struct file {
    int fd;      /* -1 none */
    uint64_t at; /* bytes written */
    char path[SEGMENT_PATH_BYTES];
};

/* Where the orders file ends. */
struct orders_end {
    struct segment_writer writer;
    uint64_t at;   /* bytes */
    uint64_t next; /* the first number it does not hold yet */
};

enum job_state { JOB_IDLE = 0, JOB_GIVEN, JOB_DONE };

struct job {
    struct slots full, orders;   /* what to append */
    bool open_full, open_orders; /* create the file first */
    bool sync, seal;             /* seal: the segment is complete; sync and close it */
    bool heal;                   /* take the spills over to the disk first */
    uint32_t heal_below;         /* those with lower segment numbers */
    uint64_t position, number;   /* the ring is drained up to here when it is done */
    /* result */
    int failed; /* errno, 0 done */
    const char *what;
    uint64_t written;
};

struct journal {
    struct journal_options options;
    struct journal_disk disk;
    char directory[SEGMENT_PATH_BYTES], shared_directory[SEGMENT_PATH_BYTES];
    struct ring_map map;
    struct reduce *reduce;
    void (*tap)(void *context, const struct slot *record, uint64_t number);
    void *tap_context;

    /* cold thread's */
    uint64_t number;  /* of the record at ring->tail */
    uint32_t segment; /* number of the next file to begin */
    bool open;        /* a segment is begun on disk */
    bool spilling;
    bool orders_open;
    bool heal_due;
    uint32_t segment_data; /* ring records' slots in the current file */
    struct segment_writer writer;
    struct orders_end orders_end;  /* as the job in flight will leave it */
    struct orders_end orders_good; /* as the last job that worked left it */
    uint64_t unsynced_ns;          /* now_ns of the oldest write that was not synced; 0 none */
    uint64_t given_ns;             /* when the disk thread got its job */
    uint64_t retry_ns;
    bool abandoned; /* the job in flight counts for nothing any more */
    struct job job;
    struct journal_counts counts;

    /* spill, cold thread's */
    struct file spill;
    struct segment_writer spill_writer;
    uint64_t spill_used;
    uint64_t lost_first, lost_count; /* the LOST marker that is the spill's last slot; count 0 none */
    uint64_t lost_first_ns;

    /* disk thread's (or inline) */
    struct file full, orders;

    pthread_t thread;
    bool threaded;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int job_state; /* enum job_state; under the mutex */
    bool stop;     /* under the mutex */
};

static int system_open(void *context, const char *path, int flags, int mode)
{
    (void)context;
    return open(path, flags, mode);
}

static ssize_t system_pwrite(void *context, int fd, const void *bytes, size_t count, off_t at)
{
    (void)context;
    return pwrite(fd, bytes, count, at);
}

static int system_fdatasync(void *context, int fd)
{
    (void)context;
    return fdatasync(fd);
}

static const struct journal_disk system_disk = { .open = system_open,
                                                 .pwrite = system_pwrite,
                                                 .fdatasync = system_fdatasync };

static int file_create(const struct journal_disk *disk, struct file *file)
{
    file->at = 0;
    file->fd = disk->open(disk->context, file->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return file->fd < 0 ? errno : 0;
}

static int file_write(const struct journal_disk *disk, struct file *file, const void *bytes, size_t count)
{
    const char *from = bytes;
    size_t done = 0;
    while (done < count) {
        ssize_t wrote =
            disk->pwrite(disk->context, file->fd, from + done, count - done, (off_t)(file->at + done));
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            int why = wrote < 0 ? errno : ENOSPC;
            /* What was written of it says nothing: the records stay in the ring and go elsewhere. */
            if (done != 0 && ftruncate(file->fd, (off_t)file->at) != 0) {
                return why;
            }
            return why;
        }
        done += (size_t)wrote;
    }
    file->at += count;
    return 0;
}

static void file_close(struct file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
}

static void sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Deletes the oldest whole segments beyond keep_bytes; never orders files, and never the last segment of one
 * of the newest runs: the newest may not have got as far as holding anything. */
static void prune(const char *directory, uint64_t keep_bytes)
{
    struct segment_file *files;
    uint32_t count;
    if (keep_bytes == 0 || !segment_list(directory, &files, &count)) {
        return;
    }
    uint64_t total = 0;
    uint32_t full = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (files[i].kind == SEGMENT_FULL) {
            total += files[i].bytes;
            full = i + 1;
        }
    }
    for (uint32_t i = 0; i + 1 < full && total > keep_bytes; i++) {
        bool last_of_run = files[i + 1].run != files[i].run;
        bool recent = files[i].run + RUNS_KEPT > files[full - 1].run;
        if (!(last_of_run && recent) && unlink(files[i].path) == 0) {
            total -= files[i].bytes;
        }
    }
    free(files);
}

/* ------------------------------------------------------------------ spills and salvage on the disk */

static int copy_file(const struct journal_disk *disk, const char *from, const char *to)
{
    struct file file = { .fd = -1 };
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0) {
        return errno;
    }
    snprintf(file.path, sizeof file.path, "%s", to);
    int why = file_create(disk, &file);
    static const size_t piece = 1 << 20;
    char *buffer = why == 0 ? malloc(piece) : NULL;
    while (why == 0) {
        ssize_t got = read(source, buffer, piece);
        if (got <= 0) {
            why = got < 0 ? errno : 0;
            break;
        }
        why = file_write(disk, &file, buffer, (size_t)got);
    }
    if (why == 0 && disk->fdatasync(disk->context, file.fd) != 0) {
        why = errno;
    }
    free(buffer);
    file_close(&file);
    close(source);
    return why;
}

static int orders_begin(const struct journal_disk *disk, struct file *orders, struct orders_end *end,
                        const struct segment_head *head)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    segment_start(&end->writer, head, &slot);
    end->next = 0;
    return file_write(disk, orders, &slot, sizeof slot);
}

/* Appends a segment's orders from end->next on to the orders file. */
static int orders_catch_up(const struct journal_disk *disk, struct file *orders, struct orders_end *end,
                           const char *segment)
{
    struct segment_reader reader;
    char error[SEGMENT_PATH_BYTES + 128];
    if (!segment_open(&reader, segment, error, sizeof error)) {
        return 0; /* a torn spill has nothing to give */
    }
    struct slots slots = { 0 };
    struct segment_item item;
    enum segment_result result;
    while ((result = segment_next(&reader, &item)) != SEGMENT_DONE) {
        if (result == SEGMENT_RECORD && item.origin == ORIGIN_RING && item.number >= end->next &&
            segment_is_order(record_head_of(item.record)->type)) {
            struct slot *to = slots_room(&slots, RECORD_SLOTS_MAX);
            slots.used += segment_put(&end->writer, to, item.record, ORIGIN_RING, item.number);
            end->next = item.number + 1;
        }
    }
    int why = slots.used == 0 ? 0 : file_write(disk, orders, slots.slot, (size_t)slots.used * SLOT_BYTES);
    free(slots.slot);
    segment_close(&reader);
    return why;
}

/* The segments of a run in a directory, in order. */
static uint32_t run_files(const char *directory, uint64_t run, struct segment_file **files)
{
    uint32_t count, kept = 0;
    if (!segment_list(directory, files, &count)) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if ((*files)[i].kind == SEGMENT_FULL && (*files)[i].run == run) {
            (*files)[kept++] = (*files)[i];
        }
    }
    return kept;
}

/* Copies every spill of a run below a segment number to the disk, without removing any yet; the copies'
 * orders follow into the orders file when there is one. */
static int spills_copy(const struct journal_disk *disk, const char *shared_directory, const char *directory,
                       uint64_t run, uint32_t below, struct file *orders, struct orders_end *end)
{
    struct segment_file *files;
    uint32_t count = run_files(shared_directory, run, &files);
    int why = 0;
    for (uint32_t i = 0; i < count && why == 0 && files[i].segment < below; i++) {
        char to[SEGMENT_PATH_BYTES];
        segment_path(to, directory, SEGMENT_FULL, run, files[i].segment);
        why = copy_file(disk, files[i].path, to);
        if (why == 0 && orders != NULL) {
            why = orders_catch_up(disk, orders, end, to);
        }
    }
    free(files);
    sync_directory(directory);
    return why;
}

static void spills_remove(const char *shared_directory, uint64_t run, uint32_t below)
{
    struct segment_file *files;
    uint32_t count = run_files(shared_directory, run, &files);
    for (uint32_t i = 0; i < count && files[i].segment < below; i++) {
        unlink(files[i].path);
    }
    free(files);
}

/* ------------------------------------------------------------------ the disk thread */

static int job_try(struct journal *journal, struct job *job)
{
    const struct journal_disk *disk = &journal->disk;
    int why = 0;
    if (job->open_orders) {
        job->what = "create orders file";
        segment_path(journal->orders.path, journal->directory, SEGMENT_ORDERS, journal->options.run, 0);
        if ((why = file_create(disk, &journal->orders)) != 0) {
            return why;
        }
    } else {
        journal->orders.at = journal->orders_good.at;
    }
    if (job->heal) {
        job->what = "copy spill";
        if (job->open_orders) {
            struct segment_head head = { .run = journal->options.run,
                                         .layout_hash = record_layout_hash(),
                                         .engine = journal->options.engine,
                                         .kind = SEGMENT_ORDERS };
            if ((why = orders_begin(disk, &journal->orders, &journal->orders_end, &head)) != 0) {
                return why;
            }
        }
        why = spills_copy(disk, journal->shared_directory, journal->directory, journal->options.run,
                          job->heal_below, &journal->orders, &journal->orders_end);
        if (why != 0) {
            return why;
        }
    }
    if (job->open_full) {
        job->what = "create segment";
        segment_path(journal->full.path, journal->directory, SEGMENT_FULL, journal->options.run,
                     journal->writer.head.segment);
        if ((why = file_create(disk, &journal->full)) != 0) {
            return why;
        }
    }
    job->what = "write segment";
    if (job->full.used != 0 &&
        (why = file_write(disk, &journal->full, job->full.slot, (size_t)job->full.used * SLOT_BYTES)) != 0) {
        return why;
    }
    job->what = "write orders file";
    if (job->orders.used != 0 && (why = file_write(disk, &journal->orders, job->orders.slot,
                                                   (size_t)job->orders.used * SLOT_BYTES)) != 0) {
        return why;
    }
    if (job->sync) {
        job->what = "sync";
        if (disk->fdatasync(disk->context, journal->full.fd) != 0 ||
            disk->fdatasync(disk->context, journal->orders.fd) != 0) {
            return errno;
        }
    }
    if (job->open_full || job->open_orders) {
        sync_directory(journal->directory);
    }
    if (job->open_full) {
        prune(journal->directory, journal->options.keep_bytes);
    }
    if (job->seal) {
        file_close(&journal->full);
    }
    if (job->heal) {
        spills_remove(journal->shared_directory, journal->options.run, job->heal_below);
    }
    journal->orders_end.at = journal->orders.at;
    return 0;
}

static void job_run(struct journal *journal, struct job *job)
{
    job->failed = job_try(journal, job);
    job->written = (uint64_t)(job->full.used + job->orders.used) * SLOT_BYTES;
    if (job->failed != 0) {
        file_close(&journal->full);
        if (job->open_orders) {
            file_close(&journal->orders);
        }
    }
}

static void *disk_main(void *argument)
{
    struct journal *journal = argument;
    pthread_mutex_lock(&journal->mutex);
    while (!journal->stop) {
        if (journal->job_state != JOB_GIVEN) {
            pthread_cond_wait(&journal->wake, &journal->mutex);
            continue;
        }
        pthread_mutex_unlock(&journal->mutex);
        job_run(journal, &journal->job);
        pthread_mutex_lock(&journal->mutex);
        journal->job_state = JOB_DONE;
        pthread_cond_broadcast(&journal->wake);
    }
    pthread_mutex_unlock(&journal->mutex);
    return NULL;
}

static int job_state(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    int state = journal->job_state;
    pthread_mutex_unlock(&journal->mutex);
    return state;
}

static void job_give(struct journal *journal, uint64_t now_ns)
{
    journal->given_ns = now_ns;
    if (!journal->threaded) {
        job_run(journal, &journal->job);
        journal->job_state = JOB_DONE;
        return;
    }
    pthread_mutex_lock(&journal->mutex);
    journal->job_state = JOB_GIVEN;
    pthread_cond_broadcast(&journal->wake);
    pthread_mutex_unlock(&journal->mutex);
}

/* ------------------------------------------------------------------ creation */

struct journal *journal_create(const struct journal_options *options, char *error, size_t error_bytes)
{
    struct journal *journal = calloc(1, sizeof *journal);
    POISE_ASSERT(journal != NULL);
    journal->options = *options;
    journal->disk = options->disk != NULL ? *options->disk : system_disk;
    snprintf(journal->directory, sizeof journal->directory, "%s", options->directory);
    snprintf(journal->shared_directory, sizeof journal->shared_directory, "%s", options->shared_directory);
    journal->options.spill_bytes = options->spill_bytes != 0 ? options->spill_bytes : SPILL_BYTES;
    journal->options.stall_ns = options->stall_ns != 0 ? options->stall_ns : STALL_NS;
    if (journal->options.segment_bytes == 0 ||
        journal->options.segment_bytes > (uint64_t)SEGMENT_SLOTS_MAX * SLOT_BYTES / 2) {
        journal->options.segment_bytes = (uint64_t)SEGMENT_SLOTS_MAX * SLOT_BYTES / 2;
    }
    journal->full.fd = journal->orders.fd = journal->spill.fd = -1;
    if (!ring_create(&journal->map, options, error, error_bytes)) {
        free(journal);
        return NULL;
    }
    journal->reduce = reduce_create();
    pthread_mutex_init(&journal->mutex, NULL);
    pthread_cond_init(&journal->wake, NULL);
    if (!options->inline_disk) {
        if (pthread_create(&journal->thread, NULL, disk_main, journal) != 0) {
            snprintf(error, error_bytes, "journal: no thread for the disk: %s", strerror(errno));
            ring_unmap(&journal->map);
            reduce_destroy(journal->reduce);
            free(journal);
            return NULL;
        }
        journal->threaded = true;
    }
    return journal;
}

struct spsc *journal_ring(struct journal *journal)
{
    return journal->map.ring;
}

void journal_tap(struct journal *journal,
                 void (*tap)(void *context, const struct slot *record, uint64_t number), void *context)
{
    journal->tap = tap;
    journal->tap_context = context;
}

const struct reduce *journal_reduce(const struct journal *journal)
{
    return journal->reduce;
}

uint64_t journal_number(const struct journal *journal)
{
    return journal->number;
}

void journal_counts(const struct journal *journal, struct journal_counts *counts)
{
    *counts = journal->counts;
    counts->ring_used =
        journal->job.position > journal->map.ring->tail ? journal->job.position - journal->map.ring->tail : 0;
    counts->segment = journal->segment == 0 ? 0 : journal->segment - 1;
    counts->spilled_bytes = journal->spill_used;
}

/* ------------------------------------------------------------------ draining */

struct put {
    struct segment_writer *writer;
    struct slots *slots;
    uint64_t number;
    enum segment_origin origin;
};

static void put_record(void *context, const struct slot *record)
{
    struct put *put = context;
    struct slot *to = slots_room(put->slots, RECORD_SLOTS_MAX);
    put->slots->used += segment_put(put->writer, to, record, put->origin, put->number);
}

static void put_clock(struct put *put, enum record_type type, uint64_t stamp_ns, int64_t wall_ns)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_clock *clock = (struct record_clock *)record_begin(&slot, type, 1, stamp_ns);
    clock->wall_ns = wall_ns;
    put_record(put, &slot);
}

/* What a segment must begin with so that it can be read alone; nothing for the first one of a run, whose own
 * first records are that. */
static void put_head(const struct reduce *reduce, struct put *put, uint32_t segment, int64_t wall_ns)
{
    if (reduce_begin(reduce) == NULL) {
        return;
    }
    put->origin = ORIGIN_HEAD;
    reduce_head(reduce, segment, put_record, put);
    reduce_restore(reduce, put_record, put);
    reduce_opinion(reduce, put_record, put);
    put_clock(put, RECORD_RESTORE_DONE, reduce_stamp_ns(reduce), wall_ns);
    put->origin = ORIGIN_RING;
}

static void begin_file(struct journal *journal, struct segment_writer *writer, struct slots *slots,
                       uint8_t kind, uint32_t segment, int64_t wall_ns)
{
    struct segment_head head = { .run = journal->options.run,
                                 .layout_hash = record_layout_hash(),
                                 .first_number = journal->number,
                                 .wall_ns = wall_ns,
                                 .segment = segment,
                                 .engine = journal->options.engine,
                                 .kind = kind };
    segment_start(writer, &head, slots_room(slots, 1));
    slots->used++;
}

/* Everything below the position is in a file: consume it, then give the ring its slots back. */
static void release(struct journal *journal, uint64_t position, uint64_t number)
{
    struct spsc *ring = journal->map.ring;
    ring_mapping_set(journal->map.head, (struct mapping){ .position = position, .number = number });
    while (ring->tail < position) {
        const struct slot *record = spsc_peek(ring);
        if (record == NULL || ring->tail >= position) {
            break;
        }
        reduce_record(journal->reduce, record);
        if (journal->tap != NULL) {
            journal->tap(journal->tap_context, record, journal->number);
        }
        journal->number++;
        journal->counts.records++;
        spsc_release(ring);
    }
    POISE_ASSERT(journal->number == number);
    /* Told at once: a quarter of the ring is what feeds may not use. */
    ring->published = ring->tail;
    /* edge T: reads of all slots below tail are done before the producer may overwrite them */
    atomic_store_explicit(&ring->shared_tail, ring->tail, memory_order_release);
}

static void note_error(struct journal *journal, int why, const char *what, const char *path)
{
    journal->counts.disk_errors++;
    journal->counts.last_errno = why;
    snprintf(journal->counts.last_error, sizeof journal->counts.last_error, "%s %.90s: %s", what, path,
             strerror(why));
}

/* Builds a job from what the ring holds; false when there is nothing to do. */
static bool job_build(struct journal *journal, uint64_t now_ns, int64_t wall_ns)
{
    struct spsc *ring = journal->map.ring;
    struct job *job = &journal->job;
    job->full.used = job->orders.used = 0;
    job->open_full = job->open_orders = job->seal = job->heal = false;
    job->position = ring->tail;
    job->number = journal->number;
    job->failed = 0;

    const struct slot *record = ring_at(ring, &job->position);
    job->heal_below = journal->segment;
    bool sync_due =
        journal->unsynced_ns != 0 && now_ns - journal->unsynced_ns >= journal->options.sync_ns / 2;
    if (record == NULL && !(sync_due && journal->open) && !journal->heal_due) {
        return false;
    }
    job->sync = sync_due || journal->options.sync_ns == 0 || journal->heal_due;
    journal->orders_end = journal->orders_good;

    struct put full = { .writer = &journal->writer, .slots = &job->full };
    struct put orders = { .writer = &journal->orders_end.writer, .slots = &job->orders };
    if (!journal->orders_open) {
        job->open_orders = true;
        if (!journal->heal_due) {
            begin_file(journal, &journal->orders_end.writer, &job->orders, SEGMENT_ORDERS, 0, wall_ns);
        }
    }
    job->heal = journal->heal_due;
    if (!journal->open) {
        job->open_full = true;
        journal->segment_data = 0;
        full.number = journal->number;
        begin_file(journal, &journal->writer, &job->full, SEGMENT_FULL, journal->segment, wall_ns);
        put_head(journal->reduce, &full, journal->segment, wall_ns);
    }
    uint32_t slots = 0;
    /* A heal appends to the orders file in the disk thread, so this job brings none of its own. */
    while (record != NULL && slots < BATCH_SLOTS && !job->heal) {
        const struct record_head *head = record_head_of(record);
        full.number = orders.number = job->number;
        put_record(&full, record);
        if (segment_is_order(head->type) ||
            (head->type == RECORD_CLOCK && job->number - journal->orders_end.next > ORDERS_SILENCE)) {
            put_record(&orders, record);
            journal->orders_end.next = job->number + 1;
        }
        slots += head->slot_count;
        job->position += head->slot_count;
        job->number++;
        record = ring_at(ring, &job->position);
    }
    journal->segment_data += slots;
    if (journal->segment_data != 0 &&
        (uint64_t)journal->writer.slot * SLOT_BYTES >= journal->options.segment_bytes) {
        full.number = job->number;
        full.origin = ORIGIN_JOURNAL;
        put_clock(&full, RECORD_SEGMENT_END, reduce_stamp_ns(journal->reduce), wall_ns);
        job->seal = true;
        job->sync = true;
    }
    return true;
}

static void spill_begin(struct journal *journal, int64_t wall_ns);

/* The disk thread is done: take its result.  Answers false when the disk failed. */
static bool job_take(struct journal *journal, uint64_t now_ns, int64_t wall_ns)
{
    struct job *job = &journal->job;
    journal->job_state = JOB_IDLE;
    if (journal->abandoned) {
        /* It hung while a spill took its place: what it wrote may stand on the disk twice, which readers
         * know by the numbers.  Its segment is closed; the next one is new. */
        journal->abandoned = false;
        file_close(&journal->full);
        if (job->open_orders) {
            file_close(&journal->orders);
        }
        return true;
    }
    if (job->failed != 0) {
        note_error(journal, job->failed, job->what,
                   strcmp(job->what, "write orders file") == 0 ? journal->orders.path : journal->full.path);
        journal->open = false;
        journal->heal_due = false;
        journal->retry_ns = now_ns + RETRY_NS;
        if (!journal->spilling) {
            spill_begin(journal, wall_ns);
        }
        return false;
    }
    if (job->open_full) {
        journal->segment++;
        journal->open = true;
        journal->counts.segments++;
    }
    if (job->open_orders) {
        journal->orders_open = true;
    }
    journal->orders_good = journal->orders_end;
    if (job->heal) {
        journal->heal_due = false;
        journal->spilling = false;
        journal->spill_used = 0;
        journal->lost_count = 0;
        file_close(&journal->spill);
    }
    journal->counts.bytes += job->written;
    if (job->sync) {
        journal->counts.syncs++;
        journal->unsynced_ns = 0;
    } else if (journal->unsynced_ns == 0 && job->full.used != 0) {
        journal->unsynced_ns = journal->given_ns;
    }
    if (job->seal) {
        journal->open = false;
        journal->unsynced_ns = 0;
    }
    release(journal, job->position, job->number);
    return true;
}

/* ------------------------------------------------------------------ spilling */

static bool spill_write(struct journal *journal, const struct slots *slots)
{
    if (journal->spill.fd < 0 ||
        journal->spill_used + (uint64_t)slots->used * SLOT_BYTES > journal->options.spill_bytes) {
        return false;
    }
    int why = file_write(&system_disk, &journal->spill, slots->slot, (size_t)slots->used * SLOT_BYTES);
    if (why != 0) {
        note_error(journal, why, "write spill", journal->spill.path);
        return false;
    }
    journal->spill_used += (uint64_t)slots->used * SLOT_BYTES;
    journal->counts.bytes += (uint64_t)slots->used * SLOT_BYTES;
    return true;
}

/* Turns to tmpfs: a new segment there, with its own head, from the record at the ring's tail on. */
static void spill_begin(struct journal *journal, int64_t wall_ns)
{
    struct slots slots = { 0 };
    journal->spilling = true;
    journal->open = false;
    journal->lost_count = 0;
    uint32_t segment = journal->segment + 1; /* the failed one keeps its number */
    segment_path(journal->spill.path, journal->shared_directory, SEGMENT_FULL, journal->options.run, segment);
    int why = file_create(&system_disk, &journal->spill);
    if (why != 0) {
        note_error(journal, why, "create spill", journal->spill.path);
        return;
    }
    begin_file(journal, &journal->spill_writer, &slots, SEGMENT_FULL, segment, wall_ns);
    struct put put = { .writer = &journal->spill_writer, .slots = &slots, .number = journal->number };
    put_head(journal->reduce, &put, segment, wall_ns);
    if (spill_write(journal, &slots)) {
        journal->segment = segment + 1;
        journal->counts.segments++;
    } else {
        file_close(&journal->spill);
        unlink(journal->spill.path);
    }
    free(slots.slot);
}

/* Drains to the spill: what matters is kept, feeds are counted. */
static enum journal_health spill_poll(struct journal *journal, int64_t wall_ns)
{
    if (journal->spill.fd < 0) {
        spill_begin(journal, wall_ns);
        if (journal->spill.fd < 0) {
            return JOURNAL_STUCK;
        }
    }
    struct spsc *ring = journal->map.ring;
    uint64_t position = ring->tail, number = journal->number;
    struct slots slots = { 0 };
    struct put put = { .writer = &journal->spill_writer, .slots = &slots };
    struct segment_writer writer_before = journal->spill_writer;
    uint64_t first = journal->lost_first, count = journal->lost_count, first_ns = journal->lost_first_ns;
    uint64_t at_before = journal->spill.at, lost = 0;
    uint32_t taken = 0;

    /* A marker that stands last in the file grows in place, so that an hour without a disk is one slot. */
    if (count != 0) {
        journal->spill.at -= SLOT_BYTES;
        journal->spill_writer.slot--;
        journal->spill_used -= SLOT_BYTES;
    }
    const struct slot *record;
    while (taken < BATCH_SLOTS && (record = ring_at(ring, &position)) != NULL) {
        const struct record_head *head = record_head_of(record);
        if (segment_is_feed(head->type)) {
            if (count == 0) {
                first = number;
                first_ns = head->stamp_ns;
            }
            count++;
            lost++;
        } else {
            for (int turn = 0; turn < 2; turn++) {
                struct slot marker;
                if (turn == 0 && count == 0) {
                    continue;
                }
                if (turn == 0) {
                    memset(&marker, 0, sizeof marker);
                    struct record_lost *said =
                        (struct record_lost *)record_begin(&marker, RECORD_LOST, 1, head->stamp_ns);
                    said->count = count;
                    said->first_ns = first_ns;
                    put.origin = ORIGIN_JOURNAL;
                    put.number = first;
                    put_record(&put, &marker);
                    count = 0;
                } else {
                    put.origin = ORIGIN_RING;
                    put.number = number;
                    put_record(&put, record);
                }
            }
        }
        taken += head->slot_count;
        position += head->slot_count;
        number++;
    }
    if (count != 0) {
        struct slot marker;
        memset(&marker, 0, sizeof marker);
        struct record_lost *said = (struct record_lost *)record_begin(&marker, RECORD_LOST, 1, first_ns);
        said->count = count;
        said->first_ns = first_ns;
        put.origin = ORIGIN_JOURNAL;
        put.number = first;
        put_record(&put, &marker);
    }
    if (taken == 0 || !spill_write(journal, &slots)) {
        if (journal->lost_count != 0) {
            journal->spill_used += SLOT_BYTES;
        }
        journal->spill.at = at_before;
        journal->spill_writer = writer_before;
        free(slots.slot);
        return taken == 0 ? JOURNAL_SPILL : JOURNAL_STUCK;
    }
    journal->lost_first = first;
    journal->lost_count = count;
    journal->lost_first_ns = first_ns;
    journal->counts.lost += lost;
    free(slots.slot);
    release(journal, position, number);
    return JOURNAL_SPILL;
}

/* ------------------------------------------------------------------ polling */

/* Feeds may use three quarters of the ring; a disk that hangs while half of it waits is not waited for. */
static bool half_full(struct spsc *ring)
{
    uint64_t position = ring->tail;
    const struct slot *record;
    while ((record = ring_at(ring, &position)) != NULL) {
        position += record_head_of(record)->slot_count;
        if (position - ring->tail > ring->count / 2) {
            return true;
        }
    }
    return false;
}

enum journal_health journal_poll(struct journal *journal, uint64_t now_ns, int64_t wall_ns)
{
    for (int i = 0; i < (journal->threaded ? 2 : JOBS_INLINE); i++) {
        int state = job_state(journal);
        if (state == JOB_DONE && !job_take(journal, now_ns, wall_ns)) {
            break;
        }
        if (state == JOB_GIVEN) {
            if (journal->abandoned) {
                break;
            }
            if (now_ns - journal->given_ns <= journal->options.stall_ns) {
                return journal->spilling ? JOURNAL_SPILL : JOURNAL_WELL;
            }
            if (!half_full(journal->map.ring)) {
                return journal->spilling ? JOURNAL_SPILL : JOURNAL_BEHIND;
            }
            journal->abandoned = true;
            journal->heal_due = false;
            note_error(journal, ETIMEDOUT, "disk answers nothing", journal->full.path);
            file_close(&journal->spill); /* a heal that hangs may be copying it */
            spill_begin(journal, wall_ns);
            journal->retry_ns = now_ns + RETRY_NS;
            break;
        }
        if (journal->spilling && !journal->heal_due) {
            if (now_ns < journal->retry_ns) {
                break;
            }
            /* Try the disk with the spills and a new segment; the ring holds what comes meanwhile. */
            journal->heal_due = true;
        }
        if (!job_build(journal, now_ns, wall_ns)) {
            return JOURNAL_WELL;
        }
        job_give(journal, now_ns);
    }
    if (!journal->spilling) {
        return JOURNAL_WELL;
    }
    return journal->heal_due ? JOURNAL_SPILL : spill_poll(journal, wall_ns);
}

bool journal_flush(struct journal *journal, int64_t wall_ns, uint64_t wait_ns)
{
    uint64_t until_ns = clock_now_ns() + wait_ns;
    for (;;) {
        /* As if the sync were due: what is written must be on the disk before this answers. */
        uint64_t now_ns = clock_now_ns();
        if (journal->unsynced_ns != 0) {
            journal->unsynced_ns = now_ns > journal->options.sync_ns ? now_ns - journal->options.sync_ns : 1;
        }
        enum journal_health health = journal_poll(journal, now_ns, wall_ns);
        uint64_t position = journal->map.ring->tail;
        if (ring_at(journal->map.ring, &position) == NULL && job_state(journal) == JOB_IDLE &&
            (journal->unsynced_ns == 0 || journal->spilling) && !journal->heal_due) {
            return !journal->spilling;
        }
        if (health == JOURNAL_STUCK || (wait_ns != 0 && clock_now_ns() >= until_ns)) {
            return false;
        }
        if (journal->threaded) {
            nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
        }
    }
}

void journal_close(struct journal *journal, int64_t wall_ns)
{
    bool flushed = journal_flush(journal, wall_ns, CLOSE_WAIT_NS);
    bool idle = job_state(journal) != JOB_GIVEN;
    if (flushed && journal->open) {
        struct job *job = &journal->job;
        job->full.used = job->orders.used = 0;
        job->open_full = job->open_orders = job->heal = false;
        job->seal = job->sync = true;
        struct put put = { .writer = &journal->writer,
                           .slots = &job->full,
                           .number = journal->number,
                           .origin = ORIGIN_JOURNAL };
        put_clock(&put, RECORD_SEGMENT_END, reduce_stamp_ns(journal->reduce), wall_ns);
        job_run(journal, job);
    }
    if (journal->threaded) {
        pthread_mutex_lock(&journal->mutex);
        journal->stop = true;
        pthread_cond_broadcast(&journal->wake);
        pthread_mutex_unlock(&journal->mutex);
        if (!idle) {
            /* It hangs in the disk and holds our memory: leave both to the end of the process. */
            pthread_detach(journal->thread);
            return;
        }
        pthread_join(journal->thread, NULL);
    }
    file_close(&journal->full);
    file_close(&journal->orders);
    file_close(&journal->spill);
    ring_unmap(&journal->map);
    reduce_destroy(journal->reduce);
    free(journal->job.full.slot);
    free(journal->job.orders.slot);
    pthread_mutex_destroy(&journal->mutex);
    pthread_cond_destroy(&journal->wake);
    free(journal);
}

/* ------------------------------------------------------------------ reading a run back */

struct journal_reader {
    uint64_t run;
    struct segment_file *files;
    uint32_t file_count, file_at;
    struct segment_reader segment;
    bool segment_open;
    bool ring_has_run;
    struct ring_map map;
    uint64_t ring_position, ring_number;
    bool ring_begun;

    uint64_t expected; /* number of the next record */
    bool began;        /* something was yielded */
    bool resync;       /* records are missing: the next head is the truth again */
    bool use_head;     /* of the current file */
    uint64_t torn;
    struct journal_item held; /* behind a gap that was told first */
    bool holding;
    struct slot copy[RECORD_SLOTS_MAX];
};

static uint64_t ring_run(const char *shared_directory)
{
    struct ring_map map;
    char error[SEGMENT_PATH_BYTES + 128];
    if (shared_directory == NULL || !ring_open(&map, shared_directory, error, sizeof error)) {
        return 0;
    }
    uint64_t run = map.head->run;
    ring_unmap(&map);
    return run;
}

bool journal_ring_readable(const char *shared_directory, char *error, size_t error_bytes)
{
    char path[SEGMENT_PATH_BYTES];
    struct ring_map map;
    snprintf(path, sizeof path, "%s/%s", shared_directory, JOURNAL_RING_FILE);
    if (access(path, F_OK) != 0) {
        return true;
    }
    if (!ring_open(&map, shared_directory, error, error_bytes)) {
        return false;
    }
    ring_unmap(&map);
    return true;
}

static uint64_t newest_in(const char *directory)
{
    struct segment_file *files;
    uint32_t count;
    uint64_t run = 0;
    if (directory != NULL && segment_list(directory, &files, &count)) {
        for (uint32_t i = 0; i < count; i++) {
            run = files[i].run > run ? files[i].run : run;
        }
        free(files);
    }
    return run;
}

uint64_t journal_newest_run(const char *directory, const char *shared_directory)
{
    uint64_t run = newest_in(directory), other = newest_in(shared_directory);
    run = other > run ? other : run;
    other = ring_run(shared_directory);
    return other > run ? other : run;
}

/* The run's segments of both places, one per segment number: the longer copy where there are two. */
static void files_merge(struct journal_reader *reader, const char *directory)
{
    struct segment_file *files;
    uint32_t count;
    if (directory == NULL || !segment_list(directory, &files, &count)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (files[i].kind != SEGMENT_FULL || files[i].run != reader->run) {
            continue;
        }
        uint32_t at = 0;
        while (at < reader->file_count && reader->files[at].segment < files[i].segment) {
            at++;
        }
        if (at < reader->file_count && reader->files[at].segment == files[i].segment) {
            if (files[i].bytes > reader->files[at].bytes) {
                reader->files[at] = files[i];
            }
            continue;
        }
        reader->files = realloc(reader->files, (reader->file_count + 1) * sizeof *reader->files);
        POISE_ASSERT(reader->files != NULL);
        memmove(&reader->files[at + 1], &reader->files[at],
                (reader->file_count - at) * sizeof *reader->files);
        reader->files[at] = files[i];
        reader->file_count++;
    }
    free(files);
}

/* The segment can be read alone: it is the run's first, or its head is whole. */
static bool head_is_whole(const char *path)
{
    struct segment_reader segment;
    struct segment_item item;
    char error[SEGMENT_PATH_BYTES + 128];
    if (!segment_open(&segment, path, error, sizeof error)) {
        return false;
    }
    bool whole = segment.head.first_number == 0;
    while (!whole && segment_next(&segment, &item) == SEGMENT_RECORD && item.origin == ORIGIN_HEAD) {
        whole = record_head_of(item.record)->type == RECORD_RESTORE_DONE;
    }
    segment_close(&segment);
    return whole;
}

struct journal_reader *journal_reader_open(const struct journal_reader_options *options, char *error,
                                           size_t error_bytes)
{
    struct journal_reader *reader = calloc(1, sizeof *reader);
    POISE_ASSERT(reader != NULL);
    reader->run =
        options->run != 0 ? options->run : journal_newest_run(options->directory, options->shared_directory);
    files_merge(reader, options->directory);
    files_merge(reader, options->shared_directory);
    if (options->shared_directory != NULL) {
        char ring_error[SEGMENT_PATH_BYTES + 128];
        if (ring_open(&reader->map, options->shared_directory, ring_error, sizeof ring_error)) {
            reader->ring_has_run = reader->map.head->run == reader->run;
        }
    }
    if (reader->run == 0 || (reader->file_count == 0 && !reader->ring_has_run)) {
        snprintf(error, error_bytes, "%s: no journal of %s",
                 options->directory != NULL ? options->directory : "?",
                 reader->run == 0 ? "any run" : "that run");
        journal_reader_close(reader);
        return NULL;
    }
    if (reader->file_count != 0) {
        /* Layouts are the same in all files of a run; say it once, here. */
        struct segment_reader segment;
        if (segment_open(&segment, reader->files[reader->file_count - 1].path, error, error_bytes)) {
            segment_close(&segment);
        } else if (strstr(error, "layouts") != NULL) {
            journal_reader_close(reader);
            return NULL;
        }
    }
    if (options->newest_segment) {
        uint32_t at = reader->file_count;
        while (at > 0 && !head_is_whole(reader->files[at - 1].path)) {
            at--;
        }
        for (uint32_t back = options->segments_back; back > 0 && at > 1; back--) {
            if (!head_is_whole(reader->files[at - 2].path)) {
                break;
            }
            at--;
        }
        reader->file_at = at > 0 ? at - 1 : 0;
        if (at > 0) {
            struct segment_reader segment;
            if (segment_open(&segment, reader->files[at - 1].path, error, error_bytes)) {
                reader->expected = segment.head.first_number;
                segment_close(&segment);
            }
        }
    }
    return reader;
}

uint64_t journal_reader_run(const struct journal_reader *reader)
{
    return reader->run;
}

uint64_t journal_reader_torn(const struct journal_reader *reader)
{
    return reader->torn;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->segment_open) {
        segment_close(&reader->segment);
    }
    ring_unmap(&reader->map);
    free(reader->files);
    free(reader);
}

/* The next item of the files, any origin; false at their end.  A gap before a file is an item of its own. */
static bool next_in_files(struct journal_reader *reader, struct journal_item *item)
{
    for (;;) {
        if (!reader->segment_open) {
            char error[SEGMENT_PATH_BYTES + 128];
            if (reader->file_at == reader->file_count) {
                return false;
            }
            const char *path = reader->files[reader->file_at++].path;
            if (!segment_open(&reader->segment, path, error, sizeof error)) {
                continue; /* an unreadable file shows as a gap in the numbers */
            }
            reader->segment_open = true;
            reader->use_head = !reader->began || reader->resync;
            if (reader->segment.head.first_number > reader->expected) {
                item->gap_from = reader->expected;
                item->gap_to = reader->segment.head.first_number;
                reader->expected = item->gap_to;
                reader->use_head = true;
                return true;
            }
        }
        switch (segment_next(&reader->segment, &item->item)) {
        case SEGMENT_RECORD:
            return true;
        case SEGMENT_DAMAGED:
            continue; /* likewise */
        case SEGMENT_DONE:
            reader->torn += segment_torn(&reader->segment);
            segment_close(&reader->segment);
            reader->segment_open = false;
            continue;
        }
    }
}

/* The next record of the ring; false at its end.  A live ring may be overwritten under us, so a record counts
 * only if its sequence still stands after it was copied. */
static bool next_in_ring(struct journal_reader *reader, struct journal_item *item)
{
    if (!reader->ring_has_run) {
        return false;
    }
    if (!reader->ring_begun) {
        struct mapping mapping = ring_mapping(reader->map.head);
        reader->ring_position = mapping.position;
        reader->ring_number = mapping.number;
        reader->ring_begun = true;
    }
    struct spsc *ring = reader->map.ring;
    uint64_t position = reader->ring_position;
    const struct slot *record = ring_at(ring, &position);
    if (record == NULL) {
        return false;
    }
    uint8_t slot_count = record_head_of(record)->slot_count;
    if (slot_count < 1 || slot_count > RECORD_SLOTS_MAX ||
        (position & ring->mask) + slot_count > ring->count) {
        return false;
    }
    memcpy(reader->copy, record, (size_t)slot_count * SLOT_BYTES);
    /* edge P: if the sequence still stands after the copy, no producer touched the slots during it */
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(spsc_word((struct slot *)(uintptr_t)record), memory_order_relaxed) !=
            position + 1 ||
        record_head_of(reader->copy)->slot_count != slot_count) {
        return false;
    }
    *item = (struct journal_item){
        .item = { .record = reader->copy, .number = reader->ring_number++, .origin = ORIGIN_RING },
        .from_ring = true
    };
    reader->ring_position = position + slot_count;
    return true;
}

enum journal_result journal_next(struct journal_reader *reader, struct journal_item *item)
{
    if (reader->holding) {
        *item = reader->held;
        reader->holding = false;
        reader->began = true;
        return JOURNAL_RECORD;
    }
    for (;;) {
        memset(item, 0, sizeof *item);
        if (!next_in_files(reader, item) && !next_in_ring(reader, item)) {
            return JOURNAL_END;
        }
        if (item->gap_to != 0) {
            return JOURNAL_GAP;
        }
        uint64_t number = item->item.number;
        const struct record_head *head = record_head_of(item->item.record);
        switch (item->item.origin) {
        case ORIGIN_HEAD:
            if (reader->use_head && number >= reader->expected) {
                reader->resync = false;
                reader->began = true;
                item->from_head = true;
                return JOURNAL_HEAD;
            }
            continue;
        case ORIGIN_JOURNAL:
            if (head->type == RECORD_LOST) {
                uint64_t to = number + ((const struct record_lost *)head)->count;
                if (to > reader->expected) {
                    item->gap_from = number > reader->expected ? number : reader->expected;
                    item->gap_to = to;
                    reader->expected = to;
                    return JOURNAL_DROPPED;
                }
            }
            continue;
        default:
            break;
        }
        if (number < reader->expected) {
            continue; /* written twice: a job that failed half way, or a ring not yet given back */
        }
        if (number > reader->expected) {
            reader->held = *item;
            reader->holding = true;
            item->gap_from = reader->expected;
            item->gap_to = number;
            reader->expected = number + 1;
            reader->resync = true;
            return JOURNAL_GAP;
        }
        reader->expected++;
        reader->began = true;
        return JOURNAL_RECORD;
    }
}

/* ------------------------------------------------------------------ salvage */

/* Opens the run's orders file at its end, or begins it. */
static int orders_resume(struct file *orders, struct orders_end *end, const char *directory, uint64_t run,
                         uint16_t engine)
{
    struct segment_reader reader;
    struct segment_item item;
    char error[SEGMENT_PATH_BYTES + 128];
    segment_path(orders->path, directory, SEGMENT_ORDERS, run, 0);
    memset(end, 0, sizeof *end);
    if (!segment_open(&reader, orders->path, error, sizeof error)) {
        struct segment_head head = {
            .run = run, .layout_hash = record_layout_hash(), .engine = engine, .kind = SEGMENT_ORDERS
        };
        int why = file_create(&system_disk, orders);
        return why != 0 ? why : orders_begin(&system_disk, orders, end, &head);
    }
    enum segment_result result;
    while ((result = segment_next(&reader, &item)) != SEGMENT_DONE) {
        if (result == SEGMENT_RECORD) {
            end->next = item.number + 1;
        }
    }
    end->writer.head = reader.head;
    end->writer.slot = (uint32_t)reader.at;
    orders->at = reader.at * SLOT_BYTES;
    segment_close(&reader);
    orders->fd = open(orders->path, O_RDWR | O_CLOEXEC);
    return orders->fd < 0 ? errno : 0;
}

/* The orders file takes what the last segments have and it lacks. */
static int orders_salvage(const char *directory, uint64_t run, uint16_t engine, char path[SEGMENT_PATH_BYTES])
{
    struct file orders = { .fd = -1 };
    struct orders_end end;
    int why = orders_resume(&orders, &end, directory, run, engine);
    struct segment_file *files = NULL;
    uint32_t count = why == 0 ? run_files(directory, run, &files) : 0;
    for (uint32_t i = 0; i < count && why == 0; i++) {
        struct segment_reader next;
        char error[SEGMENT_PATH_BYTES + 128];
        bool held = false; /* the next one begins within what the orders file has */
        if (i + 1 < count && segment_open(&next, files[i + 1].path, error, sizeof error)) {
            held = next.head.first_number <= end.next;
            segment_close(&next);
        }
        if (!held) {
            why = orders_catch_up(&system_disk, &orders, &end, files[i].path);
        }
    }
    free(files);
    if (why == 0 && fdatasync(orders.fd) != 0) {
        why = errno;
    }
    file_close(&orders);
    memcpy(path, orders.path, SEGMENT_PATH_BYTES);
    return why;
}

/* The records that only the ring holds, as one more segment in memory; answers how many. */
static int64_t ring_salvage(struct journal_reader *reader, uint32_t segment, int64_t wall_ns,
                            struct slots *slots)
{
    struct reduce *reduce = reduce_create();
    struct segment_writer writer;
    struct put put = { .writer = &writer, .slots = slots };
    struct journal_item item;
    enum journal_result result;
    int64_t count = 0;
    while ((result = journal_next(reader, &item)) != JOURNAL_END) {
        if (result != JOURNAL_RECORD && result != JOURNAL_HEAD) {
            continue;
        }
        if (item.from_ring) {
            put.number = item.item.number;
            if (count++ == 0) {
                struct segment_head head = { .run = reader->run,
                                             .layout_hash = record_layout_hash(),
                                             .first_number = item.item.number,
                                             .wall_ns = wall_ns,
                                             .segment = segment,
                                             .engine = reader->map.head->engine,
                                             .kind = SEGMENT_FULL };
                segment_start(&writer, &head, slots_room(slots, 1));
                slots->used++;
                put_head(reduce, &put, segment, wall_ns);
            }
            put_record(&put, item.item.record);
        }
        reduce_record(reduce, item.item.record);
    }
    if (count != 0) {
        put.number++;
        put.origin = ORIGIN_JOURNAL;
        put_clock(&put, RECORD_SEGMENT_END, reduce_stamp_ns(reduce), wall_ns);
    }
    reduce_destroy(reduce);
    return count;
}

int64_t journal_salvage(const char *directory, const char *shared_directory, int64_t wall_ns, char *error,
                        size_t error_bytes)
{
    uint64_t run = ring_run(shared_directory);
    if (run == 0) {
        return 0;
    }
    int why = spills_copy(&system_disk, shared_directory, directory, run, UINT32_MAX, NULL, NULL);
    if (why != 0) {
        snprintf(error, error_bytes, "%s: cannot take over the spill: %s", directory, strerror(why));
        return -1;
    }
    struct journal_reader_options options = {
        .directory = directory, .shared_directory = shared_directory, .run = run, .newest_segment = true
    };
    struct journal_reader *reader = journal_reader_open(&options, error, error_bytes);
    if (reader == NULL) {
        return -1;
    }
    uint16_t engine = reader->map.head->engine;
    uint32_t segment = reader->file_count == 0 ? 0 : reader->files[reader->file_count - 1].segment + 1;
    struct slots slots = { 0 };
    int64_t count = ring_salvage(reader, segment, wall_ns, &slots);
    journal_reader_close(reader);

    char path[SEGMENT_PATH_BYTES];
    segment_path(path, directory, SEGMENT_FULL, run, segment);
    if (count != 0) {
        struct file file = { .fd = -1 };
        memcpy(file.path, path, sizeof path);
        why = file_create(&system_disk, &file);
        if (why == 0) {
            why = file_write(&system_disk, &file, slots.slot, (size_t)slots.used * SLOT_BYTES);
        }
        if (why == 0 && fdatasync(file.fd) != 0) {
            why = errno;
        }
        file_close(&file);
        sync_directory(directory);
    }
    free(slots.slot);
    if (why == 0) {
        why = orders_salvage(directory, run, engine, path);
    }
    if (why != 0) {
        snprintf(error, error_bytes, "%.400s: %s", path, strerror(why));
        return -1;
    }
    spills_remove(shared_directory, run, UINT32_MAX);
    return count;
}
