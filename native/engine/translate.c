/* translate.c - where a pointer of O points in N. Source: DESIGN sections 8 and 10. */
#include "internal.h"

static uint64_t old_span(const struct mcr_op *op) {
    switch (op->code) {
    case MCR_OP_INTEGER:
    case MCR_OP_ENUM:
    case MCR_OP_REAL:
        return op->old_bytes;
    case MCR_OP_POINTER:
    case MCR_OP_CODE:
        return 8;
    case MCR_OP_LOOP:
        return (uint64_t)op->aux * op->old_stride;
    case MCR_OP_BITS:
        return ((op->aux >> 16) + op->old_bytes + 7) / 8;
    case MCR_OP_KEEP:
        return op->old_bytes ? op->length : 0;
    case MCR_OP_CHOICE: /* of a union's members the first that has something there counts */
    case MCR_OP_HANDLER:
        return 0;
    default:
        return op->length;
    }
}

/* Offsets relative to one element. Outermost aggregates come first, so a pointer to a struct that is also a pointer to
 * its first member follows the struct. */
static bool map_in_ops(const struct mcr_op *ops, uint32_t count, uint64_t offset, uint64_t *ret) {
    for (uint32_t i = 0; i < count; i++) {
        const struct mcr_op *op = &ops[i];
        uint64_t inside = offset - op->old_offset;
        bool held = offset >= op->old_offset && inside < old_span(op);
        if (op->code == MCR_OP_NESTED) {
            if (inside == 0) {
                *ret = op->new_offset;
                return true;
            }
        } else if (op->code == MCR_OP_LOOP) {
            uint64_t element = op->old_stride ? inside / op->old_stride : 0,
                     rest = op->old_stride ? inside % op->old_stride : 0;
            if (held && (rest == 0 || map_in_ops(op + 1, op->length, rest, &rest))) {
                *ret = op->new_offset + element * op->new_stride + rest;
                return true;
            }
            i += op->length;
        } else if (held && op->code != MCR_OP_DROPPED) {
            *ret = op->new_offset + inside;
            return true;
        }
    }
    return false;
}

uint32_t mcr_object_program(const struct mcr_engine *engine, const struct mcr_object *object) {
    if (object->pair != MCR_NONE)
        return engine->pairs[object->pair].program;
    return object->type == MCR_NONE ? MCR_NONE : engine->tables.type_programs[object->type];
}

bool mcr_has_tail(const struct mcr_engine *engine, const struct mcr_object *object, const struct mcr_program *program) {
    return mcr_elements(engine, object) == 1 && object->size > program->old_tail &&
           (program->tail_program != MCR_NONE || (engine->interest[object->type] & INTEREST_FLEXIBLE) ||
            (engine->tables.type_flags[object->type] & MCR_TYPE_TAIL));
}

/* An offset behind the struct: in its flexible array, in a tail of raw bytes, or one past the end. */
static bool map_in_tail(const struct mcr_engine *engine, const struct mcr_program *program, uint64_t offset,
                        uint64_t *ret) {
    *ret = program->new_tail + offset;
    if (program->tail_program == MCR_NONE)
        return true;
    const struct mcr_program *tail = &engine->tables.programs[program->tail_program];
    uint64_t inside = tail->old_size ? offset % tail->old_size : 0;
    if (!tail->old_size)
        return true;
    if (inside && !tail->identical && !map_in_ops(engine->tables.ops + tail->first, tail->count, inside, &inside))
        return false;
    *ret = program->new_tail + offset / tail->old_size * tail->new_size + inside;
    return true;
}

bool mcr_map_offset(const struct mcr_engine *engine, const struct mcr_object *object, uint64_t offset, uint64_t *ret) {
    uint32_t index = mcr_object_program(engine, object);
    *ret = offset;
    if (index == MCR_NONE || offset == 0)
        return true;
    const struct mcr_program *program = &engine->tables.programs[index];
    if (program->identical)
        return true;
    uint64_t count = mcr_elements(engine, object), element = 0;
    if (program->old_size)
        element = offset / program->old_size < count ? offset / program->old_size : count - 1;
    offset -= element * program->old_size;
    bool behind = offset >= (mcr_has_tail(engine, object, program) ? program->old_tail : program->old_size);
    if (behind && element == count - 1) {
        bool mapped = map_in_tail(engine, program, offset - program->old_tail, ret);
        *ret += element * program->new_size;
        return mapped;
    }
    if (offset != 0 && !map_in_ops(engine->tables.ops + program->first, program->count, offset, &offset))
        return false;
    *ret = element * program->new_size + offset;
    return true;
}

static enum landing land_in_object(struct mcr_engine *engine, const struct mcr_object *object, uint64_t value,
                                   uint64_t *ret) {
    uint64_t start = object->address, offset;
    if (object->flags & MCR_OBJECT_DROPPED)
        return LANDS_LOST;
    if (object->pair != MCR_NONE)
        start = engine->pairs[object->pair].new_address;
    if (start == 0 || !mcr_map_offset(engine, object, value - object->address, &offset))
        return LANDS_LOST;
    *ret = start + offset;
    return *ret == value ? LANDS_SAME : LANDS_MOVED;
}

static enum landing land_in_image(struct mcr_engine *engine, uint64_t value, uint64_t *ret) {
    const struct mcr_symbol *symbol = mcr_find_symbol(engine, value);
    if (!symbol || (symbol->kind != MCR_SYMBOL_CONSTANT && value != symbol->old_address))
        return value >= engine->tables.text_start && value < engine->tables.text_end ? LANDS_UNKNOWN : LANDS_SAME;
    if (!symbol->new_address)
        return symbol->kind == MCR_SYMBOL_CODE ? LANDS_LOST : LANDS_SAME; /* constants stay readable in the ghost */
    *ret = symbol->new_address + (value - symbol->old_address);
    return symbol->kind == MCR_SYMBOL_CODE ? LANDS_CODE : LANDS_MOVED;
}

enum landing mcr_translate(struct mcr_engine *engine, uint64_t value, uint64_t *ret) {
    *ret = value;
    if (value == 0)
        return LANDS_SAME;
    uint32_t index = mcr_find_object(engine, value);
    if (index != MCR_NONE)
        return land_in_object(engine, &engine->objects[index], value, ret);
    if (value >= engine->tables.image_start && value < engine->tables.image_end)
        return land_in_image(engine, value, ret);
    index = mcr_find_object(engine, value - 1);
    return index != MCR_NONE ? mcr_translate_end(engine, index, ret) : LANDS_UNKNOWN;
}

/* Behind the last element that O has: an array of another length in N ends elsewhere. */
static uint64_t new_end(struct mcr_engine *engine, uint32_t index) {
    const struct mcr_object *object = &engine->objects[index];
    uint32_t number = mcr_object_program(engine, object);
    if (number == MCR_NONE || engine->tables.programs[number].identical)
        return object->size;
    const struct mcr_program *program = &engine->tables.programs[number];
    const struct mcr_op *first = &engine->tables.ops[program->first];
    if (program->count && first->code == MCR_OP_LOOP && (uint64_t)first->aux * first->old_stride == object->size)
        return (uint64_t)first->aux * first->new_stride;
    return mcr_engine_new_size(engine, index);
}

enum landing mcr_translate_end(struct mcr_engine *engine, uint32_t index, uint64_t *ret) {
    const struct mcr_object *object = &engine->objects[index];
    uint64_t start = object->pair != MCR_NONE ? engine->pairs[object->pair].new_address : object->address;
    uint64_t old = object->address + object->size;
    *ret = old;
    if (!start || (object->flags & MCR_OBJECT_DROPPED))
        return LANDS_LOST;
    *ret = start + new_end(engine, index);
    return *ret == old ? LANDS_SAME : LANDS_MOVED;
}

enum landing mcr_translate_pointer(struct mcr_engine *engine, uint64_t value, uint32_t type, uint64_t *ret) {
    uint64_t tag = mcr_tag(engine, value, type);
    uint32_t index = type == MCR_NONE ? MCR_NONE : mcr_find_object(engine, value - tag);
    bool starts = index != MCR_NONE && engine->objects[index].address == value - tag;
    enum landing landing = starts && mcr_is_end(engine, index, type) ? mcr_translate_end(engine, index - 1, ret)
                                                                     : mcr_translate(engine, value - tag, ret);
    *ret += tag;
    return landing;
}

enum landing mcr_translate_opaque(struct mcr_engine *engine, uint64_t value, bool ruled, uint64_t *ret) {
    *ret = value;
    uint32_t index = mcr_find_object(engine, value);
    if (index != MCR_NONE) {
        const struct mcr_object *object = &engine->objects[index];
        uint64_t offset = value - object->address;
        bool named_start = object_kind(object) == MCR_OBJECT_GLOBAL && offset == 0;
        bool rule = ruled && object->type != MCR_NONE &&
                    mcr_type_ruled_at(engine, object->type, mcr_reduce_offset(engine, object, offset));
        return named_start || rule ? land_in_object(engine, object, value, ret) : LANDS_SAME;
    }
    if (value < engine->tables.image_start || value >= engine->tables.image_end)
        return LANDS_UNKNOWN;
    const struct mcr_symbol *symbol = mcr_find_symbol(engine, value);
    return symbol && symbol->old_address == value ? land_in_image(engine, value, ret) : LANDS_UNKNOWN;
}

uint64_t mcr_engine_translate(struct mcr_engine *engine, uint64_t value) {
    uint64_t moved;
    return mcr_translate(engine, value, &moved) == LANDS_LOST ? 0 : moved;
}
