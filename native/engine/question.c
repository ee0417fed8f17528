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
