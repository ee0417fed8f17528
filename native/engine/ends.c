/*
 * ends.c - typed pointers whose value alone does not say what they lead to: one past the end of an array (C11 6.5.6p8),
 * which may be the start of what stands behind it, and pointers that carry a tag in their lowest bits.
 */
#include "internal.h"

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
