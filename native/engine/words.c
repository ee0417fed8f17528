/*
 * words.c - the few words of a process's memory that could be addresses of its own.
 *
 * A server's memory is mostly bytes that are no addresses. Which of its words are, is found out once, possibly while the
 * server still runs: one bit for each word (hints), and the values in their order, so that whoever looks for pointers
 * meets those words only and need not fetch each from a far place in memory.
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    BITS = 64,
    PAGE_BYTES = 4096,
    PAGE_WORDS = PAGE_BYTES / 8,
};

struct mcr_hints {
    uint64_t low, span; /* what counts as an address */
    uint64_t size;      /* bytes of the buffer, rounded up to pages */
    uint64_t *bits;     /* by word of the buffer */
    uint32_t *starts;   /* by page: where its values begin, plus 1; 0 = they stand in memory only */
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
    if (hints->bits && hints->starts)
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
    struct words words = {.bytes = extent->bytes + (address - extent->address),
                          .at = from + (-(address + from) & 7),
                          .end = to,
                          .page = UINT64_MAX};
    if (!(address & 7)) {
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

/* Goes to the next word with its bit set; false: there is none before the end. */
static bool skip(struct words *words) {
    while (words->at < words->end) {
        uint64_t index = words->first + words->at / sizeof(uint64_t), shift = index % BITS;
        uint64_t bits = words->hints->bits[index / BITS] >> shift;
        if (bits) {
            words->at += (uint64_t)__builtin_ctzll(bits) * sizeof(uint64_t);
            return words->at + sizeof(uint64_t) <= words->end;
        }
        words->at += (BITS - shift) * sizeof(uint64_t);
    }
    return false;
}

/* Where the value of the word at `at` is kept, NULL if in memory only. The words before it in its page are counted. */
static uint64_t *kept_value(struct words *words) {
    struct mcr_hints *hints = words->hints;
    uint64_t index = words->first + words->at / sizeof(uint64_t), page = index / PAGE_WORDS;
    if (page == words->page) {
        words->rank++;
    } else {
        words->page = page, words->rank = 0;
        for (uint64_t i = page * (PAGE_WORDS / BITS); i < index / BITS; i++)
            words->rank += (uint32_t)__builtin_popcountll(hints->bits[i]);
        words->rank += (uint32_t)__builtin_popcountll(hints->bits[index / BITS] & ((1ull << index % BITS) - 1));
    }
    uint32_t start = hints->starts[page];
    return start ? &hints->values[start - 1 + words->rank] : NULL;
}

bool mcr_words_next(struct words *words, uint64_t *value) {
    for (;;) {
        words->kept = NULL;
        if (words->hints ? !skip(words) : words->at + sizeof *value > words->end)
            return false;
        if (words->hints)
            words->kept = kept_value(words);
        *value = words->kept ? *words->kept : load_word(words->bytes + words->at);
        words->at += sizeof *value;
        if (*value - words->low < words->span)
            return true;
    }
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
    uint64_t at = words->at - sizeof value;
    store_word((uint8_t *)words->bytes + at, value);
    if (words->kept)
        *words->kept = value;
    touch(engine, address + at, sizeof value);
}

void mcr_rewritten(struct mcr_engine *engine, uint64_t address, uint64_t size) {
    const struct mcr_extent *extent = extent_of(engine, address);
    touch(engine, address, size);
    if (!extent || !extent->hints || !size)
        return;
    struct mcr_hints *hints = extent->hints;
    uint64_t first = word_index(extent, address), last = word_index(extent, address + size - 1);
    for (uint64_t i = first; i <= last; i++)
        hints->bits[i / BITS] |= 1ull << (i % BITS);
    for (uint64_t page = first / PAGE_WORDS; page <= last / PAGE_WORDS; page++)
        hints->starts[page] = 0;
}

const struct mcr_touched *mcr_engine_touched(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->touched_count;
    return engine->touched;
}
