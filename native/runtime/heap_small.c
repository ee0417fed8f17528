/*
 * heap_small.c - small chunks: size classes, their spans, and the threads' caches.
 *
 * Each thread keeps, for each size class, free slots at hand. It takes them from and gives them back to the class's
 * spans half a cache at a time, under the class's lock.
 */
#include "heap.h"
#include <string.h>
#include "host_safe.h"

uint8_t mcr_class_by_size[MCR_SMALL_MAX / 16 + 1];
const uint16_t mcr_class_bytes[MCR_CLASSES] = {16,   32,   48,   64,   80,   96,   112,   128,   144,   160,
                                               176,  192,  208,  224,  240,  256,  320,   384,   448,   512,
                                               640,  768,  896,  1024, 1280, 1536, 1792,  2048,  2560,  3072,
                                               3584, 4096, 5120, 6144, 7168, 8192, 10240, 12288, 14336, 16384};

static uint32_t listed[MCR_CLASSES]; /* spans with free slots, span id + 1 */
static struct mcr_cache no_cache, *unused_caches;

/* ---- spans of small chunks; the caller holds the class's lock ---- */
static bool has_free_slots(const struct mcr_span *span) {
    return span->private_[MCR_SPAN_HEAD] || span->private_[MCR_SPAN_CARVED] < span->slot_count;
}

static void list(struct mcr_span *span) {
    uint32_t *first = &listed[span->size_class];
    span->private_[MCR_SPAN_NEXT] = *first;
    span->private_[MCR_SPAN_PREV] = 0;
    if (*first)
        mcr_span_at(*first)->private_[MCR_SPAN_PREV] = mcr_span_id(span) + 1;
    *first = mcr_span_id(span) + 1;
}

static void unlist(struct mcr_span *span) {
    uint32_t next = span->private_[MCR_SPAN_NEXT], previous = span->private_[MCR_SPAN_PREV];
    if (next)
        mcr_span_at(next)->private_[MCR_SPAN_PREV] = previous;
    if (previous)
        mcr_span_at(previous)->private_[MCR_SPAN_NEXT] = next;
    else
        listed[span->size_class] = next;
    span->private_[MCR_SPAN_PREV] = MCR_UNLISTED;
}

void mcr_span_list(struct mcr_span *span) {
    if (span->private_[MCR_SPAN_PREV] == MCR_UNLISTED && has_free_slots(span))
        list(span);
}

void mcr_span_prepare(struct mcr_span *span, uint32_t class) {
    uint64_t bytes = mcr_class_bytes[class];
    memset(span->private_, 0, sizeof span->private_);
    span->size_class = (uint8_t)class;
    span->slot_bytes = (uint32_t)bytes;
    span->slot_count = mcr_class_slots(class);
    span->private_[MCR_SPAN_PREV] = MCR_UNLISTED;
    span->private_[MCR_SPAN_RECIPROCAL] = (uint32_t)((((uint64_t)1 << 32) + bytes - 1) / bytes);
}

static struct mcr_span *span_make(uint32_t class) {
    bool clean;
    struct mcr_slot *slots = mcr_slots_take(class);
    struct mcr_span *span = slots ? mcr_pages_take(mcr_class_pages(class), 1, &clean) : NULL;
    if (!span) {
        if (slots)
            mcr_slots_give(class, slots);
        return NULL;
    }
    mcr_span_prepare(span, class);
    span->slots = (uint64_t)slots;
    __atomic_store_n(&span->kind, MCR_SPAN_SMALL, __ATOMIC_RELEASE);
    mcr_span_enter(span);
    list(span);
    return span;
}

static uint32_t span_take(struct mcr_span *span, struct mcr_vacancy *ret, uint32_t want) {
    struct mcr_slot *slots = (struct mcr_slot *)span->slots;
    uint32_t got = 0;
    while (got < want && has_free_slots(span)) {
        uint32_t index = span->private_[MCR_SPAN_HEAD];
        if (index)
            span->private_[MCR_SPAN_HEAD] = slots[--index].site;
        else
            index = span->private_[MCR_SPAN_CARVED]++;
        mcr_slot_set(&slots[index], (struct mcr_slot){.flags = MCR_SLOT_CACHED});
        ret[got++] = (struct mcr_vacancy){span->start + (uint64_t)index * span->slot_bytes, &slots[index]};
    }
    span->private_[MCR_SPAN_USED] += got;
    if (!has_free_slots(span))
        unlist(span);
    return got;
}

static uint32_t class_take(uint32_t class, struct mcr_vacancy *ret, uint32_t want) {
    uint32_t got = 0;
    mcr_lock_take(&mcr_heap_locks.classes[class]);
    while (got < want) {
        struct mcr_span *span = listed[class] ? mcr_span_at(listed[class]) : NULL;
        if (!span && !got)
            span = span_make(class);
        if (!span)
            break;
        got += span_take(span, ret + got, want - got);
    }
    mcr_lock_drop(&mcr_heap_locks.classes[class]);
    return got;
}

/* The last free span of a class is kept for its next chunk. */
static void span_give(struct mcr_span *span, struct mcr_slot *slot) {
    uint32_t index = (uint32_t)(slot - (struct mcr_slot *)span->slots), class = span->size_class;
    mcr_slot_set(slot, (struct mcr_slot){.site = span->private_[MCR_SPAN_HEAD]});
    span->private_[MCR_SPAN_HEAD] = index + 1;
    if (span->private_[MCR_SPAN_PREV] == MCR_UNLISTED)
        list(span);
    bool is_only = listed[class] == mcr_span_id(span) + 1 && !span->private_[MCR_SPAN_NEXT];
    if (--span->private_[MCR_SPAN_USED] == 0 && !is_only) {
        struct mcr_slot *slots = (struct mcr_slot *)span->slots;
        unlist(span);
        mcr_pages_give(span);
        mcr_slots_give(class, slots);
    }
}

static void class_give(uint32_t class, const struct mcr_vacancy *vacancies, uint32_t count) {
    mcr_lock_take(&mcr_heap_locks.classes[class]);
    for (uint32_t i = 0; i < count; i++)
        span_give(mcr_span_of(vacancies[i].address), vacancies[i].slot);
    mcr_lock_drop(&mcr_heap_locks.classes[class]);
}

/* ---- thread caches ---- */
static uint32_t bin_limit(uint32_t class) {
    uint32_t bytes = mcr_class_bytes[class];
    return bytes <= 256 ? MCR_BIN_MAX : bytes <= 1024 ? 32 : bytes <= 4096 ? 16 : 8;
}

static struct mcr_cache *cache_make(void) {
    uint32_t vacancies = 0;
    for (uint32_t class = 0; class < MCR_CLASSES; class++)
        vacancies += bin_limit(class);
    struct mcr_cache *cache = mcr_heap_own(sizeof *cache + vacancies * sizeof *cache->vacancies);
    if (!cache)
        return NULL;
    struct mcr_vacancy *next = cache->vacancies;
    for (uint32_t class = 0; class < MCR_CLASSES; class++) {
        cache->bins[class] = (struct mcr_bin){.limit = bin_limit(class), .vacancies = next};
        next += bin_limit(class);
    }
    return cache;
}

/* The caller's cache; one that holds nothing if the thread is ending or there is no memory. */
struct mcr_cache *mcr_cache_here(void) {
    struct mcr_cache *cache = mcr_self.heap_cache;
    if (__builtin_expect(cache != NULL, 1))
        return cache;
    mcr_lock_take(&mcr_heap_locks.caches);
    cache = unused_caches;
    if (cache)
        unused_caches = cache->next;
    mcr_lock_drop(&mcr_heap_locks.caches);
    if (!cache)
        cache = cache_make();
    if (!cache)
        return &no_cache;
    mcr_self.heap_cache = cache;
    return cache;
}

void mcr_heap_thread_exit(void) {
    struct mcr_cache *cache = mcr_self.heap_cache;
    mcr_self.heap_cache = &no_cache;
    if (!cache || cache == &no_cache)
        return;
    for (uint32_t class = 0; class < MCR_CLASSES; class++) {
        class_give(class, cache->bins[class].vacancies, cache->bins[class].count);
        cache->bins[class].count = 0;
    }
    mcr_lock_take(&mcr_heap_locks.caches);
    cache->next = unused_caches;
    unused_caches = cache;
    mcr_lock_drop(&mcr_heap_locks.caches);
}

/* ---- taking and releasing ---- */
void *mcr_small_take(uint32_t class, struct mcr_slot value) {
    struct mcr_bin *bin = &mcr_cache_here()->bins[class];
    struct mcr_vacancy one;
    if (bin->count)
        one = bin->vacancies[--bin->count];
    else if (!bin->limit && class_take(class, &one, 1) == 0)
        return NULL;
    else if (bin->limit && (bin->count = class_take(class, bin->vacancies, bin->limit / 2)) == 0)
        return NULL;
    else if (bin->limit)
        one = bin->vacancies[--bin->count];
    mcr_slot_set(one.slot, value);
    return (void *)one.address;
}

void mcr_small_give(uint32_t class, struct mcr_vacancy vacancy) {
    struct mcr_bin *bin = &mcr_cache_here()->bins[class];
    vacancy.slot->flags = MCR_SLOT_CACHED;
    if (!bin->limit) {
        class_give(class, &vacancy, 1);
        return;
    }
    if (bin->count == bin->limit) { /* the older half goes */
        uint32_t half = bin->limit / 2;
        class_give(class, bin->vacancies, half);
        bin->count -= half;
        memmove(bin->vacancies, bin->vacancies + half, bin->count * sizeof *bin->vacancies);
    }
    bin->vacancies[bin->count++] = vacancy;
}

void mcr_classes_init(void) {
    for (uint32_t class = 0, unit = 0; class < MCR_CLASSES; class++) {
        uint64_t bytes = mcr_class_bytes[class];
        for (; unit <= bytes / 16; unit++)
            mcr_class_by_size[unit] = (uint8_t)class;
    }
}
