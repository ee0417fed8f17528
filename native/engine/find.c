/* find.c - from an address to image bytes, to the object that holds it, to the symbol that covers it. */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>

enum { REGION_SHIFT = 21, PAGE_SHIFT = 12, REGION_PAGES = 1 << (REGION_SHIFT - PAGE_SHIFT) };

/* For each page of a 2 MiB region: the first object that ends behind the page's start. */
struct region_index {
    uint64_t key; /* address >> REGION_SHIFT, plus 1; 0 = free */
    uint32_t first[REGION_PAGES + 1];
};

uint8_t *mcr_image_at(const struct mcr_engine *engine, uint32_t kind, uint64_t address, uint64_t size) {
    const struct image *image = &engine->images[kind];
    uint32_t low = 0, high = image->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (image->extents[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct mcr_extent *extent = &image->extents[low - 1];
    uint64_t offset = address - extent->address;
    if (offset > extent->size || size > extent->size - offset)
        return NULL;
    return extent->bytes + offset;
}

static int compare_objects(const void *left, const void *right) {
    const struct mcr_object *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

/* Chunks come sorted, and last: only what stands before them needs sorting. */
static bool sort_objects(struct mcr_engine *engine) {
    struct mcr_object *objects = engine->objects;
    uint64_t count = engine->object_count, first = count ? count - 1 : 0;
    while (first && objects[first - 1].address <= objects[first].address)
        first--;
    if (!first)
        return true;
    struct mcr_object *others = malloc(first * sizeof *others);
    if (!others)
        return false;
    memcpy(others, objects, first * sizeof *others);
    qsort(others, first, sizeof *others, compare_objects);
    for (uint64_t to = 0, i = 0, j = first; i < first; to++)
        objects[to] = j == count || others[i].address <= objects[j].address ? others[i++] : objects[j++];
    free(others);
    return true;
}

static struct region_index *region_at(const struct mcr_engine *engine, uint64_t key) {
    uint64_t slot = (key * 0x9e3779b97f4a7c15ull) >> 20;
    for (;; slot++) {
        struct region_index *region = &engine->regions[slot & engine->region_mask];
        if (region->key == key + 1 || region->key == 0)
            return region;
    }
}

static uint64_t end_of(const struct mcr_object *object) { return object->address + (object->size ? object->size : 1); }

static uint64_t count_regions(const struct mcr_engine *engine) {
    uint64_t count = 0, last = UINT64_MAX;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        uint64_t from = engine->objects[i].address >> REGION_SHIFT,
                 to = (end_of(&engine->objects[i]) - 1) >> REGION_SHIFT;
        count += to - from + (from != last);
        last = to;
    }
    return count;
}

static void fill_region(struct mcr_engine *engine, struct region_index *region, uint64_t key, uint64_t object) {
    uint64_t start = key << REGION_SHIFT;
    for (uint32_t page = 0; page <= REGION_PAGES; page++) {
        uint64_t address = start + ((uint64_t)page << PAGE_SHIFT);
        while (object < engine->object_count && end_of(&engine->objects[object]) <= address)
            object++;
        region->first[page] = (uint32_t)object;
    }
}

int mcr_engine_index(struct mcr_engine *engine) {
    if (!sort_objects(engine))
        return -ENOMEM;
    for (uint64_t i = 1; i < engine->object_count; i++)
        if (end_of(&engine->objects[i - 1]) > engine->objects[i].address)
            return -EINVAL;
    uint64_t slots = 16;
    while (slots < count_regions(engine) * 2)
        slots *= 2;
    free(engine->regions);
    engine->regions = calloc(slots, sizeof *engine->regions);
    if (!engine->regions)
        return -ENOMEM;
    engine->region_mask = slots - 1;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        uint64_t from = engine->objects[i].address >> REGION_SHIFT,
                 to = (end_of(&engine->objects[i]) - 1) >> REGION_SHIFT;
        for (uint64_t key = from; key <= to; key++) {
            struct region_index *region = region_at(engine, key);
            if (region->key)
                continue;
            region->key = key + 1;
            fill_region(engine, region, key, i);
        }
    }
    engine->low = engine->object_count ? engine->objects[0].address : 0;
    engine->high = engine->object_count ? end_of(&engine->objects[engine->object_count - 1]) : 0;
    return 0;
}

uint32_t mcr_find_object(const struct mcr_engine *engine, uint64_t address) {
    if (address < engine->low || address >= engine->high)
        return MCR_NONE;
    const struct region_index *region = region_at(engine, address >> REGION_SHIFT);
    if (!region->key)
        return MCR_NONE;
    uint32_t page = (uint32_t)(address >> PAGE_SHIFT) & (REGION_PAGES - 1);
    uint32_t low = region->first[page], high = region->first[page + 1];
    while (low < high) { /* the first object that ends behind the address */
        uint32_t middle = low + (high - low) / 2;
        if (end_of(&engine->objects[middle]) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low >= engine->object_count || engine->objects[low].address > address)
        return MCR_NONE;
    return low;
}

const struct mcr_symbol *mcr_find_symbol(const struct mcr_engine *engine, uint64_t address) {
    uint32_t low = 0, high = engine->tables.symbol_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (engine->tables.symbols[middle].old_address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct mcr_symbol *symbol = &engine->tables.symbols[low - 1];
    return address - symbol->old_address < (symbol->size ? symbol->size : 1) ? symbol : NULL;
}
