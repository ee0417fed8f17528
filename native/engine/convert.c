/*
 * convert.c - one object from O's type to N's, field by field: moved, or merged with what N's start-up made.
 *
 * Three-way merge: base = O at the end of its start-up, theirs = O now, ours = N. Unchanged since base: N's value stays.
 * Changed: O's value moves, translated. Source: DESIGN sections 9 and 10.
 */
#include "internal.h"
#include <math.h>

struct place { /* where one op works */
    const uint8_t *theirs, *base, *ours;
    uint8_t *out;
    uint64_t old_offset, new_offset; /* in the object's element */
};

static const uint8_t zeros[4096];

static uint64_t load_integer(const uint8_t *bytes, uint32_t size, bool is_signed) {
    uint64_t value = 0;
    memcpy(&value, bytes, size);
    uint32_t unused = 64 - size * 8;
    return is_signed && unused ? (uint64_t)((int64_t)(value << unused) >> unused) : value;
}

/* Whether a number of 64 bits has an equal in its new form. */
static bool fits(uint64_t value, const struct mcr_op *op, uint32_t bits) {
    bool negative = (op->flags & MCR_OPFLAG_SIGNED) && (int64_t)value < 0;
    if (op->flags & MCR_OPFLAG_KEEP_OLD)
        return true; /* the user wants it as C converts it */
    if (op->flags & MCR_OPFLAG_BOOLEAN)
        return value <= 1;
    if (!(op->flags & MCR_OPFLAG_NEW_SIGNED))
        return !negative && (bits >= 64 || value >> bits == 0);
    uint64_t limit = 1ull << (bits - 1);
    return negative ? value >= -limit : value < limit;
}

/* Base bytes, zero where the object did not reach so far; `length` <= sizeof zeros or wholly inside. */
static const uint8_t *base_at(const struct conversion *c, uint64_t offset, uint64_t length) {
    if (!c->base)
        return NULL;
    if (offset + length <= c->base_size)
        return c->base + offset;
    return length <= sizeof zeros ? zeros : NULL;
}

static struct place place_of(const struct conversion *c, uint64_t old_offset, uint64_t new_offset, uint64_t length) {
    return (struct place){c->theirs + old_offset,
                          base_at(c, old_offset, length),
                          c->ours ? c->ours + new_offset : NULL,
                          c->out + new_offset,
                          old_offset,
                          new_offset};
}

static bool inside(const struct conversion *c, uint64_t old_end, uint64_t new_end) {
    return old_end <= c->theirs_size && new_end <= c->out_size;
}

/* Both sides changed it, but N's value is the one that fits what N has (growth.c). */
static bool keeps_own(const struct mcr_engine *engine, const struct conversion *c, const struct place *at,
                      uint64_t length, bool is_pointer) {
    const struct mcr_object *object = &engine->objects[c->object];
    uint64_t offset = c->object_offset + at->old_offset;
    if (is_pointer && length == 8 && at->ours && load_word(at->ours))
        return mcr_growth_is_own_slot(engine, object, offset);
    return length == 4 && mcr_growth_is_length(engine, object->address + offset);
}

/* O's start-up has put an address of the program there, and it has stayed: N's has put its own. */
static bool is_constant(const struct mcr_engine *engine, const struct place *at, uint64_t length) {
    if (!at->base || !at->ours || length != 8)
        return false;
    uint64_t theirs = load_word(at->theirs);
    return theirs == load_word(at->base) && mcr_is_in_image(engine, theirs);
}

/* Whether O's value is to move; keeps the books of the merge. `differs`: N's value is not what base became. */
static bool decide(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op, const struct place *at,
                   uint64_t length, bool differs, bool is_pointer) {
    if (op->flags & MCR_OPFLAG_KEEP_NEW)
        return false;
    bool old_wins = (engine->objects[c->object].flags & MCR_OBJECT_OLD_WINS) && !is_constant(engine, at, length);
    if (!at->base || (op->flags & MCR_OPFLAG_KEEP_OLD) || old_wins)
        return true;
    engine->statistics.merged_fields++;
    if (is_pointer && differs && mcr_structures_lead(engine, load_word(at->theirs), load_word(at->ours)))
        return true;
    if (memcmp(at->theirs, at->base, length) == 0) {
        c->all_kept += differs;
        if (differs && !is_pointer) {
            engine->statistics.kept_new++;
            if (c->kept_offset == UINT64_MAX)
                c->kept_offset = c->object_offset + at->old_offset;
        }
        return false;
    }
    if (differs && keeps_own(engine, c, at, length, is_pointer))
        return false;
    engine->statistics.taken_old++;
    c->taken += !is_pointer;
    c->all_taken++;
    if (differs) {
        engine->statistics.both_changed++;
        mcr_event_add(engine, MCR_EVENT_BOTH_CHANGED, c->object, c->object_offset + at->old_offset, is_pointer,
                      at->ours && length >= 8 ? load_word(at->ours) : 0);
    }
    return true;
}

static void convert_data(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op,
                         const struct place *at) {
    bool differs = at->base && at->ours && memcmp(at->ours, at->base, op->length) != 0;
    if (decide(engine, c, op, at, op->length, differs, false))
        memcpy(at->out, at->theirs, op->length);
}

static void check_range(struct mcr_engine *engine, const struct conversion *c, const struct mcr_op *op,
                        const struct place *at, uint32_t bits, uint64_t value) {
    if (!fits(value, op, bits))
        mcr_event_add(engine, MCR_EVENT_OUT_OF_RANGE, c->object, c->object_offset + at->old_offset, bits, value);
}

/* 0 in a field that was never set is no constant of some enums. */
static uint64_t map_enum(struct mcr_engine *engine, const struct conversion *c, const struct mcr_op *op,
                         const struct place *at, uint32_t first, uint64_t value) {
    const struct mcr_enum_entry *entries = engine->tables.enums + first;
    for (uint32_t i = 0; i < op->length; i++)
        if ((uint64_t)entries[i].old_value == value)
            return (uint64_t)entries[i].new_value;
    if (value && !(op->flags & MCR_OPFLAG_KEEP_OLD))
        mcr_event_add(engine, MCR_EVENT_UNKNOWN_ENUM, c->object, c->object_offset + at->old_offset, 0, value);
    return value;
}

static void convert_integer(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op,
                            const struct place *at) {
    bool is_signed = op->flags & MCR_OPFLAG_SIGNED;
    uint64_t theirs = load_integer(at->theirs, op->old_bytes, is_signed);
    uint64_t base = at->base ? load_integer(at->base, op->old_bytes, is_signed) : 0;
    uint64_t ours = at->ours ? load_integer(at->ours, op->new_bytes, is_signed) : 0;
    if ((op->flags & MCR_OPFLAG_COUNTER) && at->base && at->ours) {
        theirs += ours - base;
        memcpy(at->out, &theirs, op->new_bytes);
        return;
    }
    if (!decide(engine, c, op, at, op->old_bytes, at->base && at->ours && ours != base, false))
        return;
    if (op->code == MCR_OP_ENUM)
        theirs = map_enum(engine, c, op, at, op->aux, theirs);
    check_range(engine, c, op, at, op->new_bytes * 8u, theirs);
    memcpy(at->out, &theirs, op->new_bytes);
}

static double load_real(const uint8_t *bytes, uint32_t size) {
    float narrow;
    double wide;
    memcpy(&narrow, bytes, sizeof narrow);
    if (size == sizeof narrow)
        return (double)narrow;
    memcpy(&wide, bytes, sizeof wide);
    return wide;
}

/* O's number, which may be an integer, as N's float or double. */
static double make_real(const uint8_t *bytes, const struct mcr_op *op) {
    if (op->aux)
        return load_real(bytes, op->old_bytes);
    uint64_t value = load_integer(bytes, op->old_bytes, op->flags & MCR_OPFLAG_SIGNED);
    return op->flags & MCR_OPFLAG_SIGNED ? (double)(int64_t)value : (double)value;
}

static void convert_real(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op,
                         const struct place *at) {
    double theirs = make_real(at->theirs, op), base = at->base ? make_real(at->base, op) : 0;
    bool differs = at->base && at->ours && load_real(at->ours, op->new_bytes) != base;
    if (!decide(engine, c, op, at, op->old_bytes, differs, false))
        return;
    float narrow = (float)theirs;
    if (op->new_bytes == sizeof narrow && isfinite(theirs) && !isfinite(narrow))
        mcr_event_add(engine, MCR_EVENT_OUT_OF_RANGE, c->object, c->object_offset + at->old_offset, 32,
                      load_word(at->theirs));
    memcpy(at->out, op->new_bytes == sizeof narrow ? (void *)&narrow : (void *)&theirs, op->new_bytes);
}

static uint64_t load_bits(const uint8_t *bytes, uint32_t bit, uint32_t width, bool is_signed) {
    uint64_t value = 0;
    memcpy(&value, bytes, (bit + width + 7) / 8 > 8 ? 8 : (bit + width + 7) / 8);
    value = value >> bit << (64 - width);
    return is_signed ? (uint64_t)((int64_t)value >> (64 - width)) : value >> (64 - width);
}

static void store_bits(uint8_t *bytes, uint32_t bit, uint32_t width, uint64_t value) {
    uint64_t word = 0, mask = (width >= 64 ? UINT64_MAX : (1ull << width) - 1) << bit;
    size_t size = (bit + width + 7) / 8 > 8 ? 8 : (bit + width + 7) / 8;
    memcpy(&word, bytes, size);
    word = (word & ~mask) | (value << bit & mask);
    memcpy(bytes, &word, size);
}

static void convert_bits(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op,
                         const struct place *at) {
    uint32_t old_bit = op->aux >> 16, new_bit = op->aux & 0xffff;
    bool is_signed = op->flags & MCR_OPFLAG_SIGNED, now_signed = op->flags & MCR_OPFLAG_NEW_SIGNED;
    uint64_t theirs = load_bits(at->theirs, old_bit, op->old_bytes, is_signed);
    uint64_t base = at->base ? load_bits(at->base, old_bit, op->old_bytes, is_signed) : 0;
    uint64_t ours = at->ours ? load_bits(at->ours, new_bit, op->new_bytes, now_signed) : 0;
    uint8_t old_word[8] = {0}, base_word[8] = {0};
    memcpy(old_word, &theirs, 8);
    memcpy(base_word, &base, 8);
    struct place whole = *at;
    whole.theirs = old_word;
    whole.base = at->base ? base_word : NULL;
    whole.ours = NULL;
    if (!decide(engine, c, op, &whole, 8, at->base && at->ours && ours != base, false))
        return;
    if (op->length)
        theirs = map_enum(engine, c, op, at, op->old_stride, theirs);
    check_range(engine, c, op, at, op->new_bytes, theirs);
    store_bits(at->out, new_bit, op->new_bytes, theirs);
}

/* Tags that an annotation tells of are the program's own and stay. */
static enum landing translate_tagged(struct mcr_engine *engine, uint64_t value, uint64_t tags, uint32_t type,
                                     uint64_t *ret) {
    enum landing landing = mcr_translate_pointer(engine, value & ~tags, type, ret);
    *ret |= value & tags;
    return landing;
}

/* A pointer that may mean an object or the end of the array before it. */
static void check_end(struct mcr_engine *engine, const struct conversion *c, const struct place *at, uint64_t value,
                      uint32_t type) {
    uint32_t index = type == MCR_NONE ? MCR_NONE : mcr_find_object(engine, value);
    if (index != MCR_NONE && engine->objects[index].address == value && mcr_is_ambiguous(engine, index, type))
        mcr_event_add(engine, MCR_EVENT_AMBIGUOUS, c->object, c->object_offset + at->old_offset, value, 0);
}

static void convert_pointer(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op,
                            const struct place *at) {
    uint64_t tags = (uint64_t)op->aux << 32 | op->length, theirs = load_word(at->theirs), moved, base_moved = 0;
    uint32_t type = op->code == MCR_OP_POINTER ? op->old_stride : MCR_NONE;
    enum landing landing = translate_tagged(engine, theirs, tags, type, &moved);
    if (at->base && at->ours)
        translate_tagged(engine, load_word(at->base), tags, type, &base_moved);
    bool differs = at->base && at->ours && load_word(at->ours) != base_moved && load_word(at->ours) != moved;
    if (!decide(engine, c, op, at, 8, differs, true))
        return;
    if (landing == LANDS_LOST)
        mcr_event_add(engine, MCR_EVENT_LOST_POINTER, c->object, c->object_offset + at->old_offset, theirs & ~tags, 0);
    check_end(engine, c, at, theirs & ~tags, type);
    engine->statistics.translated += moved != theirs;
    store_word(at->out, moved);
}

/* A word of which one half is a table's length. */
static void convert_halves(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op,
                           const struct place *at) {
    struct mcr_op half = *op;
    half.length = 4;
    for (uint64_t i = 0; i < 8; i += 4) {
        struct place piece = {at->theirs + i,
                              at->base ? at->base + i : NULL,
                              at->ours ? at->ours + i : NULL,
                              at->out + i,
                              at->old_offset + i,
                              at->new_offset + i};
        convert_data(engine, c, &half, &piece);
    }
}

/* All three versions of the word point to what is one object, whatever else O or N did about its place. */
static bool is_same_object(const struct mcr_engine *engine, const struct place *at) {
    uint64_t theirs = load_word(at->theirs);
    uint32_t index = at->base && at->ours ? mcr_find_object(engine, theirs) : MCR_NONE;
    if (index == MCR_NONE || engine->objects[index].address != theirs || engine->objects[index].pair == MCR_NONE)
        return false;
    const struct mcr_pair *pair = &engine->pairs[engine->objects[index].pair];
    return pair->merges && pair->base_size && load_word(at->base) == pair->base_address &&
           load_word(at->ours) == pair->new_address;
}

static void convert_word(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op,
                         const struct place *at) {
    uint64_t address = engine->objects[c->object].address + c->object_offset + at->old_offset;
    if (mcr_growth_is_length(engine, address) || mcr_growth_is_length(engine, address + 4)) {
        convert_halves(engine, c, op, at);
        return;
    }
    uint64_t theirs = load_word(at->theirs), moved, base_moved = 0;
    mcr_translate_opaque(engine, theirs, c->ruled || (op->flags & MCR_OPFLAG_RULED), &moved);
    if (at->base && at->ours)
        mcr_translate_opaque(engine, load_word(at->base), c->ruled || (op->flags & MCR_OPFLAG_RULED), &base_moved);
    if (is_same_object(engine, at))
        moved = load_word(at->ours);
    bool differs = at->base && at->ours && load_word(at->ours) != base_moved && load_word(at->ours) != moved;
    if (!decide(engine, c, op, at, 8, differs, true))
        return;
    engine->statistics.translated += moved != theirs;
    store_word(at->out, moved);
}

/* Words from here on that are as they were at the base: N's own stay, unless they may lead into what is taken from O. */
static uint64_t count_unchanged(const struct mcr_engine *engine, const struct conversion *c, const struct mcr_op *op,
                                uint64_t offset, uint64_t length) {
    const uint64_t step = 64;
    uint64_t same = 0;
    if (!c->base || op->flags & MCR_OPFLAG_KEEP_OLD || engine->statistics.old_structures)
        return 0;
    while (same + step <= length && offset + same + step <= c->base_size &&
           memcmp(c->theirs + offset + same, c->base + offset + same, step) == 0)
        same += step;
    return same / 8;
}

/* Opaque bytes: whole aligned words, and single bytes at the edges. */
static void convert_words(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op, uint64_t old_offset,
                          uint64_t new_offset) {
    for (uint64_t done = 0; done < op->length;) {
        uint64_t step = 8 - ((old_offset + done) & 7);
        if (step > op->length - done)
            step = op->length - done;
        uint64_t unchanged = step == 8 ? count_unchanged(engine, c, op, old_offset + done, op->length - done) : 0;
        if (unchanged) {
            engine->statistics.merged_fields += unchanged;
            done += unchanged * 8;
            continue;
        }
        struct place at = place_of(c, old_offset + done, new_offset + done, step);
        struct mcr_op piece = *op;
        piece.length = (uint32_t)step;
        if (step == 8)
            convert_word(engine, c, &piece, &at);
        else
            convert_data(engine, c, &piece, &at);
        done += step;
    }
}

static bool any(const uint8_t *bytes, const uint8_t *base, uint64_t length) {
    for (uint64_t i = 0; i < length; i++)
        if (base ? bytes[i] != base[i] : bytes[i] != 0)
            return true;
    return false;
}

static void drop(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op, uint64_t old_offset) {
    const uint8_t *base = base_at(c, old_offset, op->length);
    if (any(c->theirs + old_offset, base, op->length))
        mcr_event_add(engine, MCR_EVENT_DROPPED_FIELD, c->object, c->object_offset + old_offset, op->aux, 0);
}

static void run(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *ops, uint32_t count,
                uint64_t old_start, uint64_t new_start);

static void run_one(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op, uint64_t old_offset,
                    uint64_t new_offset) {
    uint64_t old_length = op->length, new_length = op->length;
    if (op->code == MCR_OP_INTEGER || op->code == MCR_OP_ENUM || op->code == MCR_OP_REAL)
        old_length = op->old_bytes, new_length = op->new_bytes;
    else if (op->code == MCR_OP_POINTER || op->code == MCR_OP_CODE)
        old_length = new_length = 8;
    else if (op->code == MCR_OP_BITS)
        old_length = ((op->aux >> 16) + op->old_bytes + 7) / 8,
        new_length = ((op->aux & 0xffff) + op->new_bytes + 7) / 8;
    if (!inside(c, old_offset + old_length, op->code == MCR_OP_DROPPED ? 0 : new_offset + new_length))
        return;
    struct place at = place_of(c, old_offset, new_offset, old_length);
    switch (op->code) {
    case MCR_OP_DATA:
    case MCR_OP_WORDS:
        convert_data(engine, c, op, &at);
        break;
    case MCR_OP_INTEGER:
    case MCR_OP_ENUM:
        convert_integer(engine, c, op, &at);
        break;
    case MCR_OP_REAL:
        convert_real(engine, c, op, &at);
        break;
    case MCR_OP_BITS:
        convert_bits(engine, c, op, &at);
        break;
    case MCR_OP_POINTER:
    case MCR_OP_CODE:
        convert_pointer(engine, c, op, &at);
        break;
    case MCR_OP_OPAQUE:
        convert_words(engine, c, op, old_offset, new_offset);
        break;
    case MCR_OP_DROPPED:
        drop(engine, c, op, old_offset);
        break;
    default:
        break;
    }
}

static void run(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *ops, uint32_t count,
                uint64_t old_start, uint64_t new_start) {
    for (uint32_t i = 0; i < count; i++) {
        const struct mcr_op *op = &ops[i];
        uint64_t old_offset = old_start + op->old_offset, new_offset = new_start + op->new_offset;
        if (op->code == MCR_OP_NESTED || (op->flags & MCR_OPFLAG_HANDLED)) {
            i += op->code == MCR_OP_LOOP ? op->length : 0;
            continue;
        }
        if (op->code == MCR_OP_CHOICE) {
            if (mcr_is_chosen(engine, c, op, old_offset)) {
                run(engine, c, op + 1, op->length, old_start, new_start);
                i += op->old_stride;
            }
            i += op->length;
            continue;
        }
        if (op->code == MCR_OP_HANDLER) {
            mcr_handle(engine, c, op, old_offset, new_offset);
            continue;
        }
        if (op->code == MCR_OP_KEEP) { /* where N has nothing, a lock moves as it is */
            if (op->old_bytes && !c->ours && inside(c, old_offset + op->length, new_offset + op->length))
                memmove(c->out + new_offset, c->theirs + old_offset, op->length);
            continue;
        }
        if (op->code != MCR_OP_LOOP) {
            run_one(engine, c, op, old_offset, new_offset);
            continue;
        }
        for (uint32_t n = 0; n < op->aux; n++) {
            uint64_t from = old_offset + (uint64_t)n * op->old_stride, taken = c->all_taken, kept = c->all_kept;
            run(engine, c, op + 1, op->length, from, new_offset + (uint64_t)n * op->new_stride);
            if (c->all_taken != taken && c->all_kept != kept)
                mcr_event_add(engine, MCR_EVENT_ELEMENT, c->object, c->object_offset + from, 0, 0);
        }
        i += op->length;
    }
}

void mcr_convert_ops(struct mcr_engine *engine, struct conversion *conversion, uint32_t first, uint32_t count,
                     uint64_t old_offset, uint64_t new_offset) {
    run(engine, conversion, engine->tables.ops + first, count, old_offset, new_offset);
}

void mcr_convert(struct mcr_engine *engine, uint32_t program, struct conversion *conversion) {
    const struct mcr_program *one = &engine->tables.programs[program];
    run(engine, conversion, engine->tables.ops + one->first, one->count, 0, 0);
}

void mcr_convert_opaque(struct mcr_engine *engine, struct conversion *conversion, uint64_t old_offset,
                        uint64_t new_offset, uint64_t length) {
    struct mcr_op op = {.code = conversion->text ? MCR_OP_WORDS : MCR_OP_OPAQUE, .length = UINT32_MAX & ~7u};
    while (length) {
        if (length < op.length)
            op.length = (uint32_t)length;
        convert_words(engine, conversion, &op, old_offset, new_offset);
        old_offset += op.length, new_offset += op.length, length -= op.length;
    }
}

void mcr_fix_words(struct mcr_engine *engine, uint8_t *bytes, uint64_t address, uint64_t size, bool ruled) {
    uint64_t low = engine->tables.image_start, high = engine->tables.image_end, value, moved;
    if (ruled) {
        low = low < engine->low ? low : engine->low;
        high = high > engine->high ? high : engine->high;
    }
    struct words words = mcr_words_of(engine, address, bytes, 0, size);
    mcr_words_between(&words, low, high);
    while (mcr_words_next(&words, &value)) {
        if (mcr_translate_opaque(engine, value, ruled, &moved) == LANDS_UNKNOWN || moved == value)
            continue;
        mcr_words_replace(engine, &words, address, moved);
        engine->statistics.translated++;
    }
}
