/*
 * pages.c - the heap window, runs of pages, the span table, and the allocator's own memory.
 *
 * Everything is reserved once without access and opened in steps, so that neither mlockall() nor a core dump nor a limit
 * on data meets more than is in use. The window is one reservation of MCR_BANKS banks at a random address that no
 * kernel choice comes near; the allocator's tables are another.
 *
 * In the bank of this process each page below used_pages belongs to one span: small, large or a free run. Free runs are
 * kept in lists by length. Runs that were used before are dirty; when too many are, their memory goes to the kernel.
 * Pages of older banks are never used for new spans; their memory goes to the kernel at once.
 */
#include "heap.h"
#include "hooks.h"
#include <string.h>
#include <sys/mman.h>
#include "host_safe.h"

enum {
    EXACT = 64,                                         /* runs shorter than this have a list for each length */
    BINS = EXACT + MCR_BANK_SHIFT - MCR_PAGE_SHIFT - 5, /* longer ones one for each power of two */
    SCAN = 64,                                          /* runs looked at in one list */
    WINDOW_TRIES = 64,
    DIRTY_MIN = 4096, /* dirty pages that are kept in any case */
    PURGE_MIN = 4     /* shorter runs are not worth a system call */
};
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
static uint32_t bins[BINS];               /* free runs of the own bank, span id + 1 */
static uint64_t dirty_pages;

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
static struct mcr_span *span_at(uint32_t id_plus_one) { return &mcr_heap.spans[id_plus_one - 1]; }

struct mcr_span *mcr_span_new(uint32_t bank) {
    uint64_t count = mcr_control.banks[bank].span_count;
    struct mcr_span *span = &mcr_heap.spans[((uint64_t)bank << MCR_SPAN_INDEX_BITS) + count];
    if (spare_spans[bank]) {
        span = span_at(spare_spans[bank]);
        spare_spans[bank] = span->private_[MCR_SPAN_NEXT];
        memset(span, 0, sizeof *span);
        return span;
    }
    if (count + 1 >= SPAN_MAX || !region_open(&span_regions[bank], (uint64_t)(span + 1)))
        return NULL;
    __atomic_store_n(&mcr_control.banks[bank].span_count, count + 1, __ATOMIC_RELEASE);
    return span;
}

static void span_drop(struct mcr_span *span) {
    uint32_t bank = mcr_span_bank(span);
    span->kind = MCR_SPAN_UNUSED;
    span->private_[MCR_SPAN_NEXT] = spare_spans[bank];
    spare_spans[bank] = mcr_span_id(span) + 1;
}

static uint32_t *page_entry(uint64_t address) { return &mcr_heap.pages[(address - mcr_heap.window) >> MCR_PAGE_SHIFT]; }

static uint64_t span_end(const struct mcr_span *span) {
    return span->start + ((uint64_t)span->pages << MCR_PAGE_SHIFT);
}

static void enter_ends(const struct mcr_span *span) {
    *page_entry(span->start) = *page_entry(span_end(span) - MCR_PAGE) = mcr_span_id(span) + 1;
}

void mcr_span_enter(const struct mcr_span *span) {
    uint32_t *entry = page_entry(span->start);
    for (uint32_t i = 0; span->kind == MCR_SPAN_SMALL && i < span->pages; i++)
        entry[i] = mcr_span_id(span) + 1;
    enter_ends(span);
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

/* ---- free runs of the own bank; all of these are called with `pages` held ---- */
static uint32_t bin_of(uint64_t pages) {
    return pages < EXACT ? (uint32_t)pages : EXACT + 57 - (uint32_t)__builtin_clzll(pages);
}

static void run_link(struct mcr_span *run) {
    uint32_t *bin = &bins[bin_of(run->pages)];
    run->private_[MCR_SPAN_NEXT] = *bin;
    run->private_[MCR_SPAN_PREV] = 0;
    if (*bin)
        span_at(*bin)->private_[MCR_SPAN_PREV] = mcr_span_id(run) + 1;
    *bin = mcr_span_id(run) + 1;
    if (run->private_[MCR_SPAN_DIRTY])
        dirty_pages += run->pages;
}

static void run_unlink(struct mcr_span *run) {
    uint32_t next = run->private_[MCR_SPAN_NEXT], previous = run->private_[MCR_SPAN_PREV];
    if (next)
        span_at(next)->private_[MCR_SPAN_PREV] = previous;
    if (previous)
        span_at(previous)->private_[MCR_SPAN_NEXT] = next;
    else
        bins[bin_of(run->pages)] = next;
    if (run->private_[MCR_SPAN_DIRTY])
        dirty_pages -= run->pages;
}

static struct mcr_span *run_make(uint64_t start, uint64_t pages, bool dirty) {
    struct mcr_span *run = mcr_span_new(mcr_heap.bank);
    if (!run)
        return NULL;
    run->start = start;
    run->pages = (uint32_t)pages;
    run->private_[MCR_SPAN_DIRTY] = dirty;
    enter_ends(run);
    run->kind = MCR_SPAN_FREE;
    return run;
}

/* The free run that ends (at = address - 1) or begins there. */
static struct mcr_span *run_beside(uint64_t at) {
    const struct mcr_bank *bank = &mcr_control.banks[mcr_heap.bank];
    uint64_t page = (at - bank->start) >> MCR_PAGE_SHIFT;
    if (at < bank->start || page >= bank->used_pages)
        return NULL;
    uint32_t id = *page_entry(at);
    return id && span_at(id)->kind == MCR_SPAN_FREE ? span_at(id) : NULL;
}

static void run_join(struct mcr_span *run) {
    struct mcr_span *before = run_beside(run->start - 1), *after = run_beside(span_end(run));
    for (int i = 0; i < 2; i++) {
        struct mcr_span *other = i ? after : before;
        if (!other)
            continue;
        run_unlink(other);
        run->private_[MCR_SPAN_DIRTY] |= other->private_[MCR_SPAN_DIRTY];
        run->start = other->start < run->start ? other->start : run->start;
        run->pages += other->pages;
        span_drop(other);
    }
    enter_ends(run);
    run_link(run);
}

static void clear(uint64_t start, uint64_t bytes) { MCR_SYS(madvise, start, bytes, MADV_DONTNEED); }

/* Gives the memory of dirty runs to the kernel, long ones first, until half the allowance is left. */
static void purge(void) {
    const struct mcr_bank *bank = &mcr_control.banks[mcr_heap.bank];
    uint64_t allowance = DIRTY_MIN + bank->used_pages / 4;
    if (dirty_pages <= allowance)
        return;
    for (uint32_t bin = BINS; bin-- > PURGE_MIN && dirty_pages > allowance / 2;) {
        for (uint32_t id = bins[bin]; id; id = span_at(id)->private_[MCR_SPAN_NEXT]) {
            struct mcr_span *run = span_at(id);
            if (!run->private_[MCR_SPAN_DIRTY])
                continue;
            clear(run->start, span_end(run) - run->start);
            run->private_[MCR_SPAN_DIRTY] = 0;
            dirty_pages -= run->pages;
        }
    }
}

static uint64_t align(uint64_t address, uint64_t pages) {
    uint64_t bytes = pages << MCR_PAGE_SHIFT;
    return (address + bytes - 1) & -bytes;
}

static bool run_fits(const struct mcr_span *run, uint64_t pages, uint64_t alignment) {
    return align(run->start, alignment) + (pages << MCR_PAGE_SHIFT) <= span_end(run);
}

static struct mcr_span *run_find(uint64_t pages, uint64_t alignment) {
    for (uint32_t bin = bin_of(pages); bin < BINS; bin++) {
        uint32_t left = SCAN;
        for (uint32_t id = bins[bin]; id && left; id = span_at(id)->private_[MCR_SPAN_NEXT], left--)
            if (run_fits(span_at(id), pages, alignment))
                return span_at(id);
    }
    return NULL;
}

/* New pages at the end of the bank; never joined with a dirty run, so that calloc finds them clean. */
static struct mcr_span *run_extend(uint64_t pages, uint64_t alignment) {
    const struct mcr_bank *bank = &mcr_control.banks[mcr_heap.bank];
    uint64_t start = bank->start + (bank->used_pages << MCR_PAGE_SHIFT);
    uint64_t end = align(start, alignment) + (pages << MCR_PAGE_SHIFT);
    uint64_t before = bank->used_pages;
    if (!mcr_bank_open(mcr_heap.bank, (end - bank->start) >> MCR_PAGE_SHIFT))
        return NULL;
    struct mcr_span *run = run_make(start, (end - start) >> MCR_PAGE_SHIFT, false);
    if (run)
        run_link(run);
    else
        mcr_control.banks[mcr_heap.bank].used_pages = before;
    return run;
}

/* Cuts a run that is in no list in two; the second part is returned, NULL if there is no room to describe it. */
static struct mcr_span *run_cut(struct mcr_span *run, uint64_t pages) {
    struct mcr_span *rest =
        run_make(run->start + (pages << MCR_PAGE_SHIFT), run->pages - pages, run->private_[MCR_SPAN_DIRTY]);
    if (rest)
        run->pages = (uint32_t)pages;
    return rest;
}

struct mcr_span *mcr_pages_take(uint64_t pages, uint64_t alignment, bool *clean) {
    mcr_lock_take(&mcr_heap_locks.pages);
    struct mcr_span *run = run_find(pages, alignment);
    if (!run)
        run = run_extend(pages, alignment);
    if (run) {
        run_unlink(run);
        uint64_t before = (align(run->start, alignment) - run->start) >> MCR_PAGE_SHIFT;
        struct mcr_span *front = before ? run : NULL;
        if (before)
            run = run_cut(front, before);
        if (front) {
            enter_ends(front);
            run_link(front);
        }
        struct mcr_span *back = run && run->pages > pages ? run_cut(run, pages) : NULL;
        if (back)
            run_link(back);
    }
    if (run) {
        *clean = !run->private_[MCR_SPAN_DIRTY];
        memset(run->private_, 0, sizeof run->private_);
        enter_ends(run);
        run->kind = MCR_SPAN_UNUSED; /* until the caller has filled it in, it is neither free nor anybody's */
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
    return run;
}

void mcr_pages_give(struct mcr_span *span) {
    mcr_lock_take(&mcr_heap_locks.pages);
    span->kind = MCR_SPAN_FREE;
    span->slots = span->large_size = span->slot_bytes = span->slot_count = span->size_class = 0;
    memset(span->private_, 0, sizeof span->private_);
    if (mcr_span_bank(span) == mcr_heap.bank) {
        span->private_[MCR_SPAN_DIRTY] = 1;
        run_join(span);
        purge();
    } else {
        clear(span->start, span_end(span) - span->start);
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
}

bool mcr_pages_grow(struct mcr_span *span, uint64_t pages) {
    if (mcr_span_bank(span) != mcr_heap.bank)
        return false;
    mcr_lock_take(&mcr_heap_locks.pages);
    const struct mcr_bank *bank = &mcr_control.banks[mcr_heap.bank];
    uint64_t missing = pages - span->pages, page = (span_end(span) - bank->start) >> MCR_PAGE_SHIFT;
    struct mcr_span *next = run_beside(span_end(span));
    bool grown = false;
    if (page == bank->used_pages) {
        grown = mcr_bank_open(mcr_heap.bank, page + missing);
    } else if (next && next->pages >= missing) {
        struct mcr_span *rest = NULL;
        run_unlink(next);
        if (next->pages > missing)
            rest = run_cut(next, missing);
        if (rest)
            run_link(rest);
        missing = next->pages;
        span_drop(next);
        grown = true;
    }
    if (grown) {
        span->pages += (uint32_t)missing;
        enter_ends(span);
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
    return grown;
}

void mcr_pages_trim(struct mcr_span *span, uint64_t pages) {
    if (mcr_span_bank(span) != mcr_heap.bank)
        return;
    mcr_lock_take(&mcr_heap_locks.pages);
    struct mcr_span *rest = run_make(span->start + (pages << MCR_PAGE_SHIFT), span->pages - pages, true);
    if (rest) {
        span->pages = (uint32_t)pages;
        enter_ends(span);
        run_join(rest);
        purge();
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
}

void mcr_pages_clear(struct mcr_span *span, uint64_t bytes) {
    if (bytes >= (uint64_t)DIRTY_MIN << (MCR_PAGE_SHIFT - 3))
        clear(span->start, bytes);
    else
        memset((void *)span->start, 0, bytes);
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
    /* A bank that a much older generation used before is used from further on. */
    uint64_t skipped = generation / MCR_BANKS % MCR_BANKS * (MCR_BANK_PAGES / MCR_BANKS);
    if (!mcr_bank_open(mcr_heap.bank, skipped))
        return false;
    mcr_control.window = start;
    mcr_heap.window = start;
    return true;
}
