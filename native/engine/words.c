/*
 * words.c - the few words of a process's memory that could be addresses of its own.
 *
 * A server's memory is mostly bytes that are no addresses. Which of its words are, is found out once, possibly while the
 * server still runs: the values of such words of each page in their order, so that whoever looks for pointers meets
 * these only and need not fetch each from a far place in memory; and one bit a word, which tells where they stand.
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    BITS = 64,
    PAGE_BYTES = 4096,
    PAGE_WORDS = PAGE_BYTES / 8,
    FEW_BYTES = 1024, /* fewer than these are looked at without hints */
};

struct mcr_hints {
    uint64_t low, span; /* what counts as an address */
    uint64_t size;      /* bytes of the buffer, rounded up to pages */
    uint64_t *bits;     /* by word of the buffer */
    uint32_t *starts;   /* by page: where its values begin, plus 1; 0 = nothing is known of it */
    uint16_t *counts;   /* by page: its values */
    uint64_t *values;
    uint64_t value_count, value_room;
};

static void *zeroed(uint64_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct mcr_hints *mcr_hints_create(uint64_t size, uint64_t low, uint64_t high) {
    struct mcr_hints *hints = calloc(1, sizeof *hints);
    if (!hints)
        return NULL;
    hints->low = low, hints->span = high - low;
    hints->size = (size + PAGE_BYTES) & -(uint64_t)PAGE_BYTES;
    hints->bits = zeroed(hints->size / BITS);
    hints->starts = zeroed(hints->size / PAGE_BYTES * sizeof *hints->starts);
    hints->counts = zeroed(hints->size / PAGE_BYTES * sizeof *hints->counts);
    if (hints->bits && hints->starts && hints->counts)
        return hints;
    mcr_hints_destroy(hints);
    return NULL;
}

void mcr_hints_destroy(struct mcr_hints *hints) {
    if (!hints)
        return;
    if (hints->bits)
        munmap(hints->bits, hints->size / BITS);
    if (hints->starts)
        munmap(hints->starts, hints->size / PAGE_BYTES * sizeof *hints->starts);
    if (hints->counts)
        munmap(hints->counts, hints->size / PAGE_BYTES * sizeof *hints->counts);
    free(hints->values);
    free(hints);
}

/* Room for the values of one more page. */
static bool has_room(struct mcr_hints *hints) {
    if (hints->value_count + PAGE_WORDS <= hints->value_room)
        return true;
    uint64_t room = hints->value_room * 2 + 16 * PAGE_WORDS;
    uint64_t *values = realloc(hints->values, room * sizeof *values);
    if (!values || room > UINT32_MAX)
        return false;
    hints->values = values, hints->value_room = room;
    return true;
}

static void learn_page(struct mcr_hints *hints, const uint8_t *bytes, uint64_t page) {
    uint64_t *values = hints->values + hints->value_count, count = 0, low = hints->low, span = hints->span;
    for (uint32_t i = 0; i < PAGE_WORDS / BITS; i++) {
        uint64_t bits = 0;
        for (uint32_t j = 0; j < BITS; j++, bytes += sizeof(uint64_t)) {
            uint64_t value = load_word(bytes), is_address = value - low < span;
            bits |= is_address << j;
            values[count] = value; /* overwritten by the next one if it is none */
            count += is_address;
        }
        hints->bits[page * (PAGE_WORDS / BITS) + i] = bits;
    }
    hints->starts[page] = (uint32_t)hints->value_count + 1;
    hints->counts[page] = (uint16_t)count;
    hints->value_count += count;
}

int mcr_hints_learn(struct mcr_hints *hints, const struct mcr_piece *pieces, uint64_t count, const uint8_t *buffer) {
    for (uint64_t i = 0; i < count; i++)
        for (uint64_t at = pieces[i].offset; at < pieces[i].offset + pieces[i].size; at += PAGE_BYTES) {
            if (!has_room(hints))
                return -ENOMEM;
            learn_page(hints, buffer + at, at / PAGE_BYTES);
        }
    return 0;
}

/* ---- from word to word ---- */
static const struct mcr_extent *extent_of(const struct mcr_engine *engine, uint64_t address) {
    const struct image *image = &engine->images[MCR_IMAGE_THEIRS];
    const struct mcr_extent *found = NULL;
    for (uint32_t low = 0, high = image->count; low < high;) {
        uint32_t middle = (low + high) / 2;
        if (image->extents[middle].address <= address)
            found = &image->extents[middle], low = middle + 1;
        else
            high = middle;
    }
    return found;
}

static uint64_t word_index(const struct mcr_extent *extent, uint64_t address) {
    return (extent->offset + address - extent->address) / sizeof(uint64_t);
}

struct words mcr_words_in(const struct mcr_extent *extent, uint64_t address, uint64_t from, uint64_t to) {
    struct words words = {
        .bytes = extent->bytes + (address - extent->address), .at = from + (-(address + from) & 7), .end = to};
    if (!(address & 7) && to - from >= FEW_BYTES) {
        words.hints = extent->hints;
        words.first = word_index(extent, address);
    }
    return words;
}

struct words mcr_words_of(const struct mcr_engine *engine, uint64_t address, const uint8_t *bytes, uint64_t from,
                          uint64_t to) {
    const struct mcr_extent *extent = extent_of(engine, address);
    if (extent && extent->bytes + (address - extent->address) == bytes)
        return mcr_words_in(extent, address, from, to);
    const struct mcr_extent alone = {.address = address, .bytes = (uint8_t *)bytes};
    return mcr_words_in(&alone, address, from, to);
}

void mcr_words_between(struct words *words, uint64_t low, uint64_t high) {
    words->low = low;
    words->span = high - low;
}

/* How many hinted words of its page stand before this one. */
static uint32_t rank_of(const struct mcr_hints *hints, uint64_t index) {
    uint32_t rank = (uint32_t)__builtin_popcountll(hints->bits[index / BITS] & ((1ull << index % BITS) - 1));
    for (uint64_t i = index / PAGE_WORDS * (PAGE_WORDS / BITS); i < index / BITS; i++)
        rank += (uint32_t)__builtin_popcountll(hints->bits[i]);
    return rank;
}

/* Goes to what is left of the page of the word at `at`; false: nothing is left. */
static bool enter_page(struct words *words) {
    if (words->at + sizeof(uint64_t) > words->end)
        return false;
    words->direct_end = words->end;
    if (!words->hints)
        return true;
    const struct mcr_hints *hints = words->hints;
    uint64_t index = words->first + words->at / sizeof(uint64_t), page = index / PAGE_WORDS;
    uint64_t page_end = ((page + 1) * PAGE_WORDS - words->first) * sizeof(uint64_t);
    uint64_t last = words->first + words->end / sizeof(uint64_t);
    if (page_end < words->end)
        words->direct_end = page_end;
    if (!hints->starts[page])
        return true;
    words->page = page;
    words->values = hints->values + hints->starts[page] - 1;
    words->next = words->values + rank_of(hints, index);
    words->stop = words->values + (page_end <= words->end ? hints->counts[page] : rank_of(hints, last));
    words->at = words->direct_end;
    return true;
}

bool mcr_words_next(struct words *words, uint64_t *value) {
    do {
        while (words->next < words->stop)
            if ((*value = *words->next++) - words->low < words->span)
                return true;
        words->values = words->next = words->stop = NULL;
        while (words->at + sizeof *value <= words->direct_end) {
            *value = load_word(words->bytes + words->at);
            words->at += sizeof *value;
            if (*value - words->low < words->span)
                return true;
        }
    } while (enter_page(words));
    return false;
}

uint64_t mcr_words_offset(const struct words *words) {
    if (!words->values)
        return words->at - sizeof(uint64_t);
    uint64_t i = words->page * (PAGE_WORDS / BITS), rank = (uint64_t)(words->next - words->values - 1);
    const uint64_t *all = words->hints->bits;
    for (uint64_t count; (count = (uint64_t)__builtin_popcountll(all[i])) <= rank; i++)
        rank -= count;
    uint64_t bits = all[i];
    for (; rank; rank--)
        bits &= bits - 1;
    return (i * BITS + (uint64_t)__builtin_ctzll(bits) - words->first) * sizeof(uint64_t);
}

/* ---- what the transfer changes ---- */

/* Neighbours become one: what is touched is written as whole pages. */
static void touch(struct mcr_engine *engine, uint64_t address, uint64_t size) {
    struct mcr_touched *last = engine->touched_count ? &engine->touched[engine->touched_count - 1] : NULL;
    uint64_t start = address & -(uint64_t)PAGE_BYTES, end = (address + size + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES;
    if (last && start >= last->start && start <= last->end) {
        last->end = end > last->end ? end : last->end;
    } else if (mcr_grow(engine, &engine->touched, &engine->touched_room, engine->touched_count + 1,
                        sizeof *engine->touched)) {
        engine->touched[engine->touched_count++] = (struct mcr_touched){start, end};
    }
}

void mcr_words_replace(struct mcr_engine *engine, struct words *words, uint64_t address, uint64_t value) {
    uint64_t at = mcr_words_offset(words);
    store_word((uint8_t *)words->bytes + at, value);
    if (words->values)
        words->next[-1] = value;
    touch(engine, address + at, sizeof value);
}

void mcr_rewritten(struct mcr_engine *engine, uint64_t address, uint64_t size) {
    const struct mcr_extent *extent = extent_of(engine, address);
    touch(engine, address, size);
    if (!extent || !extent->hints || !size)
        return;
    uint64_t first = word_index(extent, address), last = word_index(extent, address + size - 1);
    for (uint64_t page = first / PAGE_WORDS; page <= last / PAGE_WORDS; page++)
        extent->hints->starts[page] = 0;
}

const struct mcr_touched *mcr_engine_touched(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->touched_count;
    return engine->touched;
}
