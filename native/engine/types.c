/* types.c - questions about data type tags. */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>

static uint8_t learn(struct mcr_engine *engine, uint32_t index);

/* Whether members that are nothing but words fill the whole struct. */
static bool is_filled_with_words(struct mcr_engine *engine, const struct mcr_type *type) {
    uint64_t covered = 0;
    for (uint32_t i = 0; i < type->count; i++) {
        const struct mcr_member *member = &engine->tables.members[type->first + i];
        if (member->offset != covered || !(learn(engine, member->type) & INTEREST_WORDS))
            return false;
        covered += engine->tables.types[member->type].size;
    }
    return type->count && covered == type->size;
}

/* What walking an object of this type could find. Types nest only through members and elements, so this ends. */
static uint8_t learn(struct mcr_engine *engine, uint32_t index) {
    const struct mcr_type *type = &engine->tables.types[index];
    if (engine->interest[index] & INTEREST_KNOWN)
        return engine->interest[index];
    uint8_t found = INTEREST_KNOWN;
    switch (type->kind) {
    case MCR_TYPE_POINTER:
    case MCR_TYPE_CODE:
        found |= INTEREST_POINTERS;
        break;
    case MCR_TYPE_WORDS:
    case MCR_TYPE_OPAQUE:
        found |= INTEREST_SCAN | INTEREST_WORDS;
        break;
    case MCR_TYPE_STRUCT:
        for (uint32_t i = 0; i < type->count; i++)
            found |= learn(engine, engine->tables.members[type->first + i].type) & ~INTEREST_WORDS;
        if (is_filled_with_words(engine, type))
            found |= INTEREST_WORDS;
        break;
    case MCR_TYPE_ARRAY:
        found |= learn(engine, type->target);
        if (type->count == MCR_NONE)
            found = (found | INTEREST_FLEXIBLE) & ~INTEREST_WORDS;
        break;
    case MCR_TYPE_CHOICE:
        for (uint32_t i = 0; i < type->count; i++)
            found |= learn(engine, engine->tables.cases[type->first + i].type);
        found = (found | learn(engine, type->target)) & ~INTEREST_WORDS;
        break;
    default:
        break;
    }
    if (engine->tables.type_flags[index] & MCR_TYPE_RULED)
        found &= ~INTEREST_WORDS;
    return engine->interest[index] = found;
}

void mcr_types_learn(struct mcr_engine *engine) {
    free(engine->interest);
    engine->interest = calloc(engine->tables.type_count + 1, 1);
    if (!engine->interest) {
        engine->failure = -ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < engine->tables.type_count; i++)
        learn(engine, i);
}

uint32_t mcr_elements(const struct mcr_engine *engine, const struct mcr_object *object) {
    if (object->type == MCR_NONE)
        return 0;
    uint32_t size = engine->tables.types[object->type].size;
    if (object_kind(object) != MCR_OBJECT_CHUNK || size == 0)
        return 1;
    if ((engine->interest[object->type] & INTEREST_FLEXIBLE) ||
        (engine->tables.type_flags[object->type] & (MCR_TYPE_TAIL | MCR_TYPE_FREE)))
        return 1;
    uint64_t count = object->size / size;
    return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

uint64_t mcr_bytes_in_use(const struct mcr_object *object) {
    return object->in_use && object->in_use - 1 < object->size ? object->in_use - 1 : object->size;
}

uint32_t mcr_elements_in_use(const struct mcr_engine *engine, const struct mcr_object *object) {
    uint32_t count = mcr_elements(engine, object), size = count ? engine->tables.types[object->type].size : 0;
    if (!object->in_use || !size)
        return count;
    uint64_t in_use = mcr_bytes_in_use(object) / size;
    return in_use < count ? (uint32_t)in_use : count;
}

uint32_t mcr_least_size(const struct mcr_engine *engine, uint32_t type) {
    const struct mcr_type *one = &engine->tables.types[type];
    if (!(engine->interest[type] & INTEREST_FLEXIBLE) || one->kind != MCR_TYPE_STRUCT || !one->count)
        return one->size;
    uint32_t last = engine->tables.members[one->first + one->count - 1].offset;
    return last && last < one->size ? last : one->size;
}

uint64_t mcr_reduce_offset(const struct mcr_engine *engine, const struct mcr_object *object, uint64_t offset) {
    uint32_t size = object->type == MCR_NONE ? 0 : engine->tables.types[object->type].size;
    if (size && offset / size < mcr_elements(engine, object))
        return offset % size;
    return offset;
}

/* The member or element of `type` that holds `offset`, or MCR_NONE; *offset becomes relative to it. */
static uint32_t descend(const struct mcr_engine *engine, uint32_t index, uint64_t *offset) {
    const struct mcr_type *type = &engine->tables.types[index];
    if (type->kind == MCR_TYPE_ARRAY) {
        uint32_t size = engine->tables.types[type->target].size;
        if (!size || (type->count != MCR_NONE && *offset >= (uint64_t)size * type->count))
            return MCR_NONE;
        *offset %= size;
        return type->target;
    }
    if (type->kind != MCR_TYPE_STRUCT)
        return MCR_NONE;
    const struct mcr_member *members = engine->tables.members + type->first;
    for (uint32_t i = type->count; i-- > 0;) {
        const struct mcr_type *inner = &engine->tables.types[members[i].type];
        bool open_ended = inner->kind == MCR_TYPE_ARRAY && inner->count == MCR_NONE;
        if (*offset >= members[i].offset && (open_ended || *offset - members[i].offset < inner->size)) {
            *offset -= members[i].offset;
            return members[i].type;
        }
    }
    return MCR_NONE;
}

bool mcr_type_holds(const struct mcr_engine *engine, uint32_t type, uint64_t offset, uint32_t wanted) {
    while (type != MCR_NONE) {
        if (offset == 0 && type == wanted)
            return true;
        type = descend(engine, type, &offset);
    }
    return false;
}

bool mcr_type_may_point(const struct mcr_engine *engine, uint32_t type, uint64_t offset) {
    while (type != MCR_NONE) {
        const struct mcr_type *one = &engine->tables.types[type];
        if (one->kind == MCR_TYPE_POINTER || one->kind == MCR_TYPE_CODE)
            return offset == 0;
        if (one->kind == MCR_TYPE_WORDS || one->kind == MCR_TYPE_OPAQUE || one->kind == MCR_TYPE_CHOICE)
            return true;
        type = descend(engine, type, &offset);
    }
    return false;
}

bool mcr_type_ruled_at(const struct mcr_engine *engine, uint32_t type, uint64_t offset) {
    while (type != MCR_NONE) {
        if (engine->tables.type_flags[type] & MCR_TYPE_RULED)
            return true;
        type = descend(engine, type, &offset);
    }
    return false;
}
