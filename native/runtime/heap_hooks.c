/*
 * heap_hooks.c - malloc and its family, as the program sees them.
 *
 * The common case touches the thread's cache and the slot; everything else is in heap.c. Results and errno are as with
 * glibc. malloc_usable_size() answers the size that was asked for, so that no program writes where a reader of exact
 * sizes would not look.
 */
#define MCR_DEFINES_MALLOC
#include "heap.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "host_safe.h"

#define HOOK __attribute__((visibility("default")))

#define INLINE static inline __attribute__((always_inline)) /* MCR_CALLER() is then the program's frame */

INLINE void *take(struct mcr_frame frame, size_t size, size_t alignment, bool zero) {
    return mcr_heap_new(frame.pc, frame.sp, frame.bp, size, alignment, zero);
}

/* From the thread's cache, for a known site; NULL: it is not as easy as that. */
INLINE void *take_quickly(struct mcr_frame frame, size_t size) {
    struct mcr_cache *cache = mcr_self.heap_cache;
    if (__builtin_expect(!cache || size > MCR_SMALL_MAX || mcr_is_startup(), 0))
        return NULL;
    struct mcr_bin *bin = &cache->bins[mcr_class_of(size)];
    uint32_t count = bin->count, site = mcr_site_quick(cache, frame);
    if (__builtin_expect(count == 0 || site == 0, 0))
        return NULL;
    bin->count = --count;
    struct mcr_vacancy vacancy = bin->vacancies[count];
    mcr_slot_set(vacancy.slot, (struct mcr_slot){(uint16_t)size, mcr_heap.generation, MCR_SLOT_LIVE, site});
    return (void *)vacancy.address;
}

HOOK void *malloc(size_t size) {
    void *chunk = take_quickly(MCR_CALLER(), size);
    return __builtin_expect(chunk != NULL, 1) ? chunk : take(MCR_CALLER(), size, 16, false);
}

HOOK void free(void *chunk) {
    struct mcr_span *span = mcr_span_of((uint64_t)chunk);
    struct mcr_cache *cache = mcr_self.heap_cache;
    if (__builtin_expect(span && cache && span->kind == MCR_SPAN_SMALL, 1)) {
        struct mcr_slot *slot = mcr_slot_of(span, (uint64_t)chunk);
        struct mcr_bin *bin = &cache->bins[span->size_class];
        if (__builtin_expect(slot && (slot->flags & ~MCR_SLOT_INHERITED) == MCR_SLOT_LIVE && bin->count < bin->limit,
                             1)) {
            slot->flags = MCR_SLOT_CACHED;
            bin->vacancies[bin->count++] = (struct mcr_vacancy){(uint64_t)chunk, slot};
            return;
        }
    }
    if (chunk)
        mcr_heap_release(chunk);
}

HOOK void *calloc(size_t count, size_t size) {
    struct mcr_frame frame = MCR_CALLER();
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *chunk = take_quickly(frame, bytes);
    return __builtin_expect(chunk != NULL, 1) ? memset(chunk, 0, bytes) : take(frame, bytes, 16, true);
}

INLINE void *resize(struct mcr_frame frame, void *chunk, size_t size) {
    if (!chunk)
        return take(frame, size, 16, false);
    if (size)
        return mcr_heap_resize(frame, chunk, size);
    mcr_heap_release(chunk);
    return NULL;
}

HOOK void *realloc(void *chunk, size_t size) { return resize(MCR_CALLER(), chunk, size); }

HOOK void *reallocarray(void *chunk, size_t count, size_t size) {
    struct mcr_frame frame = MCR_CALLER();
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return resize(frame, chunk, bytes);
}

/* As glibc: any alignment is taken for the next power of two. */
INLINE void *aligned(struct mcr_frame frame, size_t alignment, size_t size) {
    size_t power = 16;
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    while (power < alignment)
        power *= 2;
    return take(frame, size, power, false);
}

HOOK void *memalign(size_t alignment, size_t size) { return aligned(MCR_CALLER(), alignment, size); }

HOOK void *aligned_alloc(size_t alignment, size_t size) { return aligned(MCR_CALLER(), alignment, size); }

HOOK int posix_memalign(void **ret, size_t alignment, size_t size) {
    struct mcr_frame frame = MCR_CALLER();
    int saved = errno;
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    void *chunk = aligned(frame, alignment, size);
    errno = saved;
    if (!chunk)
        return ENOMEM;
    *ret = chunk;
    return 0;
}

HOOK void *valloc(size_t size) { return aligned(MCR_CALLER(), MCR_PAGE, size); }

HOOK void *pvalloc(size_t size) {
    struct mcr_frame frame = MCR_CALLER();
    if (size > SIZE_MAX - MCR_PAGE) {
        errno = ENOMEM;
        return NULL;
    }
    return aligned(frame, MCR_PAGE, (size + MCR_PAGE - 1) & -(size_t)MCR_PAGE);
}

HOOK size_t malloc_usable_size(void *chunk) { return chunk ? mcr_heap_size(chunk) : 0; }
