/*
 * words.c - the few words of a process's memory that could be addresses of its own.
 *
 * A server's memory is mostly bytes that are no addresses. Which of its words are, is found out once, possibly while the
 * server still runs, and kept as one bit a word (hints); whoever looks for pointers then meets those words only.
 */
#include "internal.h"

enum {
    WORDS_IN_BITS = 64,
    AHEAD = 64 /* hint words by which memory is asked for early: the words lie far apart, each in a line of its own */
};

/* Bit i of the result: word i lies in [low, low + span). */
static uint64_t test_words(const uint8_t *bytes, uint32_t count, uint64_t low, uint64_t span) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < count; i++)
        bits |= (uint64_t)(load_word(bytes + 8 * i) - low < span) << i;
    return bits;
}

void mcr_hints_learn(const struct mcr_piece *pieces, uint64_t count, const uint8_t *buffer, uint64_t low, uint64_t high,
                     uint64_t *hints) {
    const uint64_t step = WORDS_IN_BITS * sizeof(uint64_t);
    for (uint64_t i = 0; i < count; i++)
        for (uint64_t at = pieces[i].offset, end = at + pieces[i].size; at < end; at += step)
            hints[at / step] = test_words(buffer + at, WORDS_IN_BITS, low, high - low);
}

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

struct words mcr_words_in(const struct mcr_extent *extent, uint64_t address, uint64_t size) {
    uint64_t offset = address - extent->address;
    struct words words = {.bytes = extent->bytes + offset, .at = -address & 7, .end = size};
    if (!(address & 7)) {
        words.hints = extent->hints;
        words.first = offset / sizeof(uint64_t);
    }
    return words;
}

struct words mcr_words_of(const struct mcr_engine *engine, uint64_t address, const uint8_t *bytes, uint64_t from,
                          uint64_t to) {
    struct words words = {.bytes = bytes, .at = from + (-(address + from) & 7), .end = to};
    const struct mcr_extent *extent = extent_of(engine, address);
    if (extent && extent->hints && extent->bytes + (address - extent->address) == bytes && !(address & 7)) {
        words.hints = extent->hints;
        words.first = (address - extent->address) / sizeof(uint64_t);
    }
    return words;
}

void mcr_words_between(struct words *words, uint64_t low, uint64_t high) {
    words->low = low;
    words->span = high - low;
}

static void ask_for(const struct words *words, uint64_t index) {
    uint64_t bits = words->hints[index / WORDS_IN_BITS + AHEAD];
    if (bits) {
        uint64_t word = (index / WORDS_IN_BITS + AHEAD) * WORDS_IN_BITS + (uint64_t)__builtin_ctzll(bits);
        __builtin_prefetch(words->bytes + (word - words->first) * sizeof(uint64_t));
    }
}

/* To the next word with its bit set, or behind the end. */
static void skip(struct words *words) {
    while (words->at < words->end) {
        uint64_t index = words->first + words->at / sizeof(uint64_t), shift = index % WORDS_IN_BITS;
        uint64_t bits = words->hints[index / WORDS_IN_BITS] >> shift;
        if (!shift)
            ask_for(words, index);
        if (bits) {
            words->at += (uint64_t)__builtin_ctzll(bits) * sizeof(uint64_t);
            return;
        }
        words->at += (WORDS_IN_BITS - shift) * sizeof(uint64_t);
    }
}

bool mcr_words_next(struct words *words, uint64_t *value) {
    for (;;) {
        if (words->hints)
            skip(words);
        if (words->at + sizeof *value > words->end)
            return false;
        *value = load_word(words->bytes + words->at);
        words->at += sizeof *value;
        if (*value - words->low < words->span)
            return true;
    }
}

/* Neighbours in one page become one: what is touched is written as whole pages. */
void mcr_touch(struct mcr_engine *engine, uint64_t address, uint64_t size) {
    const uint64_t page = 4096;
    struct mcr_touched *last = engine->touched_count ? &engine->touched[engine->touched_count - 1] : NULL;
    uint64_t start = address & -page, end = (address + size + page - 1) & -page;
    if (last && start >= last->start && start <= last->end) {
        last->end = end > last->end ? end : last->end;
    } else if (mcr_grow(engine, &engine->touched, &engine->touched_room, engine->touched_count + 1,
                        sizeof *engine->touched)) {
        engine->touched[engine->touched_count++] = (struct mcr_touched){start, end};
    }
}

void mcr_rewritten(struct mcr_engine *engine, uint64_t address, uint64_t size) {
    const struct mcr_extent *extent = extent_of(engine, address);
    mcr_touch(engine, address, size);
    if (!extent || !extent->hints)
        return;
    uint64_t first = (address - extent->address) / sizeof(uint64_t);
    uint64_t last = (address + size + sizeof(uint64_t) - 1 - extent->address) / sizeof(uint64_t);
    for (uint64_t i = first; i < last; i++)
        extent->hints[i / WORDS_IN_BITS] |= 1ull << (i % WORDS_IN_BITS);
}

const struct mcr_touched *mcr_engine_touched(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->touched_count;
    return engine->touched;
}
