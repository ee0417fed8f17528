/*
 * transfer.c - every object to its place in N.
 *
 * Objects that keep their address are rewritten inside the THEIRS image, which the caller then copies to N as it is;
 * everything else (globals, library data, moved chunks) becomes patches. Source: DESIGN sections 8 to 10.
 */
#include "../mcr_abi.h"
#include "library.h"
#include <errno.h>

uint8_t *mcr_patch_add(struct mcr_engine *engine, uint64_t address, uint64_t size) {
    if (!mcr_grow(engine, &engine->patches, &engine->patch_room, engine->patch_count + 1, sizeof *engine->patches) ||
        !mcr_grow(engine, &engine->patch_bytes, &engine->patch_bytes_room, engine->patch_size + size, 1))
        return NULL;
    engine->patches[engine->patch_count++] = (struct mcr_patch){address, size, engine->patch_size};
    uint8_t *bytes = engine->patch_bytes + engine->patch_size;
    engine->patch_size += size;
    engine->statistics.patches++;
    engine->statistics.patch_bytes += size;
    return bytes;
}

/* Bytes for an object that stays where it is: into the THEIRS image, later if handlers still read there. */
static void put_in_place(struct mcr_engine *engine, uint64_t address, uint8_t *place, const uint8_t *out,
                         uint64_t size) {
    if (!engine->defers) {
        memcpy(place, out, size);
        mcr_rewritten(engine, address, size);
        return;
    }
    if (!mcr_grow(engine, &engine->results, &engine->result_room, engine->result_count + 1, sizeof *engine->results) ||
        !mcr_grow(engine, &engine->result_bytes, &engine->result_bytes_room, engine->result_size + size, 1))
        return;
    engine->results[engine->result_count++] = (struct deferred_result){address, size, engine->result_size, place};
    memcpy(engine->result_bytes + engine->result_size, out, size);
    engine->result_size += size;
}

static void put_deferred(struct mcr_engine *engine) {
    for (uint64_t i = 0; i < engine->result_count; i++) {
        const struct deferred_result *one = &engine->results[i];
        put_in_place(engine, one->address, one->place, engine->result_bytes + one->offset, one->size);
    }
    engine->result_count = engine->result_size = 0;
}

/* Patches for the runs of words in which `out` differs from what N has there. */
static void patch_differences(struct mcr_engine *engine, uint64_t address, const uint8_t *out, const uint8_t *ours,
                              uint64_t size) {
    for (uint64_t start = 0; start < size;) {
        uint64_t step = size - start < 8 ? size - start : 8;
        if (memcmp(out + start, ours + start, step) == 0) {
            start += step;
            continue;
        }
        uint64_t end = start + step;
        while (end < size && memcmp(out + end, ours + end, size - end < 8 ? size - end : 8) != 0)
            end += size - end < 8 ? size - end : 8;
        uint8_t *bytes = mcr_patch_add(engine, address + start, end - start);
        if (bytes)
            memcpy(bytes, out + start, end - start);
        start = end;
    }
}

uint64_t mcr_engine_new_size(struct mcr_engine *engine, uint32_t index) {
    const struct mcr_object *object = &engine->objects[index];
    uint32_t program = mcr_object_program(engine, object);
    if (program == MCR_NONE || engine->tables.programs[program].identical)
        return object->size;
    const struct mcr_program *one = &engine->tables.programs[program];
    uint64_t count = mcr_elements(engine, object), tail;
    if (!mcr_has_tail(engine, object, one))
        return count * one->new_size; /* an array's slack below one element is not data */
    tail = object->size - one->old_tail;
    if (one->tail_program != MCR_NONE) {
        const struct mcr_program *element = &engine->tables.programs[one->tail_program];
        tail = element->old_size ? tail / element->old_size * element->new_size : 0;
    }
    return one->new_tail + tail > one->new_size ? one->new_tail + tail : one->new_size;
}

uint64_t mcr_engine_outgrown(struct mcr_engine *engine, uint32_t *objects, uint64_t *sizes, uint64_t capacity) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        const struct mcr_object *object = &engine->objects[i];
        if (object_kind(object) != MCR_OBJECT_CHUNK || object->pair != MCR_NONE || object->type == MCR_NONE)
            continue;
        uint64_t size = mcr_engine_new_size(engine, (uint32_t)i);
        if (size <= object->capacity)
            continue;
        if (count < capacity) {
            objects[count] = (uint32_t)i;
            sizes[count] = size;
        }
        count++;
    }
    return count;
}

/* What a chunk will take at its address in N, where that is its own; else what it takes now. */
static uint64_t size_in_place(struct mcr_engine *engine, uint32_t index) {
    const struct mcr_object *object = &engine->objects[index];
    const struct mcr_pair *pair = object->pair == MCR_NONE ? NULL : &engine->pairs[object->pair];
    if (object_kind(object) != MCR_OBJECT_CHUNK || (pair && (!pair->merges || pair->new_address != object->address)))
        return object->size;
    return pair ? pair->new_size : mcr_engine_new_size(engine, index);
}

uint64_t mcr_engine_resized(struct mcr_engine *engine, struct mcr_chunk_size *rows, uint64_t capacity) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        uint64_t size = size_in_place(engine, (uint32_t)i);
        if (size != engine->objects[i].size && count++ < capacity)
            rows[count - 1] = (struct mcr_chunk_size){engine->objects[i].address, size};
    }
    return count;
}

/* One element of the object at old offset `from`, new offset `to`; the books go back to `whole`. */
static void convert_element(struct mcr_engine *engine, uint32_t program, struct conversion *whole, uint64_t from,
                            uint64_t to) {
    struct conversion element = *whole;
    element.object_offset = from;
    element.theirs += from, element.theirs_size -= from;
    element.base_size = whole->base_size > from ? whole->base_size - from : 0;
    element.base = whole->base ? whole->base + (element.base_size ? from : 0) : NULL;
    element.ours = whole->ours ? whole->ours + to : NULL;
    element.out += to, element.out_size -= to;
    mcr_convert(engine, program, &element);
    if (element.all_taken != whole->all_taken && element.all_kept != whole->all_kept)
        mcr_event_add(engine, MCR_EVENT_ELEMENT, whole->object, from, 0, 0);
    whole->taken = element.taken, whole->kept_offset = element.kept_offset;
    whole->all_taken = element.all_taken, whole->all_kept = element.all_kept;
}

/* Nothing but one run of bytes of this kind, the same on both sides. */
static bool is_run(const struct mcr_engine *engine, const struct mcr_program *program, uint8_t code) {
    const struct mcr_op *op = &engine->tables.ops[program->first];
    return program->count == 1 && op->code == code && !op->flags && op->length == program->old_size &&
           program->old_size == program->new_size && program->old_size % 8 == 0;
}

/* The tail of an object that stays as it is, from `from` on, at once; false: element by element. */
static bool fix_tail(struct mcr_engine *engine, const struct mcr_object *object, const struct mcr_program *tail,
                     const struct conversion *whole, uint64_t from) {
    uint64_t size = (object->size - from) / tail->old_size * tail->old_size;
    if (is_run(engine, tail, MCR_OP_WORDS) || is_run(engine, tail, MCR_OP_DATA))
        return true;
    if (!is_run(engine, tail, MCR_OP_OPAQUE))
        return false;
    mcr_fix_words(engine, whole->out + from, object->address + from, size, whole->ruled);
    return true;
}

/* What O has from here on has no room in N: a loss if O has put anything there since its start. */
static void check_left_over(struct mcr_engine *engine, const struct conversion *c, uint64_t from, uint64_t size) {
    for (uint64_t i = from; i < size; i++) {
        uint8_t base = c->base && i < c->base_size ? c->base[i] : 0;
        if (c->theirs[i] != base) {
            mcr_event_add(engine, MCR_EVENT_NO_HOME, c->object, i, size, c->out_size);
            return;
        }
    }
}

/* Elements, then the tail: a flexible array by its own program, anything else as opaque bytes. */
static void convert_elements(struct mcr_engine *engine, const struct mcr_object *object, uint32_t program,
                             struct conversion *whole) {
    const struct mcr_program *one = &engine->tables.programs[program];
    uint64_t count = mcr_elements_in_use(engine, object), from = 0, to = 0;
    for (; count && to < whole->out_size; count--, from += one->old_size, to += one->new_size)
        convert_element(engine, program, whole, from, to);
    if (mcr_has_tail(engine, object, one))
        from = one->old_tail, to = one->new_tail;
    uint8_t flags = engine->tables.type_flags[object->type];
    if (count || (to >= whole->out_size && (flags & MCR_TYPE_TAIL)))
        check_left_over(engine, whole, from, mcr_bytes_in_use(object));
    if (count || from >= object->size || to >= whole->out_size || object->in_use || (flags & MCR_TYPE_FREE))
        return;                                                  /* what follows is dead, or has no place */
    bool holds_others = object->flags & MCR_OBJECT_HOLDS_OTHERS; /* whatever its type says of what follows */
    if (one->tail_program == MCR_NONE || holds_others) {
        uint64_t length = object->size - from < whole->out_size - to ? object->size - from : whole->out_size - to;
        bool text = whole->text;
        /* What follows a struct, without a type of its own: as a rule bytes of clients, but for the blocks of pools. */
        whole->text |= !whole->ruled && !holds_others;
        if (whole->out != whole->theirs || from != to)
            mcr_convert_opaque(engine, whole, from, to, length);
        else if (!whole->text)
            mcr_fix_words(engine, whole->out + from, object->address + from, length, whole->ruled);
        whole->text = text;
        if (flags & MCR_TYPE_TAIL)
            check_left_over(engine, whole, from + length, object->size);
        return;
    }
    const struct mcr_program *tail = &engine->tables.programs[one->tail_program];
    if (whole->out == whole->theirs && from == to && fix_tail(engine, object, tail, whole, from))
        return;
    for (; from + tail->old_size <= object->size && to + tail->new_size <= whole->out_size;
         from += tail->old_size, to += tail->new_size)
        convert_element(engine, one->tail_program, whole, from, to);
    check_left_over(engine, whole, from, object->size - (object->size - from) % tail->old_size);
}

static void convert_object(struct mcr_engine *engine, const struct mcr_object *object, struct conversion *conversion) {
    uint32_t program = mcr_object_program(engine, object);
    if (program != MCR_NONE) {
        convert_elements(engine, object, program, conversion);
        return;
    }
    uint64_t size = mcr_bytes_in_use(object), length = size < conversion->out_size ? size : conversion->out_size;
    mcr_convert_opaque(engine, conversion, 0, 0, length);
    check_left_over(engine, conversion, length, size);
}

/* A move or layout change of something that a likely pointer holds is a conflict (R5). */
static void check_held(struct mcr_engine *engine, uint32_t index, bool moves, bool changes) {
    const struct mcr_object *object = &engine->objects[index];
    if ((moves && (object->flags & MCR_OBJECT_IMMUTABLE)) || (changes && (object->flags & MCR_OBJECT_HELD_INSIDE)))
        mcr_event_add(engine, MCR_EVENT_PINNED_MOVE, index, 0, object->holder, moves);
}

static struct conversion begin(struct mcr_engine *engine, uint32_t index, const uint8_t *theirs) {
    const struct mcr_object *object = &engine->objects[index];
    return (struct conversion){.object = index,
                               .theirs = theirs,
                               .theirs_size = object->size,
                               .kept_offset = UINT64_MAX,
                               .ruled = object->flags & MCR_OBJECT_RULED_OWNER,
                               .text = mcr_is_text(engine, object)};
}

static void finish_merge(struct mcr_engine *engine, const struct conversion *c) {
    if (c->taken && c->kept_offset != UINT64_MAX)
        mcr_event_add(engine, MCR_EVENT_MIXED, c->object, c->kept_offset, c->taken, 0);
}

static void count_transferred(struct mcr_engine *engine, const struct mcr_object *object) {
    engine->statistics.transferred++;
    engine->statistics.bytes_transferred += object->size;
}

/* N has its own object there. */
static void merge_object(struct mcr_engine *engine, uint32_t index, uint8_t *theirs) {
    const struct mcr_object *object = &engine->objects[index];
    const struct mcr_pair *pair = &engine->pairs[object->pair];
    uint64_t own_size = pair->own_size ? pair->own_size : pair->new_size;
    const uint8_t *ours = mcr_image_at(engine, MCR_IMAGE_OURS, pair->new_address, own_size);
    bool in_place = object_kind(object) == MCR_OBJECT_CHUNK && pair->new_address == object->address;
    uint8_t *out = mcr_scratch(engine, pair->new_size);
    if (!ours || !out) {
        engine->failure = ours ? -ENOMEM : -EFAULT;
        return;
    }
    memcpy(out, ours, own_size); /* behind N's object there is nothing of N's: zero, as it was at O's base */
    if (!(object->flags & MCR_OBJECT_NEVER)) {
        struct conversion conversion = begin(engine, index, theirs);
        conversion.base = mcr_image_at(engine, MCR_IMAGE_BASE, pair->base_address, pair->base_size);
        conversion.base_size = conversion.base ? pair->base_size : 0;
        conversion.ours = own_size < pair->new_size ? out : ours; /* each place is read before it is written */
        conversion.out = out;
        conversion.out_size = pair->new_size;
        convert_object(engine, object, &conversion);
        finish_merge(engine, &conversion);
        if (conversion.taken || conversion.all_taken)
            count_transferred(engine, object);
    }
    if (in_place) {
        put_in_place(engine, object->address, theirs, out, pair->new_size);
    } else {
        patch_differences(engine, pair->new_address, out, ours, pair->new_size);
    }
}

static void move_object(struct mcr_engine *engine, uint32_t index, const uint8_t *theirs) {
    const struct mcr_object *object = &engine->objects[index];
    const struct mcr_pair *pair = &engine->pairs[object->pair];
    check_held(engine, index, pair->new_address != object->address, false);
    uint8_t *out = mcr_scratch(engine, pair->new_size);
    if (!out)
        return;
    struct conversion conversion = begin(engine, index, theirs);
    conversion.out = out;
    conversion.out_size = pair->new_size;
    convert_object(engine, object, &conversion);
    uint8_t *bytes = mcr_patch_add(engine, pair->new_address, pair->new_size);
    if (bytes)
        memcpy(bytes, out, pair->new_size);
    engine->statistics.objects_moved++;
}

/* Same address, same layout: only words that point to what moved. */
static void fix_object(struct mcr_engine *engine, uint32_t index, uint8_t *theirs) {
    const struct mcr_object *object = &engine->objects[index];
    if (object->type != MCR_NONE && (engine->tables.type_flags[object->type] & MCR_TYPE_PLAIN))
        return;
    if (mcr_is_text(engine, object))
        return;
    if (object->type == MCR_NONE) {
        mcr_fix_words(engine, theirs, object->address, mcr_bytes_in_use(object),
                      object->flags & MCR_OBJECT_RULED_OWNER);
        return;
    }
    uint64_t translated = engine->statistics.translated;
    struct conversion conversion = begin(engine, index, theirs);
    conversion.out = engine->defers ? mcr_scratch(engine, object->size) : theirs;
    conversion.out_size = object->size;
    if (!conversion.out)
        return;
    if (engine->defers)
        memcpy(conversion.out, theirs, object->size);
    convert_object(engine, object, &conversion);
    if (engine->defers)
        put_in_place(engine, object->address, theirs, conversion.out, object->size);
    else if (engine->statistics.translated != translated)
        mcr_rewritten(engine, object->address, object->size);
}

static void convert_in_place(struct mcr_engine *engine, uint32_t index, uint8_t *theirs) {
    const struct mcr_object *object = &engine->objects[index];
    uint64_t size = mcr_engine_new_size(engine, index), room = size > object->size ? size : object->size;
    check_held(engine, index, false, true);
    uint8_t *out = mcr_scratch(engine, room);
    if (!out)
        return;
    struct conversion conversion = begin(engine, index, theirs);
    conversion.out = out;
    conversion.out_size = size;
    convert_object(engine, object, &conversion);
    put_in_place(engine, object->address, theirs, out, room);
    engine->statistics.objects_converted++;
}

/* Sets what is never merged in `bytes`, an object of `type`, as it stands in `base`. */
static void reset_never(const struct mcr_engine *engine, uint32_t type, uint8_t *bytes, const uint8_t *base,
                        uint64_t size) {
    if (type == MCR_NONE)
        return;
    const struct mcr_type *one = &engine->tables.types[type];
    if (engine->tables.type_flags[type] & MCR_TYPE_NEVER) {
        memcpy(bytes, base, one->size < size ? one->size : size);
    } else if (one->kind == MCR_TYPE_ARRAY && one->target != MCR_NONE) {
        uint64_t step = engine->tables.types[one->target].size;
        for (uint64_t i = 0; step && i < one->count && (i + 1) * step <= size; i++)
            reset_never(engine, one->target, bytes + i * step, base + i * step, step);
    } else if (one->kind == MCR_TYPE_STRUCT) {
        for (uint32_t i = one->first; i < one->first + one->count; i++) {
            const struct mcr_member *member = &engine->tables.members[i];
            if (member->offset < size)
                reset_never(engine, member->type, bytes + member->offset, base + member->offset, size - member->offset);
        }
    }
}

static bool is_changed(struct mcr_engine *engine, const struct mcr_object *object, const uint8_t *base,
                       const uint8_t *theirs) {
    if (memcmp(base, theirs, object->size) == 0)
        return false;
    uint8_t *bytes = mcr_scratch(engine, object->size);
    if (!bytes)
        return true;
    memcpy(bytes, theirs, object->size);
    reset_never(engine, object->type, bytes, base, object->size);
    return memcmp(base, bytes, object->size) != 0;
}

/* A removed variable is a loss only if O ever changed it; that a thread takes a lock or waits is no such change. */
static void check_homeless(struct mcr_engine *engine, uint32_t index, const uint8_t *theirs) {
    const struct mcr_object *object = &engine->objects[index];
    const struct mcr_pair *pair = &engine->pairs[object->pair];
    const uint8_t *base = mcr_image_at(engine, MCR_IMAGE_BASE, pair->base_address, pair->base_size);
    if (!base || pair->base_size != object->size || is_changed(engine, object, base, theirs))
        mcr_event_add(engine, MCR_EVENT_NO_HOME, index, 0, object->size, 0);
}

static void transfer_object(struct mcr_engine *engine, uint32_t index) {
    const struct mcr_object *object = &engine->objects[index];
    if (mcr_stays(engine, object)) {
        engine->statistics.bytes_moved += object->size;
        count_transferred(engine, object);
        return;
    }
    uint8_t *theirs = mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, object->size);
    if (!theirs || (object->flags & MCR_OBJECT_DROPPED))
        return;
    engine->statistics.bytes_moved += object->size;
    if (object->pair != MCR_NONE) {
        const struct mcr_pair *pair = &engine->pairs[object->pair];
        if (!pair->new_address)
            check_homeless(engine, index, theirs);
        else if (pair->merges)
            merge_object(engine, index, theirs);
        else
            move_object(engine, index, theirs), count_transferred(engine, object);
        return;
    }
    count_transferred(engine, object);
    uint32_t program = mcr_object_program(engine, object);
    if (program == MCR_NONE || engine->tables.programs[program].identical)
        fix_object(engine, index, theirs);
    else
        convert_in_place(engine, index, theirs);
}

static uint8_t program_needs(const struct mcr_engine *engine, uint64_t index) {
    uint32_t program = mcr_object_program(engine, &engine->objects[index]);
    return program == MCR_NONE ? 0 : engine->readers[program];
}

/* Objects whose handlers read other objects first, while these are as O left them; results are put there at the end.
 * `needs`: only those whose handlers need one of these. */
static void transfer_readers(struct mcr_engine *engine, uint8_t needs) {
    engine->defers = true;
    mcr_library_guard(engine);
    for (uint64_t i = 0; i < engine->object_count; i++)
        if (program_needs(engine, i) & needs)
            transfer_object(engine, (uint32_t)i);
    mcr_library_unguard(engine);
    engine->defers = false;
}

int mcr_engine_prepare(struct mcr_engine *engine) {
    if (!engine->library || !engine->tables.handler_count)
        return 0;
    struct mcr_statistics statistics = engine->statistics;
    uint64_t events = engine->event_count;
    engine->library->prepares = true;
    transfer_readers(engine, NEEDS_LIBRARY);
    engine->library->prepares = false;
    engine->statistics = statistics;
    engine->event_count = events; /* all of it will be said again */
    memset(engine->given_up, 0, engine->tables.handler_count * sizeof *engine->given_up);
    engine->patch_count = engine->patch_size = engine->result_count = engine->result_size = 0;
    return engine->failure;
}

int mcr_engine_transfer(struct mcr_engine *engine) {
    bool has_handlers = engine->tables.handler_count;
    mcr_growth_learn(engine);
    mcr_moved_learn(engine);
    mcr_structures_settle(engine);
    engine->touched_count = 0;
    if (!mcr_still_learn(engine))
        return -ENOMEM;
    if (has_handlers)
        transfer_readers(engine, NEEDS_OTHERS | NEEDS_LIBRARY);
    for (uint64_t i = 0; i < engine->object_count; i++)
        if (!has_handlers || !program_needs(engine, i))
            transfer_object(engine, (uint32_t)i);
    put_deferred(engine);
    return engine->failure;
}
