/*
 * audit_objects.c - what was transferred, looked at once more: words that would still lead N to where O's objects were.
 *
 * A word of N is bad if it points at an object of O that has another place in N, or into the middle of O's code. Exact
 * function entries and constants are served by the ghost. Source: DESIGN section 3 (AUDIT), section 11 (R6).
 */
#include "internal.h"

struct audit {
    struct mcr_engine *engine;
    struct mcr_hit *hits;
    uint64_t capacity, found;
};

static bool has_moved(const struct mcr_engine *engine, const struct mcr_object *object) {
    if (object->flags & (MCR_OBJECT_DROPPED | MCR_OBJECT_NEVER))
        return false; /* nothing of N's leads there, or what does is libc's own affair */
    return object->pair != MCR_NONE && engine->pairs[object->pair].new_address != object->address;
}

/* What stands before the object that has moved still ends there: one past its end is a place of its own. */
static bool is_end_in_new(const struct mcr_engine *engine, uint32_t index, uint64_t value) {
    const struct mcr_object *before = index ? &engine->objects[index - 1] : NULL;
    return before && engine->objects[index].address == value && before->address + before->size == value &&
           before->type != MCR_NONE && !has_moved(engine, before);
}

static bool is_bad(const struct mcr_engine *engine, uint64_t value) {
    const struct mcr_tables *tables = &engine->tables;
    uint32_t index = mcr_find_object(engine, value);
    if (index != MCR_NONE)
        return has_moved(engine, &engine->objects[index]) && !is_end_in_new(engine, index, value);
    if (value < tables->text_start || value >= tables->text_end)
        return false;
    const struct mcr_symbol *symbol = mcr_find_symbol(engine, value);
    return !symbol || symbol->old_address != value || !symbol->new_address;
}

/* Whether the type that O's object has says that no pointer can stand there. N's layout must be the same. */
static bool is_number(const struct mcr_engine *engine, const struct mcr_object *object, uint64_t offset) {
    uint32_t program = mcr_object_program(engine, object);
    if (object->type == MCR_NONE || program == MCR_NONE || !engine->tables.programs[program].identical ||
        offset >= object->size)
        return false;
    uint64_t inside = mcr_reduce_offset(engine, object, offset), size = engine->tables.types[object->type].size;
    bool in_tail = inside >= size && !(engine->interest[object->type] & INTEREST_FLEXIBLE);
    return !in_tail && !mcr_type_may_point(engine, object->type, inside);
}

/* Whether the byte lies in an array of characters without an end, the last member of its struct: a buffer. */
static bool is_in_buffer(const struct mcr_engine *engine, const struct mcr_object *object, uint64_t offset) {
    const struct mcr_tables *tables = &engine->tables;
    const struct mcr_type *type = object->type == MCR_NONE ? NULL : &tables->types[object->type];
    if (!type || type->kind != MCR_TYPE_STRUCT || !type->count || object->pair != MCR_NONE)
        return false;
    const struct mcr_member *last = &tables->members[type->first + type->count - 1];
    const struct mcr_type *array = &tables->types[last->type];
    bool open_ended = array->kind == MCR_TYPE_ARRAY && array->count == MCR_NONE && array->target != MCR_NONE;
    return open_ended && tables->types[array->target].size == 1 && offset >= last->offset;
}

/* O's object whose place in N holds the address. */
static const struct mcr_object *object_in_new(const struct mcr_engine *engine, uint64_t address, uint64_t *offset) {
    for (uint32_t i = 0; i < engine->pair_count; i++) {
        *offset = address - engine->pairs[i].new_address;
        if (engine->pairs[i].new_address && *offset < engine->pairs[i].new_size)
            return &engine->objects[engine->pairs[i].object];
    }
    return NULL;
}

/* `holder`: O's object that stands there in N; NULL = to be found. */
static void look_at(struct audit *audit, const struct mcr_object *holder, const uint8_t *bytes, uint64_t address,
                    uint64_t size) {
    const struct mcr_engine *engine = audit->engine;
    const struct mcr_tables *tables = &engine->tables;
    struct words words = mcr_words_of(engine, address, bytes, 0, size);
    mcr_words_between(&words, engine->low < tables->text_start ? engine->low : tables->text_start,
                      engine->high > tables->text_end ? engine->high : tables->text_end);
    for (uint64_t value; mcr_words_next(&words, &value);) {
        if (!mcr_may_lead_elsewhere(engine, value) || !is_bad(engine, value))
            continue;
        uint64_t at = address + mcr_words_offset(&words), offset = holder ? at - holder->address : 0;
        const struct mcr_object *one = holder ? holder : object_in_new(engine, at, &offset);
        if (one && (is_number(engine, one, offset) || is_in_buffer(engine, one, offset)))
            continue;
        if (audit->found < audit->capacity)
            audit->hits[audit->found] = (struct mcr_hit){at, value};
        audit->found++;
    }
}

/* Its bytes stand in the THEIRS image as N gets them. */
static bool stays_in_place(const struct mcr_engine *engine, const struct mcr_object *object) {
    if (object_kind(object) != MCR_OBJECT_CHUNK && object_kind(object) != MCR_OBJECT_MAPPING)
        return false;
    return !(object->flags & (MCR_OBJECT_NEVER | MCR_OBJECT_DROPPED)) && !has_moved(engine, object);
}

/* Dead bytes of what keeps its form stay as they are. */
static uint64_t bytes_in_use(const struct mcr_engine *engine, const struct mcr_object *object) {
    uint32_t program = mcr_object_program(engine, object);
    const struct mcr_tables *tables = &engine->tables;
    if (object->type != MCR_NONE && (tables->type_flags[object->type] & MCR_TYPE_FREE))
        return tables->types[object->type].size;
    bool keeps_form = program == MCR_NONE || engine->tables.programs[program].identical;
    return keeps_form ? mcr_bytes_in_use(object) : object->size;
}

uint64_t mcr_engine_audit(struct mcr_engine *engine, struct mcr_hit *hits, uint64_t capacity) {
    struct audit audit = {.engine = engine, .hits = hits, .capacity = capacity};
    for (uint64_t i = 0; i < engine->object_count; i++) {
        const struct mcr_object *object = &engine->objects[i];
        if (!stays_in_place(engine, object) || mcr_is_text(engine, object))
            continue;
        uint64_t size = object->pair == MCR_NONE ? bytes_in_use(engine, object) : engine->pairs[object->pair].new_size;
        const uint8_t *bytes = mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, size);
        if (bytes)
            look_at(&audit, object, bytes, object->address, size);
    }
    for (uint64_t i = 0; i < engine->patch_count; i++)
        look_at(&audit, NULL, engine->patch_bytes + engine->patches[i].offset, engine->patches[i].address,
                engine->patches[i].size);
    return audit.found;
}
