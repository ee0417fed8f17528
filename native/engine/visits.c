/*
 * visits.c - which typed places inside untyped chunks tracing has met: a hash table.
 *
 * There are as many as there are typed pointers into pools, and they come in no order, so that the time goes into
 * waiting for memory: an entry is one word, and it can be asked for early.
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>

enum { ADDRESS_BITS = 47, FIRST_ROOM = 1024 };

static uint64_t key_of(uint64_t address, uint32_t type) { return address | (uint64_t)type << ADDRESS_BITS; }

static uint64_t *slot_of(const struct visits *visits, uint64_t key) {
    return &visits->keys[(key * 0x9e3779b97f4a7c15ull) >> 32 & visits->mask];
}

/* Its slot, or the free one where it belongs. */
static uint64_t *find(const struct visits *visits, uint64_t key) {
    uint64_t *slot = slot_of(visits, key), *end = visits->keys + visits->mask + 1;
    while (*slot && *slot != key)
        if (++slot == end)
            slot = visits->keys;
    return slot;
}

static bool grow(struct visits *visits) {
    struct visits larger = {.mask = visits->mask ? visits->mask * 2 + 1 : FIRST_ROOM - 1, .count = visits->count};
    larger.keys = calloc(larger.mask + 1, sizeof *larger.keys);
    if (!larger.keys)
        return false;
    for (uint64_t i = 0; visits->keys && i <= visits->mask; i++)
        if (visits->keys[i])
            *find(&larger, visits->keys[i]) = visits->keys[i];
    free(visits->keys);
    *visits = larger;
    return true;
}

bool mcr_visits_can_hold(uint32_t type_count) { return type_count <= 1u << (64 - ADDRESS_BITS); }

bool mcr_visit(struct mcr_engine *engine, uint64_t address, uint32_t type) {
    struct visits *visits = &engine->visits;
    if (visits->count * 2 >= visits->mask && !grow(visits)) {
        engine->failure = -ENOMEM;
        return false;
    }
    uint64_t key = key_of(address, type), *slot = find(visits, key);
    if (*slot)
        return false;
    *slot = key;
    visits->count++;
    return true;
}

void mcr_visit_soon(const struct mcr_engine *engine, uint64_t address, uint32_t type) {
    if (engine->visits.keys)
        __builtin_prefetch(slot_of(&engine->visits, key_of(address, type)));
}

void mcr_visits_clear(struct mcr_engine *engine) {
    if (engine->visits.count)
        memset(engine->visits.keys, 0, (engine->visits.mask + 1) * sizeof *engine->visits.keys);
    engine->visits.count = 0;
}
