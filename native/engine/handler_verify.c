/*
 * handler_verify.c - what a handler's steps must be like to run: handler.c relies on it and does not look again.
 *
 * Registers exist, jumps lead into the handler, its end cannot be run over, and offsets that are known beforehand lie
 * inside the object. Source: DESIGN section 13.
 */
#include "../mcr_handlers.h"
#include "library.h"
#include <errno.h>
#include <stdlib.h>

enum { MAX_DEPTH = 8 };

static bool is_register(const struct mcr_handler *handler, uint8_t index, bool may_lack) {
    return index < handler->registers || (may_lack && index == MCR_NO_REGISTER);
}

static bool is_form(uint8_t form) {
    uint8_t size = form & MCR_FORM_BYTES;
    bool is_float = form & MCR_FORM_FLOAT;
    return size >= 1 && size <= 8 && (!is_float || size == 4 || size == 8) && !(form & 0x80);
}

/* `size` bytes at the step's offset, if no register adds to it. */
static bool is_inside(const struct mcr_step *step, uint64_t size, uint64_t limit) {
    return step->left != MCR_NO_REGISTER || step->at + size <= limit;
}

static bool is_bit_field(const struct mcr_step *step) {
    uint64_t bit = step->value & 0xff;
    return step->value >= 0 && step->value >> 8 <= 1 && bit < 8 && step->right >= 1 && bit + step->right <= 64;
}

static bool is_conversion(const struct mcr_engine *engine, const struct mcr_handler *handler,
                          const struct mcr_step *step) {
    uint64_t count = (uint32_t)step->value, size = (uint64_t)step->value >> 32;
    return is_register(handler, step->left, true) && is_register(handler, step->right, true) &&
           step->at + count <= engine->tables.op_count && size <= handler->new_size;
}

static bool is_access(const struct mcr_handler *handler, const struct mcr_step *step, uint64_t limit) {
    return is_register(handler, step->left, true) && is_form(step->right) &&
           is_inside(step, step->right & MCR_FORM_BYTES, limit);
}

static bool is_valid(const struct mcr_engine *engine, const struct mcr_handler *handler, const struct mcr_step *step) {
    bool left = is_register(handler, step->left, false), right = is_register(handler, step->right, false);
    if (step->code >= MCR_STEP_CODES || !is_register(handler, step->to, false))
        return false;
    switch (step->code) {
    case MCR_STEP_END:
    case MCR_STEP_CONST:
    case MCR_STEP_SELF:
        return true;
    case MCR_STEP_LOAD_OLD:
        return is_access(handler, step, handler->old_size);
    case MCR_STEP_LOAD_NEW:
    case MCR_STEP_STORE:
        return is_access(handler, step, handler->new_size);
    case MCR_STEP_STORE_BITS:
        return is_register(handler, step->left, true) && is_bit_field(step) &&
               is_inside(step, ((step->value & 0xff) + step->right + 7) / 8, handler->new_size);
    case MCR_STEP_CALL:
        return engine->library && step->at < engine->library->count && step->right <= MCR_MAX_ARGUMENTS &&
               (uint32_t)step->left + step->right <= handler->registers;
    case MCR_STEP_READ:
        return left && is_form(step->right);
    case MCR_STEP_CONVERT:
        return is_conversion(engine, handler, step);
    case MCR_STEP_EXTEND:
        return left && step->at >= 1 && step->at <= 64;
    case MCR_STEP_JUMP:
        return step->at < handler->count;
    case MCR_STEP_JUMP_ZERO:
        return left && step->at < handler->count;
    case MCR_STEP_MOVE:
    case MCR_STEP_TRANSLATE:
    case MCR_STEP_BOUND:
    case MCR_STEP_FLOAT_OF:
    case MCR_STEP_FLOAT_OF_UNSIGNED:
    case MCR_STEP_FLOAT_TO:
    case MCR_STEP_FLOAT_TO_UNSIGNED:
    case MCR_STEP_FLOAT_ROUND:
        return left;
    default:
        return left && right;
    }
}

static bool is_sound(const struct mcr_engine *engine, const struct mcr_handler *handler) {
    const struct mcr_step *steps = engine->tables.steps + handler->first;
    if (!handler->count || handler->count > MCR_MAX_STEPS || handler->registers > MCR_REGISTERS ||
        (uint64_t)handler->first + handler->count > engine->tables.step_count || !handler->registers)
        return false;
    for (uint32_t i = 0; i < handler->count; i++)
        if (!is_valid(engine, handler, &steps[i]))
            return false;
    uint8_t last = steps[handler->count - 1].code;
    return last == MCR_STEP_END || last == MCR_STEP_JUMP;
}

/* NEEDS_* of the handlers of these ops. `depth`: of handlers inside handlers; handler.c does not follow them for ever. */
static uint8_t needs_of_ops(const struct mcr_engine *engine, uint32_t first, uint32_t count, uint32_t depth) {
    uint8_t needs = 0;
    for (uint32_t i = first; i < first + count; i++) {
        const struct mcr_op *op = &engine->tables.ops[i];
        if (op->code != MCR_OP_HANDLER && op->code != MCR_OP_CHOICE)
            continue;
        const struct mcr_handler *handler = &engine->tables.handlers[op->aux];
        const struct mcr_step *steps = engine->tables.steps + handler->first;
        for (uint32_t k = 0; k < handler->count; k++) {
            needs |= steps[k].code == MCR_STEP_READ ? NEEDS_OTHERS : 0;
            needs |= steps[k].code == MCR_STEP_CALL ? NEEDS_LIBRARY : 0;
            if (steps[k].code == MCR_STEP_CONVERT)
                needs |= depth == MAX_DEPTH ? NEEDS_OTHERS
                                            : needs_of_ops(engine, steps[k].at, (uint32_t)steps[k].value, depth + 1);
        }
    }
    return needs;
}

static uint8_t needs_of_program(const struct mcr_engine *engine, uint32_t index) {
    const struct mcr_program *program = &engine->tables.programs[index];
    uint8_t needs = needs_of_ops(engine, program->first, program->count, 0);
    return program->tail_program == MCR_NONE ? needs : needs | needs_of_program(engine, program->tail_program);
}

static int learn_readers(struct mcr_engine *engine) {
    free(engine->readers);
    free(engine->given_up);
    engine->readers = calloc(engine->tables.program_count + 1, 1);
    engine->given_up = calloc(engine->tables.handler_count + 1, sizeof *engine->given_up);
    if (!engine->readers || !engine->given_up)
        return -ENOMEM;
    for (uint32_t i = 0; i < engine->tables.program_count && engine->tables.handler_count; i++)
        engine->readers[i] = needs_of_program(engine, i);
    return 0;
}

/* Whether something asks for a handler that is not there. */
static bool has_unknown(const struct mcr_tables *tables) {
    for (uint32_t i = 0; i < tables->op_count; i++)
        if ((tables->ops[i].code == MCR_OP_HANDLER || tables->ops[i].code == MCR_OP_CHOICE) &&
            tables->ops[i].aux >= tables->handler_count)
            return true;
    for (uint32_t i = 0; i < tables->case_count; i++)
        if (tables->cases[i].question >= tables->handler_count)
            return true;
    for (uint32_t i = 0; i < tables->pointer_fact_count; i++)
        if (tables->pointer_facts[i].length != MCR_NONE && tables->pointer_facts[i].length >= tables->handler_count)
            return true;
    return false;
}

int mcr_handlers_learn(struct mcr_engine *engine) {
    for (uint32_t i = 0; i < engine->tables.handler_count; i++)
        if (!is_sound(engine, &engine->tables.handlers[i]))
            return -EINVAL;
    return has_unknown(&engine->tables) ? -EINVAL : learn_readers(engine);
}
