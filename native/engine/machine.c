/*
 * machine.c - the steps of transfer handlers, one after the other.
 *
 * What handler_verify.c has seen beforehand is not looked at again; the rest ends the run. Source: DESIGN section 13.
 */
#include "library.h"

static double as_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline uint64_t extend(uint64_t value, uint32_t bits, bool is_signed) {
    uint32_t unused = 64 - bits;
    return is_signed ? (uint64_t)((int64_t)(value << unused) >> unused) : value << unused >> unused;
}

static inline uint64_t load(const uint8_t *bytes, uint32_t form) {
    uint32_t size = form & MCR_FORM_BYTES;
    uint64_t value = 0;
    if (size == 8)
        memcpy(&value, bytes, 8);
    else if (size == 4)
        memcpy(&value, bytes, 4);
    else
        memcpy(&value, bytes, size);
    if ((form & MCR_FORM_FLOAT) && size == 4) {
        float single;
        memcpy(&single, bytes, 4);
        return of_double(single);
    }
    return form & MCR_FORM_SIGNED ? extend(value, size * 8, true) : value;
}

/* Bytes at an address of O; the object that holds them is kept at hand. */
const uint8_t *mcr_machine_memory(struct machine *m, uint64_t address, uint64_t size) {
    if (m->image == MCR_IMAGE_BASE)
        return mcr_image_at(m->engine, MCR_IMAGE_BASE, address, size);
    if (address < m->start || address >= m->end) {
        uint32_t index = mcr_find_object(m->engine, address);
        if (index == MCR_NONE)
            return NULL;
        const struct mcr_object *object = &m->engine->objects[index];
        m->bytes = mcr_image_at(m->engine, MCR_IMAGE_THEIRS, object->address, object->size);
        m->start = object->address;
        m->end = m->bytes ? object->address + object->size : m->start;
    }
    return address < m->end && size <= m->end - address ? m->bytes + (address - m->start) : NULL;
}

static void report(const struct machine *m, uint32_t kind, uint64_t detail, uint64_t value) {
    if (m->image == MCR_IMAGE_THEIRS)
        mcr_event_add(m->engine, kind, m->object, m->object_offset, detail, value);
}

static uint64_t number_of(const struct machine *m, const struct mcr_step *step) {
    return (uint64_t)(step - m->engine->tables.steps);
}

static void note_store(struct machine *m, uint64_t offset, uint64_t size) {
    struct mcr_engine *engine = m->engine;
    if (m->notes_stores &&
        mcr_grow(engine, &engine->stores, &engine->store_room, engine->store_count + 1, sizeof *engine->stores))
        engine->stores[engine->store_count++] = (struct store){offset, size};
}

/* The offset that a step means; false: bytes from there on lie outside. Offsets without a register are verified. */
static inline bool offset_of(const struct machine *m, const struct mcr_step *step, uint64_t limit, uint64_t size,
                             uint64_t *ret) {
    *ret = step->at;
    if (step->left == MCR_NO_REGISTER)
        return true;
    *ret += m->registers[step->left];
    return *ret <= limit && size <= limit - *ret;
}

static uint32_t load_own(struct machine *m, const struct mcr_step *step, const uint8_t *bytes, uint64_t limit) {
    uint64_t offset;
    if (!offset_of(m, step, limit, step->right & MCR_FORM_BYTES, &offset))
        return MCR_HANDLER_OUTSIDE;
    m->registers[step->to] = load(bytes + offset, step->right);
    return MCR_HANDLER_DONE;
}

static uint32_t read_memory(struct machine *m, const struct mcr_step *step, uint64_t address) {
    const uint8_t *bytes = mcr_machine_memory(m, address, step->right & MCR_FORM_BYTES);
    if (!bytes)
        return MCR_HANDLER_POINTER;
    m->registers[step->to] = load(bytes, step->right);
    return MCR_HANDLER_DONE;
}

static uint32_t store(struct machine *m, const struct mcr_step *step, uint64_t value) {
    uint32_t form = step->right, size = form & MCR_FORM_BYTES;
    uint64_t offset;
    if (!offset_of(m, step, m->handler->new_size, size, &offset))
        return MCR_HANDLER_OUTSIDE;
    if (form & MCR_FORM_BOOL)
        value = value != 0;
    else if (!(form & MCR_FORM_FLOAT) && extend(value, size * 8, form & MCR_FORM_SIGNED) != value)
        report(m, MCR_EVENT_HANDLED_RANGE, number_of(m, step), value);
    if ((form & MCR_FORM_FLOAT) && size == 4) {
        float single = (float)as_double(value);
        memcpy(m->new + offset, &single, 4);
    } else {
        memcpy(m->new + offset, &value, size);
    }
    note_store(m, offset, size);
    return MCR_HANDLER_DONE;
}

static uint32_t store_bits(struct machine *m, const struct mcr_step *step, uint64_t value) {
    uint32_t width = step->right, bit = step->value & 0xff, size = (bit + width + 7) / 8;
    uint64_t offset, word = 0, mask = extend(UINT64_MAX, width, false) << bit;
    if (!offset_of(m, step, m->handler->new_size, size, &offset))
        return MCR_HANDLER_OUTSIDE;
    if (extend(value, width, step->value >> 8) != value)
        report(m, MCR_EVENT_HANDLED_RANGE, number_of(m, step), value);
    memcpy(&word, m->new + offset, size);
    word = (word & ~mask) | (value << bit & mask);
    memcpy(m->new + offset, &word, size);
    note_store(m, offset, size);
    return MCR_HANDLER_DONE;
}

/* A part of the object as it would go over without a handler. */
static uint32_t convert(struct machine *m, const struct mcr_step *step) {
    uint64_t old = step->left == MCR_NO_REGISTER ? 0 : m->registers[step->left];
    uint64_t new = step->right == MCR_NO_REGISTER ? 0 : m->registers[step->right];
    uint64_t events = m->engine->event_count, size = (uint64_t)step->value >> 32, new_size = m->handler->new_size;
    struct conversion inner = {.object = m->object,
                               .object_offset = m->object_offset,
                               .theirs = m->old,
                               .theirs_size = m->old_size,
                               .out = m->new,
                               .out_size = new_size,
                               .kept_offset = UINT64_MAX};
    if (old > m->old_size || new > new_size || size > new_size - new)
        return MCR_HANDLER_OUTSIDE;
    mcr_convert_ops(m->engine, &inner, step->at, (uint32_t)step->value, old, new);
    if (m->image != MCR_IMAGE_THEIRS)
        m->engine->event_count = events;
    note_store(m, new, size);
    return MCR_HANDLER_DONE;
}

static uint32_t divide(uint64_t *to, uint8_t code, uint64_t left, uint64_t right) {
    bool is_signed = code == MCR_STEP_DIVIDE || code == MCR_STEP_REMAINDER;
    if (right == 0 || (is_signed && left == (uint64_t)INT64_MIN && right == UINT64_MAX))
        return MCR_HANDLER_DIVISION;
    if (code == MCR_STEP_DIVIDE)
        *to = (uint64_t)((int64_t)left / (int64_t)right);
    else if (code == MCR_STEP_REMAINDER)
        *to = (uint64_t)((int64_t)left % (int64_t)right);
    else
        *to = code == MCR_STEP_DIVIDE_UNSIGNED ? left / right : left % right;
    return MCR_HANDLER_DONE;
}

static uint32_t shift(uint64_t *to, const struct mcr_step *step, uint64_t left, uint64_t by) {
    if (by >= step->at || by >= 64)
        return MCR_HANDLER_SHIFT;
    if (step->code == MCR_STEP_SHIFT_LEFT)
        *to = left << by;
    else
        *to = step->code == MCR_STEP_SHIFT_RIGHT ? (uint64_t)((int64_t)left >> by) : left >> by;
    return MCR_HANDLER_DONE;
}

static uint32_t float_to_integer(uint64_t *to, double value, bool is_signed) {
    const double limit = 18446744073709551616.0; /* 2^64 */
    if (!(is_signed ? value >= -limit / 2 && value < limit / 2 : value > -1 && value < limit))
        return MCR_HANDLER_NUMBER;
    *to = is_signed ? (uint64_t)(int64_t)value : (uint64_t)value;
    return MCR_HANDLER_DONE;
}

static uint64_t translate(struct machine *m, uint64_t value) {
    uint64_t moved;
    if (mcr_translate(m->engine, value, &moved) == LANDS_LOST)
        report(m, MCR_EVENT_LOST_POINTER, value, 0);
    return moved;
}

/* Steps that cannot fail and look at nothing but two registers. */
static inline uint64_t compute(const struct mcr_step *step, uint64_t left, uint64_t right) {
    switch (step->code) {
    case MCR_STEP_CONST:
        return (uint64_t)step->value;
    case MCR_STEP_MOVE:
        return left;
    case MCR_STEP_EXTEND:
        return extend(left, step->at, step->right);
    case MCR_STEP_ADD:
        return left + right;
    case MCR_STEP_SUBTRACT:
        return left - right;
    case MCR_STEP_MULTIPLY:
        return left * right;
    case MCR_STEP_AND:
        return left & right;
    case MCR_STEP_OR:
        return left | right;
    case MCR_STEP_XOR:
        return left ^ right;
    case MCR_STEP_EQUAL:
        return left == right;
    case MCR_STEP_LESS:
        return (int64_t)left < (int64_t)right;
    case MCR_STEP_LESS_UNSIGNED:
        return left < right;
    case MCR_STEP_FLOAT_ADD:
        return of_double(as_double(left) + as_double(right));
    case MCR_STEP_FLOAT_SUBTRACT:
        return of_double(as_double(left) - as_double(right));
    case MCR_STEP_FLOAT_MULTIPLY:
        return of_double(as_double(left) * as_double(right));
    case MCR_STEP_FLOAT_DIVIDE:
        return of_double(as_double(left) / as_double(right));
    case MCR_STEP_FLOAT_EQUAL:
        return as_double(left) == as_double(right);
    case MCR_STEP_FLOAT_LESS:
        return as_double(left) < as_double(right);
    case MCR_STEP_FLOAT_LESS_EQUAL:
        return as_double(left) <= as_double(right);
    case MCR_STEP_FLOAT_OF:
        return of_double((double)(int64_t)left);
    case MCR_STEP_FLOAT_OF_UNSIGNED:
        return of_double((double)left);
    default: /* MCR_STEP_FLOAT_ROUND */
        return of_double((float)as_double(left));
    }
}

/* Longer than other functions: it is a table. */
uint32_t mcr_machine_run(struct machine *m) {
    const struct mcr_step *steps = m->engine->tables.steps + m->handler->first, *step = steps;
    uint64_t *r = m->registers;
    uint32_t failure = MCR_HANDLER_DONE;
    for (; !failure; step++) {
        uint64_t left = r[step->left % MCR_REGISTERS], right = r[step->right % MCR_REGISTERS];
        switch (step->code) {
        case MCR_STEP_END:
            return MCR_HANDLER_DONE;
        case MCR_STEP_LOAD_OLD:
            failure = load_own(m, step, m->old, m->old_size);
            break;
        case MCR_STEP_LOAD_NEW:
            failure = load_own(m, step, m->new, m->handler->new_size);
            break;
        case MCR_STEP_READ:
            failure = read_memory(m, step, left + (uint64_t)step->value);
            break;
        case MCR_STEP_STORE:
            failure = store(m, step, r[step->to]);
            break;
        case MCR_STEP_STORE_BITS:
            failure = store_bits(m, step, r[step->to]);
            break;
        case MCR_STEP_CONVERT:
            failure = convert(m, step);
            break;
        case MCR_STEP_TRANSLATE:
            r[step->to] = translate(m, left);
            break;
        case MCR_STEP_SELF:
            failure = m->object == MCR_NONE ? MCR_HANDLER_POINTER : MCR_HANDLER_DONE;
            r[step->to] = failure ? 0 : m->engine->objects[m->object].address + m->object_offset;
            break;
        case MCR_STEP_DIVIDE:
        case MCR_STEP_REMAINDER:
        case MCR_STEP_DIVIDE_UNSIGNED:
        case MCR_STEP_REMAINDER_UNSIGNED:
            failure = divide(&r[step->to], step->code, left, right);
            break;
        case MCR_STEP_SHIFT_LEFT:
        case MCR_STEP_SHIFT_RIGHT:
        case MCR_STEP_SHIFT_RIGHT_UNSIGNED:
            failure = shift(&r[step->to], step, left, right);
            break;
        case MCR_STEP_FLOAT_TO:
        case MCR_STEP_FLOAT_TO_UNSIGNED:
            failure = float_to_integer(&r[step->to], as_double(left), step->code == MCR_STEP_FLOAT_TO);
            break;
        case MCR_STEP_CALL:
            failure = mcr_library_call(m, step);
            break;
        case MCR_STEP_BOUND:
            failure = left < (uint64_t)step->value ? MCR_HANDLER_DONE : MCR_HANDLER_INDEX;
            break;
        case MCR_STEP_JUMP:
        case MCR_STEP_JUMP_ZERO:
            if (step->code == MCR_STEP_JUMP_ZERO && left)
                break;
            if (steps + step->at <= step && !m->rounds--)
                failure = MCR_HANDLER_LONG;
            else
                step = steps + step->at - 1;
            break;
        default:
            r[step->to] = compute(step, left, right);
        }
    }
    m->failed = step - 1;
    return failure;
}
