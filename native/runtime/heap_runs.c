/*
 * heap_runs.c - runs of pages for spans.
 *
 * In the bank of this process each page below used_pages belongs to one span: small, large or a free run. Free runs are
 * kept in lists by length. Runs that were used before are dirty; when too many are, their memory goes to the kernel.
 * Pages of older generations are never used for new spans; their memory goes to the kernel at once.
 */
#include "heap.h"
#include <sys/mman.h>
#include "host_safe.h"

enum {
    EXACT = 64,                                         /* runs shorter than this have a list for each length */
    BINS = EXACT + MCR_BANK_SHIFT - MCR_PAGE_SHIFT - 5, /* longer ones one for each power of two */
    SCAN = 64,                                          /* runs looked at in one list */
    DIRTY_MIN = 4096,                                   /* dirty pages that are kept in any case */
    PURGE_MIN = 4,                                      /* shorter runs are not worth a system call */
    CLEAR_BYTES = 2 << 20 /* from here on the kernel clears faster, and only what is used */
};

static uint32_t bins[BINS]; /* free runs, span id + 1 */
static uint64_t dirty_pages;

/* ---- all of these are called with `pages` held ---- */
static uint32_t bin_of(uint64_t pages) {
    return pages < EXACT ? (uint32_t)pages : EXACT + 57 - (uint32_t)__builtin_clzll(pages);
}

static void run_link(struct mcr_span *run) {
    uint32_t *bin = &bins[bin_of(run->pages)];
    run->private_[MCR_SPAN_NEXT] = *bin;
    run->private_[MCR_SPAN_PREV] = 0;
    if (*bin)
        mcr_span_at(*bin)->private_[MCR_SPAN_PREV] = mcr_span_id(run) + 1;
    *bin = mcr_span_id(run) + 1;
    if (run->private_[MCR_SPAN_DIRTY])
        dirty_pages += run->pages;
}

static void run_unlink(struct mcr_span *run) {
    uint32_t next = run->private_[MCR_SPAN_NEXT], previous = run->private_[MCR_SPAN_PREV];
    if (next)
        mcr_span_at(next)->private_[MCR_SPAN_PREV] = previous;
    if (previous)
        mcr_span_at(previous)->private_[MCR_SPAN_NEXT] = next;
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
    mcr_span_enter(run);
    run->kind = MCR_SPAN_FREE;
    return run;
}

/* The free run that ends (at = address - 1) or begins there. */
static struct mcr_span *run_beside(uint64_t at) {
    struct mcr_span *span = at - mcr_heap.own_start < mcr_heap.own_bytes &&
                                    at - mcr_heap.own->start < mcr_heap.own->used_pages << MCR_PAGE_SHIFT
                                ? mcr_span_of(at)
                                : NULL;
    return span && span->kind == MCR_SPAN_FREE ? span : NULL;
}

static void run_join(struct mcr_span *run) {
    struct mcr_span *before = run_beside(run->start - 1), *after = run_beside(mcr_span_end(run));
    for (int i = 0; i < 2; i++) {
        struct mcr_span *other = i ? after : before;
        if (!other)
            continue;
        run_unlink(other);
        run->private_[MCR_SPAN_DIRTY] |= other->private_[MCR_SPAN_DIRTY];
        run->start = other->start < run->start ? other->start : run->start;
        run->pages += other->pages;
        mcr_span_drop(other);
    }
    mcr_span_enter(run);
    run_link(run);
}

static void clear(uint64_t start, uint64_t bytes) { MCR_SYS(madvise, start, bytes, MADV_DONTNEED); }

/* Gives the memory of dirty runs to the kernel, long ones first, until half the allowance is left. */
static void purge(void) {
    const struct mcr_bank *bank = mcr_heap.own;
    uint64_t allowance = DIRTY_MIN + bank->used_pages / 4;
    if (dirty_pages <= allowance)
        return;
    for (uint32_t bin = BINS; bin-- > PURGE_MIN && dirty_pages > allowance / 2;) {
        for (uint32_t id = bins[bin]; id; id = mcr_span_at(id)->private_[MCR_SPAN_NEXT]) {
            struct mcr_span *run = mcr_span_at(id);
            if (!run->private_[MCR_SPAN_DIRTY])
                continue;
            clear(run->start, mcr_span_end(run) - run->start);
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
    return align(run->start, alignment) + (pages << MCR_PAGE_SHIFT) <= mcr_span_end(run);
}

static struct mcr_span *run_find(uint64_t pages, uint64_t alignment) {
    for (uint32_t bin = bin_of(pages); bin < BINS; bin++) {
        uint32_t left = SCAN;
        for (uint32_t id = bins[bin]; id && left; id = mcr_span_at(id)->private_[MCR_SPAN_NEXT], left--)
            if (run_fits(mcr_span_at(id), pages, alignment))
                return mcr_span_at(id);
    }
    return NULL;
}

/* New pages at the end of the bank; never joined with a dirty run, so that calloc finds them clean. */
static struct mcr_span *run_extend(uint64_t pages, uint64_t alignment) {
    const struct mcr_bank *bank = mcr_heap.own;
    uint64_t start = bank->start + (bank->used_pages << MCR_PAGE_SHIFT);
    uint64_t end = align(start, alignment) + (pages << MCR_PAGE_SHIFT);
    uint64_t before = bank->used_pages;
    if (!mcr_bank_open(mcr_heap.bank, (end - bank->start) >> MCR_PAGE_SHIFT))
        return NULL;
    struct mcr_span *run = run_make(start, (end - start) >> MCR_PAGE_SHIFT, false);
    if (run)
        run_link(run);
    else
        mcr_heap.own->used_pages = before;
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
            mcr_span_enter(front);
            run_link(front);
        }
        struct mcr_span *back = run && run->pages > pages ? run_cut(run, pages) : NULL;
        if (back)
            run_link(back);
    }
    if (run) {
        *clean = !run->private_[MCR_SPAN_DIRTY];
        memset(run->private_, 0, sizeof run->private_);
        mcr_span_enter(run);
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
    if (mcr_span_is_own(span)) {
        span->private_[MCR_SPAN_DIRTY] = 1;
        run_join(span);
        purge();
    } else {
        clear(span->start, mcr_span_end(span) - span->start);
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
}

bool mcr_pages_grow(struct mcr_span *span, uint64_t pages) {
    if (!mcr_span_is_own(span))
        return false;
    mcr_lock_take(&mcr_heap_locks.pages);
    const struct mcr_bank *bank = mcr_heap.own;
    uint64_t missing = pages - span->pages, page = (mcr_span_end(span) - bank->start) >> MCR_PAGE_SHIFT;
    struct mcr_span *next = run_beside(mcr_span_end(span));
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
        mcr_span_drop(next);
        grown = true;
    }
    if (grown) {
        span->pages += (uint32_t)missing;
        mcr_span_enter(span);
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
    return grown;
}

void mcr_pages_trim(struct mcr_span *span, uint64_t pages) {
    if (!mcr_span_is_own(span))
        return;
    mcr_lock_take(&mcr_heap_locks.pages);
    struct mcr_span *rest = run_make(span->start + (pages << MCR_PAGE_SHIFT), span->pages - pages, true);
    if (rest) {
        span->pages = (uint32_t)pages;
        mcr_span_enter(span);
        run_join(rest);
        purge();
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
}

void mcr_pages_clear(struct mcr_span *span, uint64_t bytes) {
    if (bytes >= CLEAR_BYTES)
        clear(span->start, bytes);
    else
        memset((void *)span->start, 0, bytes);
}
