/*
 * doubts.c - chunks of which tracing cannot tell whether they are to be converted.
 *
 * A chunk to which only void pointers lead may be an object of a struct that has another layout in N: it is suspected
 * where its size and its words fit. A chunk of such a struct that is a multiple of its size may be an array, or one
 * element with bytes behind it. Source: DESIGN section 11 (R1, R4).
 */
#include "internal.h"

/* Every pointer in an object of that type could be one; *ret counts those that lead somewhere. */
static bool could_be(const struct mcr_engine *engine, uint32_t index, const uint8_t *bytes, uint64_t *ret) {
    const struct mcr_type *type = &engine->tables.types[index];
    if (!(engine->interest[index] & INTEREST_POINTERS))
        return true;
    if (type->kind == MCR_TYPE_POINTER || type->kind == MCR_TYPE_CODE) {
        uint64_t value = load_word(bytes);
        bool leads = mcr_find_object(engine, value) != MCR_NONE ||
                     (value >= engine->tables.image_start && value < engine->tables.image_end);
        *ret += leads;
        return !value || leads;
    }
    for (uint32_t i = 0; type->kind == MCR_TYPE_STRUCT && i < type->count; i++) {
        const struct mcr_member *member = &engine->tables.members[type->first + i];
        if (!could_be(engine, member->type, bytes + member->offset, ret))
            return false;
    }
    for (uint32_t i = 0; type->kind == MCR_TYPE_ARRAY && type->count != MCR_NONE && i < type->count; i++)
        if (!could_be(engine, type->target, bytes + (uint64_t)i * engine->tables.types[type->target].size, ret))
            return false;
    return true;
}

/* One object that fills the chunk, or several that point somewhere. */
static bool may_hold(const struct mcr_engine *engine, const struct mcr_object *object, uint32_t index) {
    const struct mcr_type *type = &engine->tables.types[index];
    if (type->kind != MCR_TYPE_STRUCT || !type->size || !engine->tables.type_changed[index] ||
        object->size % type->size)
        return false;
    const uint8_t *bytes = mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, object->size);
    uint64_t leading = 0;
    for (uint64_t at = 0; bytes && at < object->size; at += type->size)
        if (!could_be(engine, index, bytes + at, &leading))
            return false;
    return bytes && (leading || object->size == type->size);
}

static void doubt_untyped(struct mcr_engine *engine, uint32_t index) {
    const uint32_t known =
        MCR_OBJECT_NEVER | MCR_OBJECT_BYTES | MCR_OBJECT_FOREIGN | MCR_OBJECT_RULED_OWNER | MCR_OBJECT_INTERIOR_TYPED;
    const struct mcr_object *object = &engine->objects[index];
    if (object->type != MCR_NONE || (object->flags & known) || !(object->flags & MCR_OBJECT_REACHED))
        return;
    for (uint32_t type = 0; type < engine->tables.type_count; type++)
        if (may_hold(engine, object, type)) {
            mcr_event_add(engine, MCR_EVENT_CHANGED_IN_OPAQUE, index, 0, type, UINT64_MAX);
            return;
        }
}

/* The older way to write a flexible array, as [1], looks like an array of the whole. */
static bool may_have_tail(const struct mcr_engine *engine, const struct mcr_object *object) {
    const struct mcr_program *program = &engine->tables.programs[mcr_object_program(engine, object)];
    if (engine->tables.type_flags[object->type] & MCR_TYPE_TAIL)
        return object->site >= engine->tables.site_count || !engine->site_tail[object->site];
    return program->old_tail != program->old_size || program->tail_program != MCR_NONE;
}

static void doubt_array(struct mcr_engine *engine, uint32_t index) {
    const struct mcr_object *object = &engine->objects[index];
    if (object->type == MCR_NONE || (object->flags & MCR_OBJECT_SETTLED) ||
        (engine->interest[object->type] & INTEREST_FLEXIBLE) || !engine->tables.type_changed[object->type] ||
        mcr_object_program(engine, object) == MCR_NONE)
        return;
    uint32_t size = engine->tables.types[object->type].size;
    if (object->size >= 2ull * size && object->size % size == 0 && may_have_tail(engine, object))
        mcr_event_add(engine, MCR_EVENT_AMBIGUOUS, index, 0, 0, 0);
}

void mcr_doubt_objects(struct mcr_engine *engine) {
    for (uint64_t i = 0; i < engine->object_count; i++) {
        if (object_kind(&engine->objects[i]) != MCR_OBJECT_CHUNK)
            continue;
        doubt_untyped(engine, (uint32_t)i);
        doubt_array(engine, (uint32_t)i);
    }
}
