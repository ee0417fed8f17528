/*
 * question.c - what an annotation says of a place, where that depends on other values of the object around it: which
 * member of a union is in use, how long an array is. Source: DESIGN section 13.
 */
#include "machine.h"

bool mcr_ask(const struct mcr_engine *engine, uint32_t question, uint32_t object, const uint8_t *bytes, int64_t *ret) {
    const struct mcr_handler *handler = &engine->tables.handlers[question];
    struct machine m;
    memset(&m, 0, offsetof(struct machine, registers) + handler->registers * sizeof m.registers[0]);
    m.engine = (struct mcr_engine *)engine; /* a question stores nothing */
    m.handler = handler;
    m.image = MCR_IMAGE_THEIRS;
    m.object = object;
    m.old = bytes, m.old_size = handler->old_size;
    m.rounds = handler->rounds;
    uint32_t failure = mcr_machine_run(&m);
    *ret = (int64_t)m.registers[0];
    if (failure && object != MCR_NONE)
        mcr_event_add(m.engine, MCR_EVENT_HANDLER_FAILED, object, 0, (uint64_t)(m.failed - engine->tables.steps),
                      failure);
    return !failure;
}

uint32_t mcr_choose(const struct mcr_engine *engine, uint32_t type, uint32_t object, const uint8_t *bytes) {
    const struct mcr_type *one = &engine->tables.types[type];
    for (uint32_t i = one->first; i < one->first + one->count; i++) {
        const struct mcr_case *option = &engine->tables.cases[i];
        int64_t answer;
        if (mcr_ask(engine, option->question, object, bytes - option->back, &answer) && answer)
            return option->type;
    }
    return one->target;
}

/* An annotation says how much is in use where a pointer leads. Of several pointers the one that says most counts. */
void mcr_note_length(struct mcr_engine *engine, uint32_t from, const struct mcr_type *type, uint64_t value,
                     const uint8_t *bytes) {
    const struct mcr_pointer_fact *fact = mcr_pointer_fact(engine, type);
    uint32_t index = mcr_find_object(engine, value);
    int64_t count;
    if (index == MCR_NONE || !mcr_ask(engine, fact->length, from, bytes - fact->back, &count))
        return;
    struct mcr_object *object = &engine->objects[index];
    uint64_t size = type->target == MCR_NONE ? 1 : engine->tables.types[type->target].size, in_use;
    if (object->address != value)
        return;
    if (count < 0 || __builtin_mul_overflow((uint64_t)count, size ? size : 1, &in_use) || in_use > object->size) {
        mcr_event_add(engine, MCR_EVENT_HANDLER_FAILED, from, 0, engine->tables.handlers[fact->length].first,
                      MCR_HANDLER_LENGTH);
        return;
    }
    if (in_use >= UINT32_MAX || object->in_use > in_use)
        return;
    engine->misled |= object->type != MCR_NONE; /* it may have been walked to another end */
    object->in_use = (uint32_t)in_use + 1;
}

/* A question that has no answer has been told of by the tracing. */
bool mcr_is_chosen(const struct mcr_engine *engine, const struct conversion *c, const struct mcr_op *op,
                   uint64_t old_offset) {
    uint64_t start = old_offset - op->new_stride, size = engine->tables.handlers[op->aux].old_size;
    int64_t answer;
    if (op->new_stride > old_offset || size > c->theirs_size || start > c->theirs_size - size)
        return false;
    return mcr_ask(engine, op->aux, MCR_NONE, c->theirs + start, &answer) && answer;
}
