/*
 * heap_early.c - chunks that are not in the window.
 *
 * ld.so and initialisers may allocate before libmcr's constructor has run: a small static area serves them. Its chunks
 * are libmcr's own memory for a reader: nobody traces or moves them. If there is no window, because the program runs
 * without settings or its limits forbid one, libc's allocator serves instead, and later frees find their way to it.
 */
#include "heap.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "host_safe.h"

extern void *__libc_malloc(size_t size) __attribute__((weak));
extern void *__libc_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__libc_realloc(void *chunk, size_t size) __attribute__((weak));
extern void *__libc_memalign(size_t alignment, size_t size) __attribute__((weak));
extern void __libc_free(void *chunk) __attribute__((weak));

enum { AREA_BYTES = 1 << 20 };
static char area[AREA_BYTES] __attribute__((aligned(MCR_PAGE)));
static uint64_t area_used;

/* The word before a chunk is its size. */
static uint64_t *area_size(void *chunk) { return (uint64_t *)chunk - 1; }

static bool in_area(const void *chunk) { return (uint64_t)chunk - (uint64_t)area < AREA_BYTES; }

static void *area_take(size_t size, size_t alignment) {
    uint64_t used = __atomic_load_n(&area_used, __ATOMIC_RELAXED), start;
    if (size >= AREA_BYTES || alignment > MCR_PAGE)
        return NULL;
    do {
        start = (used + sizeof(uint64_t) + alignment - 1) & -(uint64_t)alignment;
        if (start + size > AREA_BYTES)
            return NULL;
    } while (!__atomic_compare_exchange_n(&area_used, &used, start + size, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *area_size(area + start) = size;
    return area + start;
}

static void *forward(size_t size, size_t alignment, bool zero) {
    if (!__libc_malloc || !__libc_calloc || !__libc_memalign)
        return NULL;
    mcr_heap.forwards = 1;
    if (zero)
        return __libc_calloc(1, size);
    return alignment > 16 ? __libc_memalign(alignment, size) : __libc_malloc(size);
}

void *mcr_early_new(size_t size, size_t alignment, bool zero) {
    void *chunk = mcr_heap.forwards ? NULL : area_take(size, alignment); /* never used before, so it is zero */
    if (!chunk)
        chunk = forward(size, alignment, zero);
    if (!chunk)
        errno = ENOMEM;
    return chunk;
}

void *mcr_early_resize(struct mcr_frame frame, void *chunk, size_t size) {
    if (in_area(chunk)) {
        size_t old_size = *area_size(chunk);
        void *moved = size <= old_size ? chunk : mcr_heap_new(frame.pc, frame.sp, frame.bp, size, 16, false);
        if (moved && moved != chunk)
            memcpy(moved, chunk, old_size);
        else if (moved)
            *area_size(chunk) = size;
        return moved;
    }
    if (mcr_heap.forwards && __libc_realloc)
        return __libc_realloc(chunk, size);
    MCR_DISABLE(MCR_ERROR_HEAP, "realloc of an address that is no chunk");
    errno = ENOMEM;
    return NULL;
}

void mcr_early_release(void *chunk) {
    if (in_area(chunk))
        return;
    if (mcr_heap.forwards && __libc_free)
        __libc_free(chunk);
    else
        MCR_DISABLE(MCR_ERROR_HEAP, "free of an address that is no chunk");
}

size_t mcr_early_size(void *chunk) {
    static size_t (*libc_size)(void *);
    if (in_area(chunk))
        return *area_size(chunk);
    if (mcr_heap.forwards && !libc_size)
        libc_size = (size_t (*)(void *))dlsym(RTLD_NEXT, "malloc_usable_size");
    return mcr_heap.forwards && libc_size ? libc_size(chunk) : 0;
}
