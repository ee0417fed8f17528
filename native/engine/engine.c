/* engine.c - the engine's life: tables in, results out. */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MAX_EVENTS = 1 << 20, MUCH = 8 << 20, PAGE_BYTES = 4096, LARGE_PAGE = 2 << 20 };

/* Large arrays are gone through in no order: large pages save most of the waiting for their translation, and their first
 * use costs one page fault instead of 512. Only advice: where the kernel has none to give, small ones do. */
static void ask_for_large_pages(void *memory, uint64_t size) {
    uint64_t start = ((uint64_t)memory + LARGE_PAGE - 1) & ~(uint64_t)(LARGE_PAGE - 1);
    uint64_t end = ((uint64_t)memory + size) & ~(uint64_t)(LARGE_PAGE - 1);
    if (size >= MUCH && end > start)
        madvise((void *)start, end - start, MADV_HUGEPAGE);
}

/* The pages that lie wholly inside; a kernel that does not know how (before 5.14) leaves it to their first use. */
static void touch_early(void *memory, uint64_t size) {
    uint64_t start = ((uint64_t)memory + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES;
    uint64_t end = ((uint64_t)memory + size) & -(uint64_t)PAGE_BYTES;
    if (end > start)
        madvise((void *)start, end - start, MADV_POPULATE_WRITE);
}

void *mcr_zeroed(uint64_t count, size_t entry) {
    uint64_t size = count * entry;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    ask_for_large_pages(memory, size);
    return memory;
}

void mcr_unmap(void *memory, uint64_t count, size_t entry) {
    if (memory)
        munmap(memory, count * entry);
}

bool mcr_grow(struct mcr_engine *engine, void *array, uint64_t *room, uint64_t need, size_t entry) {
    void **slot = array;
    if (need <= *room)
        return true;
    uint64_t wanted = *room ? *room * 2 : 1024;
    while (wanted < need)
        wanted *= 2;
    void *grown = realloc(*slot, wanted * entry);
    if (!grown) {
        engine->failure = -ENOMEM;
        return false;
    }
    ask_for_large_pages(grown, wanted * entry);
    *slot = grown;
    *room = wanted;
    return true;
}

void mcr_event_add(struct mcr_engine *engine, uint32_t kind, uint32_t object, uint64_t offset, uint64_t detail,
                   uint64_t value) {
    if (engine->event_count >= MAX_EVENTS ||
        !mcr_grow(engine, &engine->events, &engine->event_room, engine->event_count + 1, sizeof *engine->events))
        return;
    engine->events[engine->event_count++] = (struct mcr_event){kind, object, offset, detail, value};
}

uint8_t *mcr_scratch(struct mcr_engine *engine, uint64_t size) {
    if (!mcr_grow(engine, &engine->scratch, &engine->scratch_room, size, 1))
        return NULL;
    memset(engine->scratch, 0, size);
    return engine->scratch;
}

struct mcr_engine *mcr_engine_create(void) { return calloc(1, sizeof(struct mcr_engine)); }

void mcr_engine_destroy(struct mcr_engine *engine) {
    if (!engine)
        return;
    free(engine->objects);
    mcr_unmap(engine->effects, engine->effect_room, sizeof *engine->effects);
    mcr_index_free(engine);
    free(engine->interest);
    free(engine->work[0].objects);
    free(engine->work[1].objects);
    free(engine->deferred);
    free(engine->visits.keys);
    free(engine->site_bad);
    free(engine->site_tail);
    free(engine->ends);
    free(engine->lengths);
    mcr_twins_forget(engine);
    free(engine->events);
    free(engine->patches);
    free(engine->patch_bytes);
    free(engine->scratch);
    free(engine->by_word);
    mcr_library_free(engine->library);
    free(engine->readers);
    free(engine->given_up);
    free(engine->stores);
    free(engine->sides);
    free(engine->results);
    free(engine->result_bytes);
    free(engine->touched);
    free(engine);
}

void mcr_engine_set_image(struct mcr_engine *engine, uint32_t kind, const struct mcr_extent *extents, uint32_t count) {
    engine->images[kind] = (struct image){extents, count};
}

int mcr_engine_set_tables(struct mcr_engine *engine, const struct mcr_tables *tables) {
    engine->tables = *tables;
    mcr_types_learn(engine);
    return mcr_handlers_learn(engine);
}

int mcr_engine_add_objects(struct mcr_engine *engine, const struct mcr_object *objects, uint64_t count) {
    if (!mcr_grow(engine, &engine->objects, &engine->object_room, engine->object_count + count, sizeof *objects))
        return -ENOMEM;
    memcpy(engine->objects + engine->object_count, objects, count * sizeof *objects);
    engine->object_count += count;
    return 0;
}

int mcr_engine_reserve(struct mcr_engine *engine, uint64_t objects) {
    if (!mcr_grow(engine, &engine->objects, &engine->object_room, objects, sizeof *engine->objects) ||
        !mcr_effects(engine, objects))
        return -ENOMEM;
    touch_early(engine->objects, objects * sizeof *engine->objects);
    touch_early(engine->effects, engine->effect_room * sizeof *engine->effects);
    return 0;
}

int mcr_engine_add_chunks(struct mcr_engine *engine, uint64_t count, const uint64_t *addresses, const uint64_t *sizes,
                          const uint64_t *capacities, const uint32_t *sites, const uint32_t *site_flags,
                          uint32_t site_count) {
    uint64_t need = engine->object_count + count;
    if (!mcr_grow(engine, &engine->objects, &engine->object_room, need, sizeof *engine->objects))
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t flags = (uint32_t)MCR_OBJECT_CHUNK << MCR_OBJECT_KIND_SHIFT;
        if (sites[i] < site_count)
            flags |= site_flags[sites[i]];
        engine->objects[engine->object_count++] = (struct mcr_object){
            .address = addresses[i],
            .size = sizes[i],
            .type = MCR_NONE,
            .site = sites[i],
            .parent = MCR_NONE,
            .flags = flags,
            .pair = MCR_NONE,
            .capacity = capacities[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)capacities[i],
            .holder = MCR_NONE,
        };
    }
    return 0;
}

int mcr_engine_set_pairs(struct mcr_engine *engine, struct mcr_pair *pairs, uint32_t count) {
    for (uint64_t i = 0; i < engine->object_count; i++)
        engine->objects[i].pair = MCR_NONE;
    engine->pairs = pairs;
    engine->pair_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t object = mcr_find_object(engine, pairs[i].address);
        if (object == MCR_NONE || engine->objects[object].address != pairs[i].address)
            return -ENOENT;
        pairs[i].object = object;
        engine->objects[object].pair = i;
    }
    return 0;
}

uint32_t mcr_engine_find(struct mcr_engine *engine, uint64_t address) { return mcr_find_object(engine, address); }

struct mcr_object *mcr_engine_objects(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->object_count;
    return engine->objects;
}

const struct mcr_event *mcr_engine_events(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->event_count;
    return engine->events;
}

const struct mcr_patch *mcr_engine_patches(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->patch_count;
    return engine->patches;
}

const uint8_t *mcr_engine_patch_bytes(struct mcr_engine *engine, uint64_t *size) {
    *size = engine->patch_size;
    return engine->patch_bytes;
}

const struct mcr_statistics *mcr_engine_statistics(struct mcr_engine *engine) { return &engine->statistics; }
