/*
 * audit.c - plain scans of a process's words: which of them still point into given ranges, and which chunks nothing
 * points to any more. Source: DESIGN section 3 (AUDIT), section 11 (R6).
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sorted by start; they may overlap if no two of different starts have ends in the other order. */
static bool in_ranges(uint64_t value, const uint64_t *ranges, uint32_t count) {
    uint32_t low = 0;
    for (uint32_t high = count; low < high;) {
        uint32_t middle = (low + high) / 2;
        if (ranges[2 * middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    return low && value < ranges[2 * low - 1];
}

uint64_t mcr_scan_words(const struct mcr_extent *extents, uint32_t extent_count, const uint64_t *ranges,
                        uint32_t range_count, struct mcr_hit *hits, uint64_t capacity) {
    uint64_t found = 0, low = range_count ? ranges[0] : 0, high = range_count ? ranges[2 * range_count - 1] : 0;
    for (uint32_t i = 0; i < extent_count; i++) {
        struct words words = mcr_words_in(&extents[i], extents[i].address, 0, extents[i].size);
        mcr_words_between(&words, low, high);
        for (uint64_t value; mcr_words_next(&words, &value);) {
            if (!in_ranges(value, ranges, range_count))
                continue;
            if (found < capacity)
                hits[found] = (struct mcr_hit){extents[i].address + mcr_words_offset(&words), value};
            found++;
        }
    }
    return found;
}

struct mark {
    const struct mcr_extent *memory;
    uint32_t memory_count;
    const uint64_t *starts, *sizes;
    uint64_t count, low, high;
    uint8_t *reached;
    uint64_t *work;
    uint64_t work_count;
};

static const struct mcr_extent *extent_at(const struct mark *mark, uint64_t address, uint64_t size) {
    uint32_t low = 0, high = mark->memory_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (mark->memory[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    const struct mcr_extent *extent = &mark->memory[low - 1];
    uint64_t offset = address - extent->address;
    return offset <= extent->size && size <= extent->size - offset ? extent : NULL;
}

/* The chunk that holds the address; if none does, the one that ends right at it. */
static void mark_value(struct mark *mark, uint64_t value) {
    if (value < mark->low || value > mark->high)
        return;
    uint64_t low = 0, high = mark->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (mark->starts[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    if (low && value - mark->starts[low - 1] <= mark->sizes[low - 1] && !mark->reached[low - 1]) {
        mark->reached[low - 1] = 1;
        mark->work[mark->work_count++] = low - 1;
    }
}

static void mark_bytes(struct mark *mark, const struct mcr_extent *extent, uint64_t address, uint64_t size) {
    struct words words = mcr_words_in(extent, address, 0, size);
    mcr_words_between(&words, mark->low, mark->high + 1);
    for (uint64_t value; mcr_words_next(&words, &value);)
        mark_value(mark, value);
}

int mcr_mark_chunks(const struct mcr_extent *roots, uint32_t root_count, const struct mcr_extent *memory,
                    uint32_t memory_count, const uint64_t *starts, const uint64_t *sizes, uint64_t chunk_count,
                    uint8_t *reached) {
    if (!chunk_count)
        return 0;
    struct mark mark = {
        memory,  memory_count, starts, sizes, chunk_count, starts[0], starts[chunk_count - 1] + sizes[chunk_count - 1],
        reached, NULL,         0};
    mark.work = malloc(chunk_count * sizeof *mark.work);
    if (!mark.work)
        return -ENOMEM;
    for (uint32_t i = 0; i < root_count; i++)
        mark_bytes(&mark, &roots[i], roots[i].address, roots[i].size);
    while (mark.work_count) {
        uint64_t index = mark.work[--mark.work_count];
        const struct mcr_extent *extent = extent_at(&mark, starts[index], sizes[index]);
        if (extent)
            mark_bytes(&mark, extent, starts[index], sizes[index]);
    }
    free(mark.work);
    return 0;
}
