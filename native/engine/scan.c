/*
 * scan.c - mutable tracing, the conservative part: likely pointers in opaque bytes.
 *
 * The target of a likely pointer is immutable and, if the pointer is interior, nonupdatable; its holder is nonupdatable.
 * Large memories are scanned by two threads, each of which keeps its own books: O stands still meanwhile.
 * Source: seed, "conservative tracing"; DESIGN section 8.
 */
#include "internal.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { MUCH = 16 << 20 }; /* bytes from which on a second thread pays */

struct scanner {
    const struct mcr_engine *engine;
    uint64_t from, to; /* objects */
    struct effect *effects;
    uint64_t likely_pointers, ruled_pointers;
    uint64_t likely[MCR_PLACES][MCR_PLACES];
};

struct scan {
    uint32_t holder;
    uint64_t address;
    const uint8_t *theirs;
    const uint8_t *base; /* words equal to it stay N's own when the holder is merged: they hold nothing of O's */
    uint64_t base_size;
    bool ruled;
};

/* Nothing that a further likely pointer says of it would be new. */
static bool is_fully_held(const struct mcr_object *object, const struct effect *effect) {
    const uint32_t all = MCR_OBJECT_IMMUTABLE | MCR_OBJECT_NONUPDATABLE;
    return (effect->flags & all) == all && object->type == MCR_NONE && object->pair == MCR_NONE;
}

static void likely(struct scanner *scanner, const struct scan *scan, uint64_t value) {
    const struct mcr_engine *engine = scanner->engine;
    uint32_t index = mcr_find_object(engine, value);
    if (index == MCR_NONE)
        return;
    const struct mcr_object *target = &engine->objects[index];
    struct effect *effect = &scanner->effects[index], *own = &scanner->effects[scan->holder];
    uint64_t offset = value - target->address, mapped;
    if (!(effect->flags & MCR_OBJECT_REACHED))
        effect->flags |= MCR_OBJECT_REACHED, effect->parent = scan->holder;
    if (scan->ruled && target->type != MCR_NONE &&
        mcr_type_ruled_at(engine, target->type, mcr_reduce_offset(engine, target, offset))) {
        scanner->ruled_pointers++;
        return;
    }
    scanner->likely_pointers++;
    scanner->likely[object_place(&engine->objects[scan->holder])][object_place(target)]++;
    own->flags |= MCR_OBJECT_NONUPDATABLE;
    if (is_fully_held(target, effect))
        return;
    if (!(effect->flags & MCR_OBJECT_IMMUTABLE))
        effect->holder = scan->holder;
    effect->flags |= MCR_OBJECT_IMMUTABLE | (offset ? MCR_OBJECT_NONUPDATABLE : 0);
    if (!mcr_map_offset(engine, target, offset, &mapped) || mapped != offset)
        effect->flags |= MCR_OBJECT_HELD_INSIDE;
}

static bool is_as_at_base(const struct scan *scan, uint64_t offset, uint64_t value) {
    return offset + 8 <= scan->base_size && load_word(scan->base + offset) == value;
}

static void scan_words(struct scanner *scanner, const struct scan *scan, uint64_t offset, uint64_t length) {
    const struct mcr_engine *engine = scanner->engine;
    struct words words = mcr_words_of(engine, scan->address, scan->theirs, offset, offset + length);
    mcr_words_between(&words, engine->low, engine->high);
    for (uint64_t value; mcr_words_next(&words, &value);) {
        if (scan->base && is_as_at_base(scan, mcr_words_offset(&words), value))
            continue;
        likely(scanner, scan, value);
    }
}

static void scan_type(struct scanner *scanner, const struct scan *scan, uint32_t index, uint64_t offset,
                      uint64_t limit) {
    const struct mcr_engine *engine = scanner->engine;
    if (!(engine->interest[index] & INTEREST_SCAN))
        return;
    const struct mcr_type *type = &engine->tables.types[index];
    struct scan inner = *scan;
    inner.ruled |= (engine->tables.type_flags[index] & MCR_TYPE_RULED) != 0;
    if (engine->interest[index] & INTEREST_WORDS) {
        scan_words(scanner, &inner, offset, type->size < limit ? type->size : limit);
        return;
    }
    switch (type->kind) {
    case MCR_TYPE_CHOICE:
        scan_type(scanner, &inner, mcr_choose(engine, index, MCR_NONE, scan->theirs + offset), offset, limit);
        break;
    case MCR_TYPE_STRUCT:
        for (uint32_t i = 0; i < type->count; i++) {
            const struct mcr_member *member = &engine->tables.members[type->first + i];
            if (member->offset < limit)
                scan_type(scanner, &inner, member->type, offset + member->offset, limit - member->offset);
        }
        break;
    case MCR_TYPE_ARRAY: {
        uint64_t size = engine->tables.types[type->target].size;
        uint64_t count = size ? limit / size : 0;
        if (type->count != MCR_NONE && type->count < count)
            count = type->count;
        if (engine->interest[type->target] & INTEREST_WORDS) {
            scan_words(scanner, &inner, offset, count * size);
            break;
        }
        for (uint64_t i = 0; i < count; i++)
            scan_type(scanner, &inner, type->target, offset + i * size, size);
        break;
    }
    default:
        break;
    }
}

static void scan_object(struct scanner *scanner, uint32_t index) {
    const struct mcr_engine *engine = scanner->engine;
    const struct mcr_object *object = &engine->objects[index];
    if (object->flags & MCR_OBJECT_NEVER)
        return;
    struct scan scan = {.holder = index, .address = object->address, .ruled = object->flags & MCR_OBJECT_RULED_OWNER};
    scan.theirs = mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, object->size);
    if (!scan.theirs)
        return;
    if (object->pair != MCR_NONE && engine->pairs[object->pair].merges) {
        const struct mcr_pair *pair = &engine->pairs[object->pair];
        scan.base = mcr_image_at(engine, MCR_IMAGE_BASE, pair->base_address, pair->base_size);
        scan.base_size = scan.base ? pair->base_size : 0;
    }
    if (object->type == MCR_NONE) {
        scan_words(scanner, &scan, 0, mcr_bytes_in_use(object));
        return;
    }
    uint32_t count = mcr_elements_in_use(engine, object), size = engine->tables.types[object->type].size;
    bool others = object->flags & MCR_OBJECT_HOLDS_OTHERS; /* behind it, whatever its last member is */
    bool open_ended = (engine->interest[object->type] & INTEREST_FLEXIBLE) && !others;
    uint64_t total = mcr_bytes_in_use(object);
    for (uint32_t i = 0; i < count && engine->interest[object->type] & INTEREST_SCAN; i++)
        scan_type(scanner, &scan, object->type, (uint64_t)i * size, open_ended ? total : size);
    if (!open_ended && !mcr_is_settling(engine, object->type) && (uint64_t)count * size < total)
        scan_words(scanner, &scan, (uint64_t)count * size, total - (uint64_t)count * size);
}

static void *scan_part(void *argument) {
    struct scanner *scanner = argument;
    for (uint64_t i = scanner->from; i < scanner->to; i++)
        scan_object(scanner, (uint32_t)i);
    return NULL;
}

/* What was reached, and who held it, first counts. The books are empty again afterwards. */
static void apply(struct mcr_engine *engine, const struct scanner *scanner) {
    for (uint64_t i = 0; i < engine->object_count; i++) {
        struct effect *effect = &scanner->effects[i];
        struct mcr_object *object = &engine->objects[i];
        if (effect->flags & ~object->flags & MCR_OBJECT_REACHED)
            object->parent = effect->parent;
        if ((effect->flags & MCR_OBJECT_IMMUTABLE) && object->holder == MCR_NONE)
            object->holder = effect->holder;
        object->flags |= effect->flags;
        *effect = (struct effect){0};
    }
    engine->statistics.likely_pointers += scanner->likely_pointers;
    engine->statistics.pointers += scanner->ruled_pointers;
    for (int from = 0; from < MCR_PLACES; from++)
        for (int to = 0; to < MCR_PLACES; to++)
            engine->statistics.likely[from][to] += scanner->likely[from][to];
}

/* The first object of the second half of the bytes. */
static uint64_t find_middle(const struct mcr_engine *engine) {
    uint64_t total = 0, passed = 0, i = 0;
    for (uint64_t k = 0; k < engine->object_count; k++)
        total += engine->objects[k].size;
    for (; i < engine->object_count && total >= MUCH && passed < total / 2; i++)
        passed += engine->objects[i].size;
    return i;
}

struct effect *mcr_effects(struct mcr_engine *engine, uint64_t objects) {
    if (2 * objects + 1 <= engine->effect_room)
        return engine->effects;
    mcr_unmap(engine->effects, engine->effect_room, sizeof *engine->effects);
    engine->effects = mcr_zeroed(2 * objects + 1, sizeof *engine->effects);
    engine->effect_room = engine->effects ? 2 * objects + 1 : 0;
    return engine->effects;
}

void mcr_scan_objects(struct mcr_engine *engine) {
    uint64_t count = engine->object_count, middle = find_middle(engine);
    struct effect *effects = mcr_effects(engine, count);
    struct scanner first = {.engine = engine, .to = middle, .effects = effects};
    struct scanner second = {.engine = engine, .from = middle, .to = count, .effects = effects + count};
    pthread_t thread;
    if (!effects) {
        engine->failure = -ENOMEM;
        return;
    }
    bool beside = middle && pthread_create(&thread, NULL, scan_part, &first) == 0;
    scan_part(&second);
    if (beside)
        pthread_join(thread, NULL);
    else
        scan_part(&first);
    apply(engine, &first);
    apply(engine, &second);
}
