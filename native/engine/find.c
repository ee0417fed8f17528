/* find.c - from an address to image bytes, to the object that holds it, to the symbol that covers it. */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>

enum { REGION_SHIFT = 21, PAGE_SHIFT = 12, REGION_PAGES = 1 << (REGION_SHIFT - PAGE_SHIFT), GRAIN_SHIFT = 4 };
enum { GRAINS = 1 << (PAGE_SHIFT - GRAIN_SHIFT) }; /* in a page */

/* Pointers come in no order, so that the time goes into waiting for memory: what tells an object's number is one line. */
struct page_index {
    _Alignas(64) uint32_t first;  /* the first object that begins in the page or behind it */
    bool irregular;               /* one begins between two grains: `starts` tells nothing */
    bool still;                   /* no word of the page leads elsewhere in N (still.c) */
    uint64_t starts[GRAINS / 64]; /* the grains where one begins */
};

struct region {
    struct page_index pages[REGION_PAGES + 1]; /* the last one is the next region's first: where counting ends */
};

struct region_slot {
    uint64_t key; /* address >> REGION_SHIFT, plus 1; 0 = free */
    struct region *region;
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

static struct region_slot *slot_of(const struct mcr_engine *engine, uint64_t key) {
    uint64_t number = (key * 0x9e3779b97f4a7c15ull) >> 20;
    for (;; number++) {
        struct region_slot *slot = &engine->region_slots[number & engine->region_mask];
        if (slot->key == key + 1 || slot->key == 0)
            return slot;
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

static void fill_region(struct mcr_engine *engine, struct region *region, uint64_t key, uint64_t object) {
    const struct mcr_object *objects = engine->objects;
    for (uint64_t number = 0; number <= REGION_PAGES; number++) {
        struct page_index *page = &region->pages[number];
        uint64_t start = (key << REGION_SHIFT) + (number << PAGE_SHIFT), end = start + (1 << PAGE_SHIFT);
        while (object < engine->object_count && objects[object].address < start)
            object++;
        page->first = (uint32_t)object;
        for (uint64_t i = object; i < engine->object_count && objects[i].address < end; i++) {
            uint64_t grain = (objects[i].address - start) >> GRAIN_SHIFT;
            page->starts[grain / 64] |= 1ull << grain % 64;
            page->irregular |= objects[i].address % (1 << GRAIN_SHIFT) != 0;
        }
    }
}

void mcr_index_free(struct mcr_engine *engine) {
    free(engine->region_slots);
    mcr_unmap(engine->regions, engine->region_count, sizeof *engine->regions);
    engine->region_slots = NULL;
    engine->regions = NULL;
}

static bool make_room(struct mcr_engine *engine) {
    mcr_index_free(engine);
    engine->region_count = count_regions(engine) + 1; /* never none */
    engine->region_mask = 15;
    while (engine->region_mask < engine->region_count * 2)
        engine->region_mask = engine->region_mask * 2 + 1;
    engine->region_slots = calloc(engine->region_mask + 1, sizeof *engine->region_slots);
    engine->regions = mcr_zeroed(engine->region_count, sizeof *engine->regions);
    return engine->region_slots && engine->regions;
}

int mcr_engine_index(struct mcr_engine *engine) {
    if (!sort_objects(engine))
        return -ENOMEM;
    for (uint64_t i = 1; i < engine->object_count; i++)
        if (end_of(&engine->objects[i - 1]) > engine->objects[i].address)
            return -EINVAL;
    if (!make_room(engine))
        return -ENOMEM;
    struct region *next = engine->regions;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        uint64_t from = engine->objects[i].address >> REGION_SHIFT,
                 to = (end_of(&engine->objects[i]) - 1) >> REGION_SHIFT;
        for (uint64_t key = from; key <= to; key++) {
            struct region_slot *slot = slot_of(engine, key);
            if (slot->key)
                continue;
            *slot = (struct region_slot){key + 1, next++};
            fill_region(engine, slot->region, key, i);
        }
    }
    engine->low = engine->object_count ? engine->objects[0].address : 0;
    engine->high = engine->object_count ? end_of(&engine->objects[engine->object_count - 1]) : 0;
    return 0;
}

/* How many objects begin in the page up to this grain, itself included. */
static uint32_t count_starts(const struct page_index *page, uint32_t grain) {
    uint32_t count = 0;
    for (uint32_t word = 0; word < grain / 64; word++)
        count += (uint32_t)__builtin_popcountll(page->starts[word]);
    return count + (uint32_t)__builtin_popcountll(page->starts[grain / 64] << (63 - grain % 64));
}

/* How many objects from page->first on begin at the address or before it. */
static uint32_t count_before(const struct mcr_engine *engine, const struct page_index *page, uint64_t address) {
    uint32_t low = page->first, high = page[1].first;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (engine->objects[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low - page->first;
}

/* NULL if no object is near. */
static struct page_index *page_at(const struct mcr_engine *engine, uint64_t address) {
    if (address < engine->low || address >= engine->high)
        return NULL;
    const struct region_slot *slot = slot_of(engine, address >> REGION_SHIFT);
    return slot->key ? &slot->region->pages[(address >> PAGE_SHIFT) % REGION_PAGES] : NULL;
}

void mcr_find_soon(const struct mcr_engine *engine, uint64_t address) {
    const struct page_index *page = page_at(engine, address);
    if (page)
        __builtin_prefetch(page);
}

uint32_t mcr_find_candidate(const struct mcr_engine *engine, uint64_t address) {
    const struct page_index *page = page_at(engine, address);
    if (!page)
        return MCR_NONE;
    uint32_t behind = page->first; /* the first object that begins behind the address */
    if (page->irregular)
        behind += count_before(engine, page, address);
    else
        behind += count_starts(page, (uint32_t)(address >> GRAIN_SHIFT) % GRAINS);
    return behind ? behind - 1 : MCR_NONE;
}

void mcr_page_set_still(struct mcr_engine *engine, uint64_t address) {
    struct page_index *page = page_at(engine, address);
    if (page)
        page->still = true;
}

bool mcr_pages_still(const struct mcr_engine *engine, uint64_t address, uint64_t size) {
    uint64_t last = address + (size ? size - 1 : 0);
    for (uint64_t at = address; at >> PAGE_SHIFT <= last >> PAGE_SHIFT; at += 1 << PAGE_SHIFT) {
        const struct page_index *page = page_at(engine, at);
        if (!page || !page->still)
            return false;
    }
    return true;
}

bool mcr_holds(const struct mcr_object *object, uint64_t address) {
    return object->address <= address && address < end_of(object);
}

uint32_t mcr_find_object(const struct mcr_engine *engine, uint64_t address) {
    uint32_t index = mcr_find_candidate(engine, address);
    return index != MCR_NONE && mcr_holds(&engine->objects[index], address) ? index : MCR_NONE;
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
