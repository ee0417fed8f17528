/*
 * pages.c - the heap window, the span table, and the allocator's own memory.
 *
 * Everything is reserved once without access and opened in steps, so that neither mlockall() nor a core dump nor a limit
 * on data meets more than is in use. The window is one reservation of MCR_BANKS banks at a random address that no
 * kernel choice comes near; the allocator's tables are another.
 *
 */
#include "heap.h"
#include "hooks.h"
#include <string.h>
#include <sys/mman.h>
#include "host_safe.h"

enum { WINDOW_TRIES = 64 };
#define WINDOW_LOW  0x100000000000ull /* above what a fixed program uses, below PIEs (0x55...) and mappings (0x7...) */
#define WINDOW_HIGH 0x500000000000ull
#define STEP_MIN    ((uint64_t)256 << 10)
#define STEP_MAX    ((uint64_t)64 << 20)
#define SPAN_MAX    ((uint64_t)1 << MCR_SPAN_INDEX_BITS)
#define PAGES_BYTES (MCR_BANK_PAGES * sizeof(uint32_t))
#define SPANS_BYTES (SPAN_MAX * sizeof(struct mcr_span))
#define SLOTS_BYTES ((uint64_t)128 << 30)
#define OWN_BYTES   ((uint64_t)4 << 30)
#define TABLES      (MCR_BANKS * (PAGES_BYTES + SPANS_BYTES) + SLOTS_BYTES + OWN_BYTES)

struct mcr_heap mcr_heap = {.window = (uint64_t)1 << 63};

/* Reserved memory; [start, open) can be used. */
struct region {
    uint64_t start, open, end;
};
static struct region page_regions[MCR_BANKS], span_regions[MCR_BANKS], bank_regions[MCR_BANKS], slot_region, own_region;
static uint64_t slots_next, own_next;
static uint64_t spare_slots[MCR_CLASSES]; /* free slot tables, linked through their first word */
static uint32_t spare_spans[MCR_BANKS];   /* unused entries, span id + 1 */

static bool region_open(struct region *region, uint64_t end) {
    if (end <= region->open)
        return true;
    if (end > region->end)
        return false;
    uint64_t step = (region->open - region->start) / 4;
    step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;
    uint64_t open = (end > region->open + step ? end : region->open + step) + MCR_PAGE - 1;
    open = open > region->end ? region->end : open & -(uint64_t)MCR_PAGE;
    if (MCR_SYS(mprotect, region->open, open - region->open, PROT_READ | PROT_WRITE) != 0)
        return false;
    region->open = open;
    return true;
}

/* ---- the allocator's own memory; callers hold `pages`, or are alone ---- */
static void *own_take(size_t bytes) {
    uint64_t start = own_next, end = start + ((bytes + 63) & ~(uint64_t)63);
    if (!region_open(&own_region, end))
        return NULL;
    own_next = end;
    return (void *)start;
}

void *mcr_heap_own(size_t bytes) {
    mcr_lock_take(&mcr_heap_locks.pages);
    void *memory = own_take(bytes);
    mcr_lock_drop(&mcr_heap_locks.pages);
    return memory;
}

struct mcr_slot *mcr_slots_take(uint32_t class) {
    mcr_lock_take(&mcr_heap_locks.pages);
    uint64_t *table = (uint64_t *)spare_slots[class],
             end = slots_next + mcr_class_slots(class) * sizeof(struct mcr_slot);
    if (table) {
        spare_slots[class] = *table;
        *table = 0;
    } else if (region_open(&slot_region, end)) {
        table = (uint64_t *)slots_next;
        slots_next = end;
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
    return (struct mcr_slot *)table;
}

void mcr_slots_give(uint32_t class, struct mcr_slot *slots) {
    mcr_lock_take(&mcr_heap_locks.pages);
    *(uint64_t *)slots = spare_slots[class];
    spare_slots[class] = (uint64_t)slots;
    mcr_lock_drop(&mcr_heap_locks.pages);
}

/* ---- spans ---- */
struct mcr_span *mcr_span_new(uint32_t bank) {
    uint64_t count = mcr_control.banks[bank].span_count;
    struct mcr_span *span = &mcr_heap.spans[((uint64_t)bank << MCR_SPAN_INDEX_BITS) + count];
    if (spare_spans[bank]) {
        span = mcr_span_at(spare_spans[bank]);
        spare_spans[bank] = span->private_[MCR_SPAN_NEXT];
        memset(span, 0, sizeof *span);
        return span;
    }
    if (count + 1 >= SPAN_MAX || !region_open(&span_regions[bank], (uint64_t)(span + 1)))
        return NULL;
    __atomic_store_n(&mcr_control.banks[bank].span_count, count + 1, __ATOMIC_RELEASE);
    return span;
}

void mcr_span_drop(struct mcr_span *span) {
    uint32_t bank = mcr_span_id(span) >> MCR_SPAN_INDEX_BITS;
    span->kind = MCR_SPAN_UNUSED;
    span->private_[MCR_SPAN_NEXT] = spare_spans[bank];
    spare_spans[bank] = mcr_span_id(span) + 1;
}

void mcr_span_enter(const struct mcr_span *span) {
    uint32_t *first = &mcr_heap.pages[(span->start - mcr_heap.window) >> MCR_PAGE_SHIFT], id = mcr_span_id(span) + 1;
    for (uint32_t i = 0; span->kind == MCR_SPAN_SMALL && i < span->pages; i++)
        first[i] = id;
    first[0] = first[span->pages - 1] = id;
}

bool mcr_bank_open(uint32_t bank, uint64_t pages) {
    struct mcr_bank *shown = &mcr_control.banks[bank];
    if (pages > MCR_BANK_PAGES || !region_open(&bank_regions[bank], shown->start + (pages << MCR_PAGE_SHIFT)) ||
        !region_open(&page_regions[bank], page_regions[bank].start + pages * sizeof(uint32_t)))
        return false;
    if (pages > shown->used_pages)
        __atomic_store_n(&shown->used_pages, pages, __ATOMIC_RELEASE);
    return true;
}

/* ---- set-up ---- */
static uint64_t reserve(uint64_t address, uint64_t bytes, long flags) {
    long got = MCR_SYS(mmap, address, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (got < 0 && got >= -4095)
        return 0;
    if (address && (uint64_t)got != address) {
        MCR_SYS(munmap, got, bytes); /* a kernel that does not know MAP_FIXED_NOREPLACE */
        return 0;
    }
    return (uint64_t)got;
}

static uint64_t reserve_anywhere(void) {
    for (int i = 0; i < WINDOW_TRIES; i++) {
        uint64_t random;
        if (MCR_SYS(getrandom, &random, sizeof random, 0) != sizeof random)
            return 0;
        uint64_t pages = (WINDOW_HIGH - WINDOW_LOW - MCR_WINDOW_BYTES) >> MCR_PAGE_SHIFT;
        uint64_t got = reserve(WINDOW_LOW + (random % pages << MCR_PAGE_SHIFT), MCR_WINDOW_BYTES, MAP_FIXED_NOREPLACE);
        if (got)
            return got;
    }
    return 0;
}

static struct region region_take(uint64_t *next, uint64_t bytes) {
    struct region region = {*next, *next, *next + bytes};
    *next += bytes;
    return region;
}

static bool tables_init(void) {
    uint64_t next = reserve(0, TABLES, 0);
    if (!next)
        return false;
    mcr_private_range(next, next + TABLES);
    mcr_heap.pages = (uint32_t *)next;
    /* An address in the window that no span has is looked up, too. */
    if (MCR_SYS(mprotect, next, MCR_BANKS * PAGES_BYTES, PROT_READ) != 0)
        return false;
    for (int i = 0; i < MCR_BANKS; i++)
        page_regions[i] = region_take(&next, PAGES_BYTES);
    mcr_heap.spans = (struct mcr_span *)next;
    for (int i = 0; i < MCR_BANKS; i++)
        span_regions[i] = region_take(&next, SPANS_BYTES);
    slot_region = region_take(&next, SLOTS_BYTES);
    own_region = region_take(&next, OWN_BYTES);
    slots_next = slot_region.start;
    own_next = own_region.start;
    return true;
}

bool mcr_pages_init(uint64_t window) {
    uint64_t start = window ? reserve(window, MCR_WINDOW_BYTES, MAP_FIXED_NOREPLACE) : reserve_anywhere();
    if (!start) {
        MCR_DISABLE(MCR_ERROR_WINDOW, "the heap window could not be reserved");
        return false;
    }
    if (!tables_init()) {
        MCR_DISABLE(MCR_ERROR_MEMORY, "no room for the allocator's tables");
        return false;
    }
    uint32_t generation = mcr_settings->generation;
    mcr_control.window_size = MCR_WINDOW_BYTES;
    for (uint32_t i = 0; i < MCR_BANKS; i++) {
        uint64_t next = start + i * MCR_BANK_BYTES;
        mcr_control.banks[i].start = next;
        mcr_control.banks[i].spans = (uint64_t)&mcr_heap.spans[(uint64_t)i << MCR_SPAN_INDEX_BITS];
        bank_regions[i] = region_take(&next, MCR_BANK_BYTES);
    }
    mcr_heap.generation = (uint8_t)generation;
    mcr_heap.bank = generation % MCR_BANKS;
    mcr_heap.own = &mcr_control.banks[mcr_heap.bank];
    uint64_t skipped = mcr_settings->first_page;
    if (!mcr_bank_open(mcr_heap.bank, skipped))
        return false;
    mcr_heap.own_start = mcr_heap.own->start + (skipped << MCR_PAGE_SHIFT);
    mcr_heap.own_bytes = mcr_heap.own->start + MCR_BANK_BYTES - mcr_heap.own_start;
    mcr_control.window = start;
    mcr_heap.window = start;
    return true;
}
