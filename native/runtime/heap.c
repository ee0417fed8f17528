/*
 * heap.c - what the entry points do when a thread's cache alone cannot serve them; large chunks; set-up and fork.
 */
#include "heap.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "host_safe.h"

struct mcr_heap_locks mcr_heap_locks;

static struct mcr_slot *large_slot(struct mcr_span *span) { return (struct mcr_slot *)&span->private_[MCR_SPAN_SLOT]; }

static uint64_t pages_for(size_t size) { return (size + MCR_PAGE - 1) >> MCR_PAGE_SHIFT; }

static void set_large_bytes(struct mcr_span *span) {
    uint64_t bytes = (uint64_t)span->pages << MCR_PAGE_SHIFT;
    span->slot_bytes = bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
}

static void *large_take(size_t size, size_t alignment, uint64_t pages, struct mcr_slot value, bool zero) {
    bool clean;
    if (pages > MCR_BANK_PAGES || alignment > MCR_BANK_BYTES / 2)
        return NULL;
    struct mcr_span *span = mcr_pages_take(pages, alignment > MCR_PAGE ? alignment >> MCR_PAGE_SHIFT : 1, &clean);
    if (!span)
        return NULL;
    if (zero && !clean)
        mcr_pages_clear(span, size);
    set_large_bytes(span);
    span->slot_count = 1;
    span->slots = (uint64_t)large_slot(span);
    span->large_size = size;
    *large_slot(span) = value;
    __atomic_store_n(&span->kind, MCR_SPAN_LARGE, __ATOMIC_RELEASE);
    return (void *)span->start;
}

/* The class whose slots are large enough and so aligned; MCR_CLASSES if it takes a span of its own. */
static uint32_t class_for(size_t size, size_t alignment) {
    if (size > MCR_SMALL_MAX || alignment > MCR_PAGE)
        return MCR_CLASSES;
    uint32_t class = mcr_class_of(size);
    while (class < MCR_CLASSES && mcr_class_bytes[class] % alignment != 0)
        class++;
    return class;
}

static void *take(size_t size, size_t alignment, struct mcr_slot value, bool zero) {
    uint32_t class = class_for(size, alignment);
    if (class == MCR_CLASSES)
        return large_take(size, alignment, size ? pages_for(size) : 1, value, zero);
    value.size = (uint16_t)size;
    void *chunk = mcr_small_take(class, value);
    if (chunk && zero)
        memset(chunk, 0, size);
    return chunk;
}

/* N before the transfer: O's slots and spans are not N's to hand out again. */
static bool is_borrowed(const struct mcr_span *span) { return !mcr_heap.adopted && !mcr_span_is_own(span); }

static void give(struct mcr_span *span, struct mcr_slot *slot, uint64_t address) {
    if (is_borrowed(span)) {
        *slot = (struct mcr_slot){0};
        span->large_size = 0;
    } else if (span->kind == MCR_SPAN_LARGE) {
        mcr_pages_give(span);
    } else {
        mcr_small_give(span->size_class, (struct mcr_vacancy){address, slot});
    }
}

/* The slot of a live chunk; NULL if there is none at this address. */
static struct mcr_slot *live_slot(struct mcr_span *span, uint64_t address) {
    struct mcr_slot *slot = NULL;
    if (span->kind == MCR_SPAN_SMALL)
        slot = mcr_slot_of(span, address);
    else if (span->kind == MCR_SPAN_LARGE && span->start == address)
        slot = large_slot(span);
    return slot && slot->flags & MCR_SLOT_LIVE ? slot : NULL;
}

static uint64_t exact_size(const struct mcr_span *span, const struct mcr_slot *slot) {
    return span->kind == MCR_SPAN_LARGE ? span->large_size : slot->size;
}

/* ---- what the entry points ask for ---- */
static void *no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

void *mcr_heap_new(uint64_t pc, uint64_t sp, uint64_t bp, size_t size, size_t alignment, bool zero) {
    const struct mcr_frame frame = {pc, sp, bp};
    struct mcr_placement placement = {.plan = -1};
    void *chunk = NULL;
    int saved = errno;
    if (mcr_heap.window >> 63)
        return mcr_early_new(size, alignment, zero);
    if (size > PTRDIFF_MAX)
        return no_memory();
    bool logged = mcr_is_startup() && mcr_allocations_open();
    if (logged)
        mcr_allocation_plan(frame, size, &placement);
    struct mcr_slot value = {.generation = mcr_heap.generation, .flags = MCR_SLOT_LIVE};
    value.site = mcr_site_find(mcr_cache_here(), frame);
    if (logged)
        value.flags |= MCR_SLOT_STARTUP;
    if (placement.address)
        chunk = mcr_heap_place(placement.address, size, alignment, value, zero);
    if (!chunk)
        chunk = take(size, alignment, value, zero);
    if (!chunk)
        return no_memory();
    if (logged)
        mcr_allocation_log(&placement, (uint64_t)chunk, size, value.site);
    errno = saved;
    return chunk;
}

uint64_t mcr_heap_allocate(uint64_t size) {
    struct mcr_slot value = {.generation = mcr_heap.generation, .flags = MCR_SLOT_LIVE};
    return mcr_heap.window >> 63 || size > PTRDIFF_MAX ? 0 : (uint64_t)take(size, 16, value, true);
}

void mcr_heap_release(void *chunk) {
    uint64_t address = (uint64_t)chunk;
    struct mcr_span *span = mcr_span_of(address);
    if (!span) {
        mcr_early_release(chunk);
        return;
    }
    struct mcr_slot *slot = live_slot(span, address);
    if (!slot) {
        MCR_DISABLE(MCR_ERROR_HEAP, "free of an address that is no chunk, or no longer one");
        return;
    }
    if (slot->flags & MCR_SLOT_STARTUP)
        mcr_allocation_freed(address);
    give(span, slot, address);
}

/* Small chunks stay where they are unless most of the slot would be wasted. */
static bool stays_small(const struct mcr_span *span, const struct mcr_slot *slot, size_t size) {
    return size <= span->slot_bytes && size <= MCR_SMALL_MAX &&
           (size * 2 >= span->slot_bytes || span->slot_bytes <= 128 || slot->flags & MCR_SLOT_PLACED);
}

static bool stays_large(struct mcr_span *span, size_t size) {
    uint64_t pages = pages_for(size);
    if (size <= MCR_SMALL_MAX && !(large_slot(span)->flags & MCR_SLOT_PLACED))
        return false;
    if (pages > span->pages && (pages > MCR_BANK_PAGES || !mcr_pages_grow(span, pages)))
        return false;
    if (pages && pages < span->pages - span->pages / 4 && !is_borrowed(span))
        mcr_pages_trim(span, pages);
    set_large_bytes(span);
    span->large_size = size;
    return true;
}

/* A chunk that grew once will grow again: pages that are not touched cost nothing. */
static uint64_t pages_with_room(size_t size, size_t old_size) {
    uint64_t pages = pages_for(size);
    return size > old_size && pages >= 64 ? pages + pages / 4 : pages;
}

static void *move(struct mcr_span *span, struct mcr_slot *slot, uint64_t address, size_t size) {
    struct mcr_slot value = *slot;
    uint64_t old_size = exact_size(span, slot);
    value.flags &= (uint8_t)~MCR_SLOT_PLACED;
    value.size = 0;
    uint64_t pages = pages_with_room(size, old_size);
    void *chunk = size > MCR_SMALL_MAX ? large_take(size, 16, pages, value, false) : take(size, 16, value, false);
    if (!chunk)
        return NULL;
    memcpy(chunk, (void *)address, old_size < size ? old_size : size);
    give(span, slot, address);
    return chunk;
}

/* A chunk keeps its identity: site, generation and flags. */
void *mcr_heap_resize(struct mcr_frame frame, void *chunk, size_t size) {
    uint64_t address = (uint64_t)chunk;
    struct mcr_span *span = mcr_span_of(address);
    if (!span)
        return mcr_early_resize(frame, chunk, size);
    struct mcr_slot *slot = live_slot(span, address);
    if (!slot) {
        MCR_DISABLE(MCR_ERROR_HEAP, "realloc of an address that is no chunk, or no longer one");
        return no_memory();
    }
    if (size > PTRDIFF_MAX)
        return no_memory();
    bool logged = slot->flags & MCR_SLOT_STARTUP;
    int saved = errno;
    if (span->kind == MCR_SPAN_SMALL && stays_small(span, slot, size))
        slot->size = (uint16_t)size;
    else if (span->kind != MCR_SPAN_LARGE || !stays_large(span, size))
        chunk = move(span, slot, address, size);
    if (!chunk)
        return no_memory();
    if (logged)
        mcr_allocation_moved(address, (uint64_t)chunk, size);
    errno = saved;
    return chunk;
}

size_t mcr_heap_size(void *chunk) {
    struct mcr_span *span = mcr_span_of((uint64_t)chunk);
    if (!span)
        return mcr_early_size(chunk);
    const struct mcr_slot *slot = live_slot(span, (uint64_t)chunk);
    return slot ? exact_size(span, slot) : 0;
}

int mcr_heap_forget(const uint64_t *addresses, uint32_t count) {
    int result = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct mcr_span *span = mcr_span_of(addresses[i]);
        if (span && live_slot(span, addresses[i]))
            mcr_heap_release((void *)addresses[i]);
        else
            result = -EINVAL;
    }
    return result;
}

/* ---- set-up and fork ---- */
bool mcr_heap_init(void) {
    if (!mcr_settings || mcr_settings->role == MCR_ROLE_OFF) {
        mcr_heap.forwards = 1;
        return true;
    }
    mcr_classes_init();
    if (mcr_pages_init(mcr_settings->window) && mcr_sites_init() && mcr_allocations_init() && mcr_adopt_expected())
        return true;
    mcr_heap.window = (uint64_t)1 << 63;
    mcr_heap.forwards = 1;
    return false;
}

static void all_locks(void (*act)(struct mcr_lock *)) {
    act(&mcr_heap_locks.log);
    for (uint32_t class = 0; class < MCR_CLASSES; class++)
        act(&mcr_heap_locks.classes[class]);
    act(&mcr_heap_locks.pages);
    act(&mcr_heap_locks.sites);
    act(&mcr_heap_locks.caches);
}

void mcr_heap_fork_prepare(void) { all_locks(mcr_lock_take); }

void mcr_heap_fork_parent(void) { all_locks(mcr_lock_drop); }

/* The caches of the parent's other threads stay as they are: one of those threads may have been at work on its own. */
void mcr_heap_fork_child(void) { memset(&mcr_heap_locks, 0, sizeof mcr_heap_locks); }
