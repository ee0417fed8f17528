/*
 * heap_columns.c - the live chunks of libmcr's allocator as columns, from copies of its span and slot tables.
 *
 * The copies come from a process that need not be sound: whatever does not fit (a slot array that was not copied, a
 * chunk larger than its slot, spans that overlap) is -EINVAL, never a wild read.
 * Source: native/mcr_abi.h, "heap geometry".
 */
#include "../mcr_abi.h"
#include "engine.h"
#include <errno.h>
#include <stdlib.h>

static bool holds_chunks(const struct mcr_span *span) {
    return span->kind == MCR_SPAN_SMALL || span->kind == MCR_SPAN_LARGE;
}

static int by_start(const void *left, const void *right) {
    const struct mcr_span *const *a = left, *const *b = right;
    return ((*a)->start > (*b)->start) - ((*a)->start < (*b)->start);
}

/* The spans that hold chunks, in order of address; their number in *ret. NULL = no memory. */
static const struct mcr_span **sort_spans(const struct mcr_span *spans, uint64_t count, uint64_t *ret) {
    const struct mcr_span **sorted = malloc((count + 1) * sizeof *sorted);
    bool in_order = true;
    uint64_t used = 0;
    for (uint64_t i = 0; sorted && i < count; i++) {
        if (!holds_chunks(&spans[i]))
            continue;
        in_order = in_order && (!used || sorted[used - 1]->start < spans[i].start);
        sorted[used++] = &spans[i];
    }
    if (!in_order)
        qsort(sorted, used, sizeof *sorted, by_start);
    *ret = used;
    return sorted;
}

/* The copy of a span's slots; NULL if it is not all there. Extents are sorted by address. */
static const struct mcr_slot *find_slots(const struct mcr_span *span, const struct mcr_extent *extents,
                                         uint32_t count) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (extents[middle].address <= span->slots)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    const struct mcr_extent *extent = &extents[low - 1];
    uint64_t offset = span->slots - extent->address, bytes = (uint64_t)span->slot_count * sizeof(struct mcr_slot);
    if (offset % sizeof(struct mcr_slot) || offset > extent->size || bytes > extent->size - offset)
        return NULL;
    return (const struct mcr_slot *)(extent->bytes + offset);
}

static bool is_sound(const struct mcr_span *span, uint64_t free_from) {
    uint64_t bytes = (uint64_t)span->pages << MCR_PAGE_SHIFT;
    if (span->start < free_from || span->start + bytes < span->start)
        return false;
    if (span->kind == MCR_SPAN_LARGE)
        return span->slot_count == 1 && span->large_size <= bytes;
    return span->slot_bytes && (uint64_t)span->slot_bytes * span->slot_count <= bytes;
}

static bool add_chunk(const struct mcr_span *span, uint32_t i, const struct mcr_slot *slot,
                      const struct mcr_heap_columns *columns, uint64_t row) {
    bool large = span->kind == MCR_SPAN_LARGE;
    uint64_t capacity = large ? (uint64_t)span->pages << MCR_PAGE_SHIFT : span->slot_bytes;
    uint64_t size = large ? span->large_size : slot->size;
    columns->addresses[row] = span->start + (uint64_t)i * span->slot_bytes;
    columns->sizes[row] = size;
    columns->capacities[row] = capacity;
    columns->sites[row] = slot->site;
    columns->flags[row] = slot->flags;
    return size <= capacity;
}

static uint64_t count_live(const struct mcr_slot *slots, uint32_t count) {
    uint64_t live = 0;
    for (uint32_t i = 0; i < count; i++)
        live += slots[i].flags & MCR_SLOT_LIVE;
    return live;
}

/* Adds a span's live chunks from `row` on if there are columns and they have room; returns how many it has. */
static int64_t add_span(const struct mcr_span *span, const struct mcr_slot *slots,
                        const struct mcr_heap_columns *columns, uint64_t row) {
    if (!columns)
        return (int64_t)count_live(slots, span->slot_count);
    uint64_t first = row;
    for (uint32_t i = 0; i < span->slot_count; i++) {
        if (!(slots[i].flags & MCR_SLOT_LIVE))
            continue;
        if (row >= columns->capacity || !add_chunk(span, i, &slots[i], columns, row))
            return -EINVAL;
        row++;
    }
    return (int64_t)(row - first);
}

int64_t mcr_heap_live_chunks(const void *span_table, uint64_t span_count, const struct mcr_extent *slots,
                             uint32_t slot_extents, const struct mcr_heap_columns *columns) {
    uint64_t count, free_from = 0;
    int64_t total = 0;
    const struct mcr_span **spans = sort_spans(span_table, span_count, &count);
    if (!spans)
        return -ENOMEM;
    for (uint64_t i = 0; i < count && total >= 0; i++) {
        const struct mcr_slot *copy = find_slots(spans[i], slots, slot_extents);
        int64_t added = -EINVAL;
        if (copy && is_sound(spans[i], free_from))
            added = add_span(spans[i], copy, columns, (uint64_t)total);
        free_from = spans[i]->start + ((uint64_t)spans[i]->pages << MCR_PAGE_SHIFT);
        total = added < 0 ? added : total + added;
    }
    free(spans);
    return total;
}
