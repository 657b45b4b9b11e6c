#include "ring/cell.h"

#include <criterion/criterion.h>
#include <string.h>

static void write_value(struct cell *cell, int64_t value)
{
    struct slot record;
    record_begin(&record, RECORD_CELL, 1, (uint64_t)value);
    struct record_cell *body = (struct record_cell *)(void *)&record;
    body->kind = CELL_LIMIT;
    body->value[0] = body->value[3] = value;
    cell_write(cell, &record);
}

Test(cell, a_cell_never_written_says_nothing)
{
    static struct cell cell;
    struct slot record;
    cr_assert_not(cell_read(&cell, &record));
}

Test(cell, a_change_is_read_once)
{
    static struct cell cell;
    struct slot record = { .ring_word = 9 };
    write_value(&cell, 41);
    cr_assert(cell_read(&cell, &record));
    cr_assert_eq(((struct record_cell *)(void *)&record)->value[3], 41);
    cr_assert_eq(record_head_of(&record)->type, RECORD_CELL);
    cr_assert_eq(record.ring_word, 9u);
    cr_assert_not(cell_read(&cell, &record));
}

Test(cell, only_the_newest_is_kept)
{
    static struct cell cell;
    struct slot record;
    for (int64_t i = 1; i <= 5; i++) {
        write_value(&cell, i);
    }
    cr_assert(cell_read(&cell, &record));
    cr_assert_eq(((struct record_cell *)(void *)&record)->value[0], 5);
    cr_assert_not(cell_read(&cell, &record));
}

Test(cell, while_the_writer_is_at_it_there_is_nothing)
{
    static struct cell cell;
    struct slot record;
    write_value(&cell, 1);
    atomic_fetch_add(&cell.version, 1); /* where a writer stands between its two stores */
    cr_assert_not(cell_read(&cell, &record));
    atomic_fetch_add(&cell.version, 1);
    cr_assert(cell_read(&cell, &record));
}
