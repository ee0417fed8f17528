/*
 * growth.c - tables that are longer in N than in O.
 *
 * A table that both versions made in start-up and grew since is merged slot by slot into the longer one. If that is
 * N's, the count that stands beside the pointer must be N's too, although O changed it: otherwise N's slots behind O's
 * end are lost. And in a table indexed by descriptor number, O's slot for a number that only N has open is stale.
 * Source: DESIGN section 9.
 */
#include "internal.h"
#include <stdlib.h>

enum { NEIGHBOURHOOD = 24 }; /* bytes on each side of the pointer in which its length may stand */

static int compare_lengths(const void *left, const void *right) {
    const struct length *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

static uint32_t load_int(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

struct merged { /* a merged object whose layout is the same on both sides */
    const struct mcr_object *object;
    const uint8_t *theirs, *base, *ours;
    uint64_t size;
};

static bool merged_at(const struct mcr_engine *engine, const struct mcr_pair *pair, struct merged *ret) {
    if (!pair->merges || !pair->new_address)
        return false;
    const struct mcr_object *object = &engine->objects[pair->object];
    uint32_t program = mcr_object_program(engine, object);
    if (program != MCR_NONE && !engine->tables.programs[program].identical)
        return false;
    uint64_t size = object->size < pair->new_size ? object->size : pair->new_size;
    size = size < pair->base_size ? size : pair->base_size;
    *ret = (struct merged){object, mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, size),
                           mcr_image_at(engine, MCR_IMAGE_BASE, pair->base_address, size),
                           mcr_image_at(engine, MCR_IMAGE_OURS, pair->new_address, size), size};
    return ret->theirs && ret->base && ret->ours;
}

/* The integers beside the pointer at `offset` that are in proportion to the two tables' sizes. */
static void note_lengths(struct mcr_engine *engine, const struct merged *holder, uint64_t offset, uint64_t old_size,
                         uint64_t new_size) {
    uint64_t start = offset > NEIGHBOURHOOD ? offset - NEIGHBOURHOOD : 0;
    uint64_t end = offset + 8 + NEIGHBOURHOOD < holder->size ? offset + 8 + NEIGHBOURHOOD : holder->size;
    for (uint64_t at = start; at + 4 <= end; at += 4) {
        uint64_t theirs = load_int(holder->theirs + at), ours = load_int(holder->ours + at);
        if ((at & ~7ull) == (offset & ~7ull) || !theirs || theirs == load_int(holder->base + at))
            continue;
        if (ours * old_size == theirs * new_size &&
            mcr_grow(engine, &engine->lengths, &engine->length_room, engine->length_count + 1, sizeof *engine->lengths))
            engine->lengths[engine->length_count++].address = holder->object->address + at;
    }
}

static void search_holder(struct mcr_engine *engine, const struct merged *holder) {
    for (uint64_t at = -holder->object->address & 7; at + 8 <= holder->size; at += 8) {
        uint64_t value = load_word(holder->theirs + at);
        uint32_t index = value ? mcr_find_object(engine, value) : MCR_NONE;
        if (index == MCR_NONE || engine->objects[index].address != value || engine->objects[index].pair == MCR_NONE)
            continue;
        const struct mcr_pair *table = &engine->pairs[engine->objects[index].pair];
        if (table->merges && table->new_size > engine->objects[index].size &&
            load_word(holder->ours + at) == table->new_address)
            note_lengths(engine, holder, at, engine->objects[index].size, table->new_size);
    }
}

void mcr_growth_learn(struct mcr_engine *engine) {
    struct merged holder;
    engine->length_count = 0;
    for (uint32_t i = 0; i < engine->pair_count; i++)
        if (merged_at(engine, &engine->pairs[i], &holder))
            search_holder(engine, &holder);
    qsort(engine->lengths, engine->length_count, sizeof *engine->lengths, compare_lengths);
}

bool mcr_growth_is_length(const struct mcr_engine *engine, uint64_t address) {
    struct length key = {address};
    return engine->length_count &&
           bsearch(&key, engine->lengths, engine->length_count, sizeof key, compare_lengths) != NULL;
}

/* Whether the object at an address of N holds this number near its start, as a connection holds its descriptor. */
static bool holds_number(const struct mcr_engine *engine, uint64_t address, uint32_t number) {
    static const uint16_t sizes[] = {256, 64, 16};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const uint8_t *bytes = mcr_image_at(engine, MCR_IMAGE_OURS, address, sizes[i]);
        for (uint64_t at = 0; bytes && at < sizes[i]; at += 4)
            if (load_int(bytes + at) == number)
                return true;
    }
    return false;
}

/* Whether all that N's start-up has put into a table knows its slot's number. */
static bool is_by_descriptor(const struct mcr_engine *engine, const struct mcr_object *table) {
    const struct mcr_pair *pair = &engine->pairs[table->pair];
    const uint8_t *ours = mcr_image_at(engine, MCR_IMAGE_OURS, pair->new_address, pair->new_size);
    for (uint64_t slot = 0; ours && slot < pair->new_size / 8; slot++) {
        uint64_t value = load_word(ours + slot * 8);
        if (value && !holds_number(engine, value, (uint32_t)slot))
            return false;
    }
    return ours != NULL;
}

bool mcr_growth_is_own_slot(const struct mcr_engine *engine, const struct mcr_object *table, uint64_t offset) {
    const uint32_t *fds = engine->tables.own_fds;
    uint64_t count = engine->tables.own_fd_count, slot = offset / 8;
    if (!count || table->size < (fds[0] + 1ull) * 8)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (fds[i] == slot)
            return is_by_descriptor(engine, table);
    return false;
}
