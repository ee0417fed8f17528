/*
 * heap.h - what the files of the allocator share. Not seen by the rest of libmcr (runtime.h is).
 *
 *   heap_hooks.c   malloc and its family: the fast paths
 *   heap.c         the slow paths, large chunks, realloc, set-up, fork
 *   heap_small.c   size classes, spans of small chunks, thread caches
 *   heap_adopt.c   N: O's spans before and after the transfer
 *   heap_early.c   chunks from before mcr_heap_init(), and the way to libc's allocator if there is no window
 *   heap_sites.c   allocation sites
 *   allocations.c  the start-up log
 *   pages.c        the window, page runs, spans, the allocator's own memory
 *
 * A small chunk is a slot of a span; all slots of a span have one size class. What is known of a slot stands in a table
 * outside the span, so nothing that a program writes past the end of a chunk can spoil it, and a reader finds all chunks
 * of a process in a few contiguous tables. A free slot is either in a thread's cache (CACHED) or in its span's free list,
 * or was never handed out (its number is at least the span's `carved`).
 *
 * Locks are taken in this order: log, class, pages; `sites` and `caches` are innermost.
 */
#ifndef MCR_HEAP_H
#define MCR_HEAP_H

#include "runtime.h"
#include <string.h>

#pragma GCC visibility push(hidden) /* reached without the global offset table */

enum {
    MCR_PAGE = 1 << MCR_PAGE_SHIFT,
    MCR_CLASSES = 40,
    MCR_BIN_MAX = 64,       /* chunks of one class in a thread cache, at most */
    MCR_SITES_CACHED = 1024 /* a power of two */
};
#define MCR_UNLISTED     UINT32_MAX
#define MCR_BANK_BYTES   ((uint64_t)1 << MCR_BANK_SHIFT)
#define MCR_BANK_PAGES   (MCR_BANK_BYTES >> MCR_PAGE_SHIFT)
#define MCR_WINDOW_BYTES (MCR_BANK_BYTES * MCR_BANKS)

/* How the allocator uses mcr_span.private_. */
enum {
    MCR_SPAN_NEXT = 0,      /* span id + 1: in the list of free runs, of spans with free slots, or of unused entries */
    MCR_SPAN_PREV = 1,      /* span id + 1; small: MCR_UNLISTED if it is in no list */
    MCR_SPAN_HEAD = 2,      /* small: first free slot's index + 1 */
    MCR_SPAN_DIRTY = 2,     /* free: its bytes may be other than zero; large in O's bank: a chunk was placed there */
    MCR_SPAN_CARVED = 3,    /* small: slots from this one on were never handed out */
    MCR_SPAN_USED = 4,      /* small: slots that are live or cached */
    MCR_SPAN_SLOT = 4,      /* large: its struct mcr_slot, two words */
    MCR_SPAN_RECIPROCAL = 5 /* small: 2^32 / slot bytes, rounded up */
};

struct mcr_heap {
    uint64_t window;        /* 1 << 63 while there is none, so that no address seems to lie in it */
    uint32_t *pages;        /* of each page of the window: span id + 1, 0 none; large and free spans: both ends only */
    struct mcr_span *spans; /* by span id */
    uint8_t generation;
    uint8_t bank;         /* new spans are in this one, from own_start on */
    uint8_t adopted;      /* older banks are this process's own */
    uint8_t forwards;     /* chunks outside the window may be libc's */
    struct mcr_bank *own; /* the bank's place in the control block */
    uint64_t own_start, own_bytes;
};
extern struct mcr_heap mcr_heap;

/* A free slot in a thread cache. */
struct mcr_vacancy {
    uint64_t address;
    struct mcr_slot *slot;
};
struct mcr_bin {
    uint32_t count, limit;
    struct mcr_vacancy *vacancies;
};

/* One step from a return address towards the site; see heap_sites.c. */
struct mcr_site_step {
    uint64_t key;  /* return address | prefix << 48 */
    uint32_t row;  /* how to find the caller's frame (enum mcr_unwind_row's second word); 0 = the site ends here */
    uint32_t next; /* prefix for the next step, or the site's index */
};

struct mcr_cache {
    struct mcr_bin bins[MCR_CLASSES];
    struct mcr_cache *next; /* in the list of caches that no thread has */
    uint64_t modules;       /* `steps` hold while this many modules are known */
    struct mcr_site_step steps[MCR_SITES_CACHED];
    struct mcr_vacancy vacancies[];
};

extern struct mcr_heap_locks {
    struct mcr_lock log, classes[MCR_CLASSES], pages, sites, caches;
} mcr_heap_locks;

extern uint8_t mcr_class_by_size[MCR_SMALL_MAX / 16 + 1]; /* by (size + 15) / 16 */
extern const uint16_t mcr_class_bytes[MCR_CLASSES];

static inline uint32_t mcr_class_of(size_t size) { return mcr_class_by_size[(size + 15) / 16]; }
static inline uint32_t mcr_class_pages(uint32_t class) { return mcr_class_bytes[class] <= 512 ? 64 : 32; }
static inline uint32_t mcr_class_slots(uint32_t class) {
    return (mcr_class_pages(class) << MCR_PAGE_SHIFT) / mcr_class_bytes[class];
}

static inline uint32_t mcr_span_id(const struct mcr_span *span) { return (uint32_t)(span - mcr_heap.spans); }
static inline struct mcr_span *mcr_span_at(uint32_t id_plus_one) { return &mcr_heap.spans[id_plus_one - 1]; }
static inline uint64_t mcr_span_end(const struct mcr_span *span) {
    return span->start + ((uint64_t)span->pages << MCR_PAGE_SHIFT);
}
/* Made by this process; the others are O's, or were. */
static inline bool mcr_span_is_own(const struct mcr_span *span) {
    return span->start - mcr_heap.own_start < mcr_heap.own_bytes;
}

/* The span that a chunk at this address would lie in; NULL if there is none. */
static inline struct mcr_span *mcr_span_of(uint64_t address) {
    uint64_t offset = address - mcr_heap.window;
    if (__builtin_expect(offset >= MCR_WINDOW_BYTES, 0))
        return NULL;
    uint32_t id = mcr_heap.pages[offset >> MCR_PAGE_SHIFT];
    return __builtin_expect(id != 0, 1) ? &mcr_heap.spans[id - 1] : NULL;
}

/* All of a slot by one store. */
static inline void mcr_slot_set(struct mcr_slot *slot, struct mcr_slot value) {
    uint64_t word =
        value.size | (uint64_t)value.generation << 16 | (uint64_t)value.flags << 24 | (uint64_t)value.site << 32;
    memcpy(slot, &word, sizeof word);
}

/* The slot that begins at this address of a small span; NULL if none does. */
static inline struct mcr_slot *mcr_slot_of(const struct mcr_span *span, uint64_t address) {
    uint64_t offset = address - span->start;
    uint64_t index = (offset * span->private_[MCR_SPAN_RECIPROCAL]) >> 32; /* exact: offset * bytes < 2^32 */
    if (__builtin_expect(index >= span->slot_count || index * span->slot_bytes != offset, 0))
        return NULL;
    return (struct mcr_slot *)span->slots + index;
}

/* ---- pages.c ---- */
bool mcr_pages_init(uint64_t window);                      /* 0 = at random; sets mcr_heap and the control block */
void *mcr_heap_own(size_t bytes);                          /* zeroed, 64-byte aligned, never given back; NULL */
struct mcr_slot *mcr_slots_take(uint32_t class);           /* a slot table of that class, all flags zero */
void mcr_slots_give(uint32_t class, struct mcr_slot *ret); /* flags are zero again */
/* The caller holds `pages`: */
struct mcr_span *mcr_span_new(uint32_t bank);      /* an unused entry */
void mcr_span_drop(struct mcr_span *span);         /* back to the unused ones */
void mcr_span_enter(const struct mcr_span *span);  /* its pages lead to it */
bool mcr_bank_open(uint32_t bank, uint64_t pages); /* its first pages may be used */

/* ---- heap_runs.c ---- */
struct mcr_span *mcr_pages_take(uint64_t pages, uint64_t alignment, bool *clean); /* in pages; its kind is UNUSED */
void mcr_pages_give(struct mcr_span *span);                  /* any span; memory of older banks goes to the kernel */
bool mcr_pages_grow(struct mcr_span *span, uint64_t pages);  /* a large span, in place */
void mcr_pages_trim(struct mcr_span *span, uint64_t pages);  /* a large span keeps only its first pages */
void mcr_pages_clear(struct mcr_span *span, uint64_t bytes); /* its first bytes are zero afterwards */

/* ---- heap.c ---- */
/* A new chunk, or NULL and ENOMEM. The caller's frame comes in parts: a hook then jumps here and saves no registers. */
void *mcr_heap_new(uint64_t pc, uint64_t sp, uint64_t bp, size_t size, size_t alignment, bool zero);
void *mcr_heap_resize(struct mcr_frame frame, void *chunk, size_t size); /* chunk != NULL, size > 0 */
void mcr_heap_release(void *chunk);                                      /* free */
size_t mcr_heap_size(void *chunk);                                       /* exact requested size */

/* ---- heap_small.c ---- */
void mcr_classes_init(void);
struct mcr_cache *mcr_cache_here(void); /* one that holds nothing if the thread is ending or there is no memory */
void *mcr_small_take(uint32_t class, struct mcr_slot value); /* NULL: no memory */
void mcr_small_give(uint32_t class, struct mcr_vacancy vacancy);
void mcr_span_prepare(struct mcr_span *span, uint32_t class); /* of small chunks; nothing handed out yet */
void mcr_span_list(struct mcr_span *span); /* offers its free slots; the caller holds its class's lock */

/* ---- heap_adopt.c ---- */
bool mcr_adopt_expected(void); /* N: sets up O's spans that the settings name */
void *mcr_heap_place(uint64_t address, size_t size, size_t alignment, struct mcr_slot slot, bool zero);

/* ---- heap_early.c ---- */
void *mcr_early_new(size_t size, size_t alignment, bool zero);
void *mcr_early_resize(struct mcr_frame frame, void *chunk, size_t size);
void mcr_early_release(void *chunk);
size_t mcr_early_size(void *chunk);

/* ---- heap_sites.c ---- */
bool mcr_sites_init(void);
uint32_t mcr_site_intern(uint32_t generation, const uint64_t *returns, uint32_t depth); /* 0 = unknown */
uint32_t mcr_site_find(struct mcr_cache *cache, struct mcr_frame frame);

static inline struct mcr_site_step *mcr_site_step_at(struct mcr_cache *cache, uint64_t key) {
    return &cache->steps[key * 0x9e3779b97f4a7c15ull >> 32 & (MCR_SITES_CACHED - 1)];
}

/* Follows the steps that the thread remembers. 0: mcr_site_find() must be asked. */
static inline __attribute__((always_inline)) uint32_t mcr_site_quick(struct mcr_cache *cache, struct mcr_frame at) {
    uint64_t prefix = 0;
    if (__builtin_expect(cache->modules != mcr_control.modules.count, 0))
        return 0;
    for (int depth = 0; depth < MCR_SITE_DEPTH; depth++) {
        uint64_t key = at.pc | prefix << 48;
        const struct mcr_site_step *step = mcr_site_step_at(cache, key);
        if (__builtin_expect(step->key != key, 0))
            return 0;
        if (!step->row)
            return step->next;
        struct mcr_unwind_row row;
        memcpy((char *)&row + sizeof row.pc, &step->row, sizeof step->row);
        uint64_t cfa = (row.cfa == MCR_CFA_RSP ? at.sp : at.bp) + 8ull * row.offset;
        if (row.rbp_saved)
            at.bp = *(const uint64_t *)(cfa - 8ull * row.rbp_saved);
        at.pc = *(const uint64_t *)(cfa - 8);
        at.sp = cfa;
        prefix = step->next;
    }
    return 0;
}

/* ---- allocations.c ---- */
bool mcr_allocations_init(void);
bool mcr_allocations_open(void); /* start-up is being logged, and there is room in the log */

#pragma GCC visibility pop

#endif
