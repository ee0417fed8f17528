/*
 * ends.c - typed pointers whose value alone does not say what they lead to: one past the end of an array (C11 6.5.6p8),
 * which may be the start of what stands behind it, and pointers that carry a tag in their lowest bits.
 */
#include "internal.h"
#include <stdlib.h>

uint64_t mcr_tag(const struct mcr_engine *engine, uint64_t value, uint32_t type) {
    return type == MCR_NONE ? 0 : value & (engine->tables.types[type].alignment - 1ull);
}

/* Characters and bytes lie anywhere; a pointer to them says nothing of where it leads. */
static bool tells(const struct mcr_engine *engine, uint32_t type) {
    return type != MCR_NONE && engine->tables.types[type].size > 1 && !mcr_is_settling(engine, type);
}

static const struct mcr_object *object_before(const struct mcr_engine *engine, uint32_t index) {
    const struct mcr_object *before = index ? &engine->objects[index - 1] : NULL;
    return before && before->address + before->size == engine->objects[index].address ? before : NULL;
}

/* The last bytes of the object are an element of `type`. */
static bool ends_with(const struct mcr_engine *engine, const struct mcr_object *object, uint32_t type) {
    uint64_t size = engine->tables.types[type].size;
    if (object->type == MCR_NONE || !size || object->size < size)
        return false;
    return mcr_type_holds(engine, object->type, mcr_reduce_offset(engine, object, object->size - size), type);
}

static bool begins_with(const struct mcr_engine *engine, const struct mcr_object *object, uint32_t type) {
    return object->type != MCR_NONE && mcr_type_holds(engine, object->type, 0, type);
}

bool mcr_may_be_end(const struct mcr_engine *engine, uint32_t object, uint32_t type) {
    const struct mcr_object *before = tells(engine, type) ? object_before(engine, object) : NULL;
    if (!before || begins_with(engine, &engine->objects[object], type))
        return false;
    bool unknown = before->type == MCR_NONE && object_kind(before) == MCR_OBJECT_CHUNK;
    return unknown || ends_with(engine, before, type);
}

static int compare_ends(const void *left, const void *right) {
    const struct end *a = left, *b = right;
    return a->object != b->object ? (a->object < b->object ? -1 : 1) : 0;
}

/* Whether a pointer that is not settled says that the object is of this type. */
static bool is_pending(const struct mcr_engine *engine, uint32_t object, uint32_t type) {
    uint64_t low = 0, high = engine->end_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (engine->ends[middle].object < object)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < engine->end_count && engine->ends[low].object == object; low++)
        if (engine->ends[low].type == type)
            return true;
    return false;
}

void mcr_find_disputes(struct mcr_engine *engine) {
    struct end *ends = engine->ends;
    qsort(ends, engine->end_count, sizeof *ends, compare_ends);
    for (uint64_t first = 0, next; first < engine->end_count; first = next) {
        bool disputed = false;
        for (next = first; next < engine->end_count && ends[next].object == ends[first].object; next++)
            disputed |= ends[next].type != ends[first].type;
        for (uint64_t i = first; i < next; i++)
            ends[i].disputed = disputed || ends_with(engine, &engine->objects[ends[i].object - 1], ends[i].type) ||
                               is_pending(engine, ends[i].object - 1, ends[i].type);
    }
}

bool mcr_is_end(const struct mcr_engine *engine, uint32_t object, uint32_t type) {
    const struct mcr_object *before = tells(engine, type) ? object_before(engine, object) : NULL;
    return before && !begins_with(engine, &engine->objects[object], type) && ends_with(engine, before, type);
}

/* More than one element of `type`. A pointer to what stands behind a single one is rather no end. */
static bool is_array(const struct mcr_engine *engine, const struct mcr_object *object, uint32_t type) {
    return ends_with(engine, object, type) && object->size >= 2ull * engine->tables.types[type].size &&
           mcr_type_holds(engine, object->type,
                          mcr_reduce_offset(engine, object, object->size - 2ull * engine->tables.types[type].size),
                          type);
}

bool mcr_is_ambiguous(struct mcr_engine *engine, uint32_t object, uint32_t type) {
    const struct mcr_object *before = tells(engine, type) ? object_before(engine, object) : NULL;
    if (!before || !is_array(engine, before, type) || !begins_with(engine, &engine->objects[object], type))
        return false;
    uint64_t as_end, as_start;
    mcr_translate_end(engine, object - 1, &as_end);
    mcr_translate(engine, engine->objects[object].address, &as_start);
    return as_end != as_start;
}
