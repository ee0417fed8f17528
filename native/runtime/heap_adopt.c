/*
 * heap_adopt.c - N and O's heap.
 *
 * Before the transfer N knows only those of O's spans that the placement plan leads to; nothing in them is handed out
 * but by the plan. The adoption brings all of O's spans as they are now. Where both know a slot, N's placed chunk stays, as
 * large as the larger of the two; O's other live chunks become inherited ones, and free slots are N's from then on. The
 * bytes are the controller's concern.
 */
#include "heap.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "host_safe.h"

#define NUMBERED UINT32_MAX /* mcr_site.depth of a site whose `generation` is its number in N */

static uint64_t span_bytes(const struct mcr_span *span) { return (uint64_t)span->pages << MCR_PAGE_SHIFT; }

static struct mcr_slot *slots_of(const struct mcr_span *span) { return (struct mcr_slot *)span->slots; }

/* The bank that the whole span lies in; MCR_BANKS if it makes no sense. */
static uint32_t bank_for(const struct mcr_span *span) {
    uint64_t offset = span->start - mcr_heap.window, bytes = span_bytes(span);
    bool small = span->kind == MCR_SPAN_SMALL;
    if (offset >= MCR_WINDOW_BYTES || offset % MCR_PAGE || !bytes || bytes > MCR_BANK_BYTES - offset % MCR_BANK_BYTES)
        return MCR_BANKS;
    if (small &&
        (span->size_class >= MCR_CLASSES || span->slot_bytes != mcr_class_bytes[span->size_class] ||
         span->slot_count != mcr_class_slots(span->size_class) || span->pages < mcr_class_pages(span->size_class)))
        return MCR_BANKS;
    return small || span->kind == MCR_SPAN_LARGE ? (uint32_t)(offset / MCR_BANK_BYTES) : MCR_BANKS;
}

/* An entry for one of O's spans, all of whose slots are free. */
static struct mcr_span *borrow(const struct mcr_span *old) {
    uint32_t bank = bank_for(old);
    struct mcr_slot *slots = old->kind == MCR_SPAN_SMALL ? mcr_slots_take(old->size_class) : NULL;
    struct mcr_span *span = NULL;
    mcr_lock_take(&mcr_heap_locks.pages);
    uint64_t end = mcr_span_end(old) - mcr_control.banks[bank].start;
    if ((slots || old->kind == MCR_SPAN_LARGE) && mcr_bank_open(bank, end >> MCR_PAGE_SHIFT))
        span = mcr_span_new(bank);
    if (span) {
        *span = *old;
        span->reserved = 0;
        span->large_size = 0;
        memset(span->private_, 0, sizeof span->private_);
        if (slots)
            mcr_span_prepare(span, old->size_class);
        span->slots = slots ? (uint64_t)slots : (uint64_t)&span->private_[MCR_SPAN_SLOT];
        mcr_span_enter(span);
    }
    mcr_lock_drop(&mcr_heap_locks.pages);
    if (!span && slots)
        mcr_slots_give(old->size_class, slots);
    return span;
}

bool mcr_adopt_expected(void) {
    const struct mcr_span *old = mcr_settings_part(mcr_settings->spans);
    for (uint64_t i = 0; i < mcr_settings->span_count; i++) {
        uint32_t bank = bank_for(&old[i]);
        if (bank == MCR_BANKS) {
            MCR_DISABLE(MCR_ERROR_SETTINGS, "the settings name a span that cannot be");
            return false;
        }
        if (!borrow(&old[i])) {
            MCR_DISABLE(MCR_ERROR_MEMORY, "no room for the old heap's spans");
            return false;
        }
    }
    return true;
}

static void *place_large(struct mcr_span *span, size_t size, struct mcr_slot value, bool zero) {
    struct mcr_slot *slot = slots_of(span);
    if (slot->flags || size > span_bytes(span))
        return NULL;
    if (zero && span->private_[MCR_SPAN_DIRTY])
        mcr_pages_clear(span, size);
    span->private_[MCR_SPAN_DIRTY] = 1;
    span->large_size = size;
    *slot = value;
    return (void *)span->start;
}

static void *place_small(struct mcr_span *span, uint64_t address, size_t size, struct mcr_slot value, bool zero) {
    struct mcr_slot *slot = mcr_slot_of(span, address);
    if (!slot || slot->flags || size > span->slot_bytes || size > MCR_SMALL_MAX)
        return NULL;
    value.size = (uint16_t)size;
    *slot = value;
    return zero ? memset((void *)address, 0, size) : (void *)address;
}

void *mcr_heap_place(uint64_t address, size_t size, size_t alignment, struct mcr_slot value, bool zero) {
    struct mcr_span *span = mcr_span_of(address);
    void *chunk = NULL;
    if (!span || mcr_span_is_own(span) || mcr_heap.adopted || address % alignment != 0)
        return NULL;
    value.flags |= MCR_SLOT_PLACED;
    mcr_lock_take(&mcr_heap_locks.pages);
    if (span->kind == MCR_SPAN_SMALL)
        chunk = place_small(span, address, size, value, zero);
    else if (span->kind == MCR_SPAN_LARGE && address == span->start)
        chunk = place_large(span, size, value, zero);
    mcr_lock_drop(&mcr_heap_locks.pages);
    return chunk;
}

/* ---- the adoption ---- */
static bool has_chunks(const struct mcr_span *span) {
    for (uint32_t i = 0; i < span->slot_count; i++)
        if (slots_of(span)[i].flags)
            return true;
    return false;
}

static bool has_chunks_in(uint64_t start, uint64_t end) {
    for (uint64_t at = start; at < end; at += MCR_PAGE) {
        const struct mcr_span *span = mcr_span_of(at);
        if (span && span->kind >= MCR_SPAN_SMALL && at - span->start < span_bytes(span) && has_chunks(span))
            return true;
    }
    return false;
}

static bool is_same(const struct mcr_span *span, const struct mcr_span *old) {
    if (span->start != old->start || span->kind != old->kind)
        return false;
    if (span->kind == MCR_SPAN_SMALL)
        return span->size_class == old->size_class;
    return !slots_of(span)->flags || span->large_size <= span_bytes(old);
}

/* N's entry for one of O's spans; NULL and *error if there can be none. */
static struct mcr_span *meet(const struct mcr_span *old, int *error) {
    struct mcr_span *span = mcr_span_of(old->start);
    if (span && is_same(span, old)) {
        uint32_t bank = bank_for(old);
        mcr_lock_take(&mcr_heap_locks.pages);
        uint64_t end = mcr_span_end(old) - mcr_control.banks[bank].start;
        bool open = mcr_bank_open(bank, end >> MCR_PAGE_SHIFT);
        span->pages = old->pages;
        span->slot_bytes = old->slot_bytes;
        if (open)
            mcr_span_enter(span);
        mcr_lock_drop(&mcr_heap_locks.pages);
        *error = -ENOMEM;
        return open ? span : NULL;
    }
    bool taken = has_chunks_in(old->start, mcr_span_end(old));
    *error = taken ? -EEXIST : -ENOMEM; /* taken: O has made something else of the memory since the plan was made */
    return taken ? NULL : borrow(old);
}

/* Only sites that a chunk still has are taken over, so that their table does not grow with every update. The memfd is
 * ours: a site that has got its number remembers it there. */
static uint32_t site_in_new(struct mcr_adoption *adoption, uint32_t number) {
    struct mcr_site *site = (struct mcr_site *)((char *)adoption + adoption->sites) + number;
    if (number >= adoption->site_count || site->depth == NUMBERED)
        return number < adoption->site_count ? site->generation : 0;
    uint32_t depth = site->depth <= MCR_SITE_DEPTH ? site->depth : MCR_SITE_DEPTH;
    site->generation = number ? mcr_site_intern(site->generation, site->returns, depth) : 0;
    site->depth = NUMBERED;
    return site->generation;
}

static struct mcr_slot inherited(struct mcr_adoption *adoption, struct mcr_slot old) {
    old.flags = MCR_SLOT_LIVE | MCR_SLOT_INHERITED;
    old.site = site_in_new(adoption, old.site);
    return old;
}

/* Builds the free list anew; slots beyond the last chunk count as never handed out. */
static void link_free_slots(struct mcr_span *span) {
    struct mcr_slot *slots = slots_of(span);
    uint32_t carved = span->slot_count, used = 0, head = 0;
    while (carved && !slots[carved - 1].flags)
        carved--;
    for (uint32_t i = carved; i-- > 0;) {
        if (slots[i].flags) {
            used++;
            continue;
        }
        slots[i].site = head;
        head = i + 1;
    }
    span->private_[MCR_SPAN_HEAD] = head;
    span->private_[MCR_SPAN_CARVED] = carved;
    span->private_[MCR_SPAN_USED] = used;
}

static int adopt_span(struct mcr_adoption *adoption, const struct mcr_span *old) {
    const struct mcr_slot *old_slots = (const struct mcr_slot *)((const char *)adoption + old->slots);
    int error = 0;
    struct mcr_span *span = meet(old, &error);
    if (!span)
        return error;
    for (uint32_t i = 0; i < span->slot_count; i++) {
        struct mcr_slot *slot = &slots_of(span)[i];
        if (!(old_slots[i].flags & MCR_SLOT_LIVE))
            continue;
        uint16_t size = slot->size;
        if (!slot->flags)
            *slot = inherited(adoption, old_slots[i]);
        slot->size = size > old_slots[i].size ? size : old_slots[i].size;
        span->large_size = span->large_size > old->large_size ? span->large_size : old->large_size;
    }
    return 0;
}

/* Offers what is free in a span of an older bank. */
static void settle(struct mcr_span *span) {
    bool chunks = has_chunks(span);
    if (span->kind == MCR_SPAN_SMALL && chunks) {
        mcr_lock_take(&mcr_heap_locks.classes[span->size_class]);
        link_free_slots(span);
        mcr_span_list(span);
        mcr_lock_drop(&mcr_heap_locks.classes[span->size_class]);
    } else if (!chunks) {
        struct mcr_slot *slots = slots_of(span);
        uint32_t class = span->size_class;
        bool small = span->kind == MCR_SPAN_SMALL;
        mcr_pages_give(span);
        if (small)
            mcr_slots_give(class, slots);
    }
}

static void for_old_spans(void (*act)(struct mcr_span *)) {
    for (uint32_t bank = 0; bank < MCR_BANKS; bank++) {
        struct mcr_span *spans = (struct mcr_span *)mcr_control.banks[bank].spans;
        for (uint64_t i = 0; i < mcr_control.banks[bank].span_count; i++)
            if (spans[i].kind >= MCR_SPAN_SMALL && !mcr_span_is_own(&spans[i]))
                act(&spans[i]);
    }
}

static void drop_empty(struct mcr_span *span) {
    if (!has_chunks(span))
        settle(span);
}

/* Where the parent already has chunks of another kind the plan cannot be followed: those chunks will not be placed. */
bool mcr_adopt_counterpart(void) {
    const struct mcr_span *old = mcr_settings_part(mcr_settings->spans);
    for_old_spans(drop_empty);
    for (uint64_t i = 0; i < mcr_settings->span_count; i++) {
        int error = 0;
        if (bank_for(&old[i]) == MCR_BANKS || (!meet(&old[i], &error) && error != -EEXIST))
            return false;
    }
    return true;
}

/* The sizes that chunks have in N's layout: the next update reads the exact size from here. */
static void set_sizes(const struct mcr_adoption *adoption) {
    const struct mcr_chunk_size *sizes = (const struct mcr_chunk_size *)((const char *)adoption + adoption->sizes);
    for (uint64_t i = 0; i < adoption->size_count; i++) {
        struct mcr_span *span = mcr_span_of(sizes[i].address);
        if (!span || span->kind < MCR_SPAN_SMALL)
            continue;
        struct mcr_slot *slot = span->kind == MCR_SPAN_SMALL ? mcr_slot_of(span, sizes[i].address) : NULL;
        if (slot && (slot->flags & MCR_SLOT_LIVE) && sizes[i].size <= span->slot_bytes && sizes[i].size <= UINT16_MAX)
            slot->size = (uint16_t)sizes[i].size;
        else if (span->kind == MCR_SPAN_LARGE && sizes[i].address == span->start && sizes[i].size <= span_bytes(span))
            span->large_size = sizes[i].size;
    }
}

int mcr_heap_adopt(struct mcr_adoption *adoption) {
    const struct mcr_span *old = (const struct mcr_span *)((const char *)adoption + adoption->spans);
    int error = 0;
    if (mcr_heap.window >> 63 || mcr_heap.adopted)
        return -EINVAL;
    for (uint64_t i = 0; i < adoption->span_count && !error; i++)
        if (old[i].kind >= MCR_SPAN_SMALL)
            error = bank_for(&old[i]) == MCR_BANKS ? -EINVAL : adopt_span(adoption, &old[i]);
    for (uint32_t bank = 0; bank < MCR_BANKS && !error; bank++) {
        mcr_lock_take(&mcr_heap_locks.pages);
        if (bank != mcr_heap.bank && !mcr_bank_open(bank, adoption->bank_used[bank]))
            error = -ENOMEM;
        mcr_lock_drop(&mcr_heap_locks.pages);
    }
    if (error)
        return error;
    set_sizes(adoption);
    mcr_heap.adopted = 1;
    for_old_spans(settle);
    return 0;
}
