/* twins.c - from an address of N's start-up to the object of O that is merged with what is there. */
#include "internal.h"
#include <stdlib.h>

static int compare_twins(const void *left, const void *right) {
    const struct twin *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

static void find_twins(struct mcr_engine *engine) {
    uint64_t room = 0;
    for (uint32_t i = 0; i < engine->pair_count; i++) {
        const struct mcr_pair *pair = &engine->pairs[i];
        if (!pair->merges || !pair->new_address)
            continue;
        if (!mcr_grow(engine, &engine->twins, &room, engine->twin_count + 1, sizeof *engine->twins))
            return;
        engine->twins[engine->twin_count++] = (struct twin){pair->new_address, pair->new_size, pair->object};
    }
    qsort(engine->twins, engine->twin_count, sizeof *engine->twins, compare_twins);
}

uint32_t mcr_twin_at(struct mcr_engine *engine, uint64_t address) {
    if (!engine->twins)
        find_twins(engine);
    uint64_t low = 0, high = engine->twin_count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (engine->twins[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct twin *found = low ? &engine->twins[low - 1] : NULL;
    return found && address - found->address < found->size ? found->object : MCR_NONE;
}

void mcr_twins_forget(struct mcr_engine *engine) {
    free(engine->twins);
    engine->twins = NULL, engine->twin_count = 0;
}
