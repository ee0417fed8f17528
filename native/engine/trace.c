/*
 * trace.c - mutable tracing: which object has which type, and which must stay where it is.
 *
 * Precise first, from the globals along typed pointers; then chunks that no typed pointer reached get the type of their
 * allocation site, unless that site disagreed with a precise type anywhere; then opaque bytes are scanned (scan.c).
 * Most of the time goes into waiting for memory, so pointers are met first and followed some pointers later.
 * Source: seed, "mutable tracing"; DESIGN section 8.
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>

enum {
    MAX_PASSES = 16, /* over the pointers that may mean an end */
    LARGE = 1 << 16, /* bytes; what is larger is walked last, when there will be no further round */
    AHEAD = 16,      /* pointers of an array by which the memory that will be needed is asked for early */
    MAX_MISLED = 16, /* rounds that stale words lead astray; two or three are usual */
};

static void push(struct mcr_engine *engine, uint32_t object) {
    struct work *work = &engine->work[engine->objects[object].size >= LARGE];
    if (mcr_grow(engine, &work->objects, &work->room, work->count + 1, sizeof *work->objects))
        work->objects[work->count++] = object;
}

static void reach(struct mcr_object *object, uint32_t from) {
    if (object->flags & MCR_OBJECT_REACHED)
        return;
    object->flags |= MCR_OBJECT_REACHED;
    object->parent = from;
}

/* A pointee type that says nothing about its target: void, char, incomplete. */
static bool is_vague(const struct mcr_engine *engine, uint32_t type) {
    if (type == MCR_NONE)
        return true;
    if (mcr_is_settling(engine, type))
        return false;
    const struct mcr_type *one = &engine->tables.types[type];
    return one->size == 0 || (one->size == 1 && one->kind != MCR_TYPE_STRUCT);
}

static void set_type(struct mcr_engine *engine, uint32_t index, uint32_t type, uint32_t flag) {
    struct mcr_object *object = &engine->objects[index];
    object->type = type;
    object->flags |= flag;
    uint32_t size = engine->tables.types[type].size;
    if (object->size % size && !(engine->interest[type] & INTEREST_FLEXIBLE)) {
        if (object->site < engine->tables.site_count)
            engine->site_tail[object->site] = 1;
        /* One chunk of this type has bytes behind it, so no chunk of it is an array: what was read as one was wrong. */
        engine->restart |= !(engine->tables.type_flags[type] & MCR_TYPE_TAIL);
        engine->tables.type_flags[type] |= MCR_TYPE_TAIL;
    }
    push(engine, index);
}

static void defer(struct mcr_engine *engine, uint32_t object, uint32_t type, uint32_t from, uint64_t offset) {
    if (mcr_grow(engine, &engine->deferred, &engine->deferred_room, engine->deferred_count + 1,
                 sizeof *engine->deferred))
        engine->deferred[engine->deferred_count++] = (struct deferred){object, type, from, offset};
}

/* If the chunk was taken for something else before, stale words were read, and what followed is wrong: trace again. */
static void settle(struct mcr_engine *engine, uint32_t index, uint32_t type) {
    struct mcr_object *object = &engine->objects[index];
    if (object->type != MCR_NONE || (object->flags & MCR_OBJECT_LOOKED_INTO))
        engine->misled = true;
    object->type = type;
    object->flags |= MCR_OBJECT_SETTLED | MCR_OBJECT_PRECISE;
    push(engine, index);
}

/* Whether the chunk's type says the same. */
static bool knows(const struct mcr_engine *engine, const struct mcr_object *object, uint64_t offset, uint32_t wanted) {
    return object->type != MCR_NONE &&
           mcr_type_holds(engine, object->type, mcr_reduce_offset(engine, object, offset), wanted);
}

/* A typed pointer says that `wanted` stands at `offset` of a chunk. */
static void claim(struct mcr_engine *engine, uint32_t index, uint64_t offset, uint32_t wanted, uint32_t from) {
    struct mcr_object *object = &engine->objects[index];
    uint32_t size = mcr_least_size(engine, wanted);
    if (object->flags & MCR_OBJECT_SETTLED)
        return;
    if (mcr_is_settling(engine, wanted)) {
        if (offset == 0 && object->size >= size)
            settle(engine, index, wanted);
        return;
    }
    if (object->flags & MCR_OBJECT_SUPPOSED)
        return;
    if (object->type == MCR_NONE) {
        if (offset != 0 && mcr_visit(engine, object->address + offset, wanted))
            defer(engine, index, wanted, from, offset);
        else if (offset != 0)
            return;
        else if (object->size < size)
            object->flags |= MCR_OBJECT_TOO_SMALL;
        else
            set_type(engine, index, wanted, MCR_OBJECT_PRECISE);
        return;
    }
    if (knows(engine, object, offset, wanted))
        return;
    if (offset == 0 && object->size >= size && mcr_type_holds(engine, wanted, 0, object->type)) {
        set_type(engine, index, wanted, MCR_OBJECT_PRECISE); /* what was known is only the first member of this */
        return;
    }
    object->flags |= MCR_OBJECT_CONFLICT | (offset ? MCR_OBJECT_HOLDS_OTHERS : 0);
    if (engine->tables.type_changed[wanted] || engine->tables.type_changed[object->type])
        mcr_event_add(engine, MCR_EVENT_TYPE_CONFLICT, index, offset, wanted, from);
}

static void follow(struct mcr_engine *engine, const struct met_pointer *pointer) {
    if (pointer->object == MCR_NONE || !mcr_holds(&engine->objects[pointer->object], pointer->value))
        return;
    struct mcr_object *object = &engine->objects[pointer->object];
    uint32_t target = pointer->target;
    uint64_t offset = pointer->value - object->address;
    bool vague = is_vague(engine, target);
    bool typed = !vague && object_kind(object) == MCR_OBJECT_CHUNK && !(object->flags & MCR_OBJECT_NEVER);
    if (typed && offset == 0 && mcr_may_be_end(engine, pointer->object, target)) {
        if (mcr_grow(engine, &engine->ends, &engine->end_room, engine->end_count + 1, sizeof *engine->ends))
            engine->ends[engine->end_count++] = (struct end){pointer->object, target, pointer->from, false};
        return;
    }
    engine->statistics.precise[object_place(&engine->objects[pointer->from])][object_place(object)]++;
    reach(object, pointer->from);
    if (typed)
        claim(engine, pointer->object, offset, target, pointer->from);
    else if (vague && target != MCR_NONE && offset == 0 && engine->tables.types[target].size == 1)
        object->flags |= MCR_OBJECT_BYTES;
}

static struct met_pointer *pointer_at(struct mcr_engine *engine, uint64_t number) {
    return &engine->pipeline.pointers[number % POINTERS_UNDER_WAY];
}

static void find_next(struct mcr_engine *engine) {
    struct met_pointer *pointer = pointer_at(engine, engine->pipeline.found++);
    pointer->object = mcr_find_candidate(engine, pointer->value);
    if (pointer->object != MCR_NONE)
        __builtin_prefetch(&engine->objects[pointer->object], 1);
}

/* A typed pointer was met: it goes into the pipeline, and what has been longest in there goes a step on. */
static void meet(struct mcr_engine *engine, uint32_t from, uint64_t value, uint32_t target) {
    struct pipeline *line = &engine->pipeline;
    if (value < engine->low || value >= engine->high)
        return;
    value -= mcr_tag(engine, value, target);
    mcr_find_soon(engine, value);
    *pointer_at(engine, line->met++) = (struct met_pointer){.value = value, .target = target, .from = from};
    if (line->met - line->found == POINTERS_AHEAD)
        find_next(engine);
    if (line->met - line->followed == POINTERS_UNDER_WAY)
        follow(engine, pointer_at(engine, line->followed++));
}

static void follow_all(struct mcr_engine *engine) {
    struct pipeline *line = &engine->pipeline;
    while (line->found < line->met)
        find_next(engine);
    while (line->followed < line->met)
        follow(engine, pointer_at(engine, line->followed++));
}

static void walk_pointer(struct mcr_engine *engine, uint32_t from, const struct mcr_type *type, const uint8_t *bytes) {
    const struct mcr_pointer_fact *fact = mcr_pointer_fact(engine, type);
    uint64_t value = load_word(bytes) & ~(fact ? fact->tags : 0);
    if (fact && fact->length != MCR_NONE && value)
        mcr_note_length(engine, from, type, value, bytes);
    engine->statistics.pointers += value != 0;
    meet(engine, from, value, type->target);
}

static void walk(struct mcr_engine *engine, uint32_t from, uint32_t index, const uint8_t *bytes, uint64_t limit);

/* `count` objects of a type in a row. A table of pointers can be long, and what they lead to lies anywhere. */
static void walk_elements(struct mcr_engine *engine, uint32_t from, uint32_t index, const uint8_t *bytes,
                          uint64_t count) {
    const struct mcr_type *type = &engine->tables.types[index];
    bool ahead = type->kind == MCR_TYPE_POINTER && type->size == 8;
    if (!(engine->interest[index] & INTEREST_POINTERS))
        return;
    for (uint64_t i = 0; i < count; i++) {
        if (ahead && i + AHEAD < count)
            mcr_visit_soon(engine, load_word(bytes + (i + AHEAD) * 8), type->target);
        walk(engine, from, index, bytes + i * type->size, type->size);
    }
}

/* Calls meet() for every pointer in [bytes, bytes + limit) of that type. */
static void walk(struct mcr_engine *engine, uint32_t from, uint32_t index, const uint8_t *bytes, uint64_t limit) {
    if (!(engine->interest[index] & INTEREST_POINTERS))
        return;
    const struct mcr_type *type = &engine->tables.types[index];
    switch (type->kind) {
    case MCR_TYPE_POINTER:
        if (limit >= 8)
            walk_pointer(engine, from, type, bytes);
        break;
    case MCR_TYPE_CHOICE:
        walk(engine, from, mcr_choose(engine, index, from, bytes), bytes, limit);
        break;
    case MCR_TYPE_CODE:
        engine->statistics.code_pointers++;
        break;
    case MCR_TYPE_STRUCT:
        for (uint32_t i = 0; i < type->count; i++) {
            const struct mcr_member *member = &engine->tables.members[type->first + i];
            if (member->offset < limit)
                walk(engine, from, member->type, bytes + member->offset, limit - member->offset);
        }
        break;
    case MCR_TYPE_ARRAY: {
        uint64_t size = engine->tables.types[type->target].size;
        uint64_t count = size ? limit / size : 0;
        if (type->count != MCR_NONE && type->count < count)
            count = type->count;
        walk_elements(engine, from, type->target, bytes, count);
        break;
    }
    default:
        break;
    }
}

static struct taken_object take(const struct mcr_engine *engine, uint32_t index) {
    const struct mcr_object *object = &engine->objects[index];
    struct taken_object taken = {index, mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, object->size)};
    if (taken.bytes)
        __builtin_prefetch(taken.bytes);
    return taken;
}

static void walk_object(struct mcr_engine *engine, const struct taken_object *taken) {
    const struct mcr_object *object = &engine->objects[taken->index];
    uint32_t type = object->type;
    if (!taken->bytes || type == MCR_NONE || !(engine->interest[type] & INTEREST_POINTERS))
        return;
    if (engine->interest[type] & INTEREST_FLEXIBLE) /* one object, with its elements behind it */
        walk(engine, taken->index, type, taken->bytes, object->size);
    else
        walk_elements(engine, taken->index, type, taken->bytes, mcr_elements_in_use(engine, object));
}

/* False if there is no small object to be walked. */
static bool walk_small(struct mcr_engine *engine) {
    struct work *work = &engine->work[0];
    struct pipeline *line = &engine->pipeline;
    if (work->count > OBJECTS_UNDER_WAY)
        __builtin_prefetch(&engine->objects[work->objects[work->count - 1 - OBJECTS_UNDER_WAY]]);
    if (work->count)
        line->objects[line->taken++ % OBJECTS_UNDER_WAY] = take(engine, work->objects[--work->count]);
    else if (line->walked == line->taken)
        return false;
    if (!work->count || line->taken - line->walked == OBJECTS_UNDER_WAY)
        walk_object(engine, &line->objects[line->walked++ % OBJECTS_UNDER_WAY]);
    return true;
}

static void walk_large(struct mcr_engine *engine) {
    struct work *work = &engine->work[1];
    struct taken_object taken = take(engine, work->objects[--work->count]);
    walk_object(engine, &taken);
}

/* A place of a type that N has in another form, inside a chunk without a type: what it points to may tell more. */
static void walk_inside(struct mcr_engine *engine, const struct deferred *one) {
    struct mcr_object *object = &engine->objects[one->object];
    uint32_t size = engine->tables.types[one->type].size;
    if (!engine->tables.type_changed[one->type] || object->type != MCR_NONE || one->offset + size > object->size)
        return;
    const uint8_t *bytes = mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address + one->offset, size);
    object->flags |= MCR_OBJECT_LOOKED_INTO;
    if (bytes)
        walk(engine, one->object, one->type, bytes, size);
}

static bool is_under_way(const struct mcr_engine *engine) { return engine->pipeline.followed < engine->pipeline.met; }

static void drain(struct mcr_engine *engine) {
    while (!engine->restart) {
        if (walk_small(engine))
            continue;
        if (is_under_way(engine)) {
            follow_all(engine);
        } else if (engine->work[1].count) {
            walk_large(engine);
        } else if (engine->deferred_walked < engine->deferred_count) {
            struct deferred one = engine->deferred[engine->deferred_walked++];
            walk_inside(engine, &one);
        } else {
            break;
        }
    }
}

/* The site of an untyped object says that it is something else. */
static bool is_other_by_site(const struct mcr_engine *engine, const struct mcr_object *object, uint32_t type) {
    uint32_t known = object->type == MCR_NONE ? mcr_site_type(engine, object) : MCR_NONE;
    return known != MCR_NONE && !engine->site_bad[object->site] && !is_vague(engine, known) &&
           !mcr_type_holds(engine, known, 0, type) && !mcr_type_holds(engine, type, 0, known);
}

/* Whether it is settled what a pointer means that may mean an end; `at_last`: it is what it says. */
static bool settle_end(struct mcr_engine *engine, const struct end *one, bool at_last) {
    struct mcr_object *object = &engine->objects[one->object];
    bool known = object->type != MCR_NONE || is_other_by_site(engine, object, one->type);
    if (!known && !at_last && mcr_may_be_end(engine, one->object, one->type))
        return false;
    bool is_end = known && mcr_is_end(engine, one->object, one->type);
    reach(is_end ? object - 1 : object, one->from);
    if (!is_end)
        claim(engine, one->object, 0, one->type, one->from);
    drain(engine);
    return true;
}

enum certainty { CERTAIN, UNDISPUTED, ANY };

/* Whether any was settled: it may give a type to what others lead to, and to what stands before that. */
static bool settle_some(struct mcr_engine *engine, enum certainty least) {
    uint64_t left = 0, settled = 0;
    for (uint64_t i = 0; i < engine->end_count && !engine->restart; i++) {
        struct end one = engine->ends[i]; /* more may come behind it, and the array may move */
        if (settle_end(engine, &one, least == ANY || (least == UNDISPUTED && !one.disputed)))
            settled++;
        else
            engine->ends[left++] = one;
    }
    engine->end_count = left;
    return settled;
}

static void settle_certain(struct mcr_engine *engine) {
    for (int pass = 0; pass < MAX_PASSES && settle_some(engine, CERTAIN); pass++)
        ;
}

static void settle_ends(struct mcr_engine *engine, bool at_last) {
    settle_certain(engine);
    bool settled = at_last;
    for (int pass = 0; settled && engine->end_count && pass < MAX_PASSES; pass++) {
        mcr_find_disputes(engine);
        settled = settle_some(engine, UNDISPUTED);
        settle_certain(engine);
    }
    if (at_last)
        settle_some(engine, ANY);
}

static void trace_precise(struct mcr_engine *engine) {
    for (uint64_t i = 0; i < engine->object_count; i++) {
        struct mcr_object *object = &engine->objects[i];
        if (object_kind(object) == MCR_OBJECT_CHUNK || object->type == MCR_NONE)
            continue;
        object->flags |= MCR_OBJECT_PRECISE | MCR_OBJECT_REACHED;
        push(engine, (uint32_t)i);
    }
    drain(engine);
    settle_ends(engine, false);
}

static void trace_sites(struct mcr_engine *engine) {
    mcr_check_sites(engine);
    for (uint64_t i = 0; i < engine->object_count; i++) {
        struct mcr_object *object = &engine->objects[i];
        uint32_t type = mcr_site_type(engine, object);
        if (object_kind(object) != MCR_OBJECT_CHUNK || object->type != MCR_NONE || type == MCR_NONE ||
            is_vague(engine, type) || (object->flags & (MCR_OBJECT_NEVER | MCR_OBJECT_SUPPOSED)) ||
            engine->site_bad[object->site])
            continue;
        if (object->size < mcr_least_size(engine, type))
            object->flags |= MCR_OBJECT_TOO_SMALL;
        else
            set_type(engine, (uint32_t)i, type, MCR_OBJECT_SITE_TYPED);
    }
    drain(engine);
    settle_ends(engine, true);
}

/* Typed pointers into chunks that stayed opaque: if their type changed, bytes of the old layout lie there (R1). */
static void settle_deferred(struct mcr_engine *engine) {
    for (uint64_t i = 0; i < engine->deferred_count; i++) {
        const struct deferred one = engine->deferred[i];
        struct mcr_object *object = &engine->objects[one.object];
        if (object->type != MCR_NONE) {
            claim(engine, one.object, one.offset, one.type, one.from);
            continue;
        }
        object->flags |= MCR_OBJECT_HOLDS_OTHERS;
        if (engine->tables.type_changed[one.type]) {
            if (!(object->flags & MCR_OBJECT_INTERIOR_TYPED))
                mcr_event_add(engine, MCR_EVENT_CHANGED_IN_OPAQUE, one.object, one.offset, one.type, one.from);
            object->flags |= MCR_OBJECT_INTERIOR_TYPED;
        }
    }
    engine->deferred_count = engine->deferred_walked = 0;
}

/* What was supposed to be free or plain, but no pointer of this round says so: what said it was read from stale words. */
static void withdraw_suppositions(struct mcr_engine *engine) {
    for (uint64_t i = 0; i < engine->object_count; i++) {
        struct mcr_object *object = &engine->objects[i];
        if ((object->flags & (MCR_OBJECT_SUPPOSED | MCR_OBJECT_SETTLED)) != MCR_OBJECT_SUPPOSED)
            continue;
        object->flags &= ~MCR_OBJECT_SUPPOSED;
        engine->misled = true;
    }
}

static void reset(struct mcr_engine *engine) {
    const uint32_t found = MCR_OBJECT_REACHED | MCR_OBJECT_PRECISE | MCR_OBJECT_SITE_TYPED | MCR_OBJECT_CONFLICT |
                           MCR_OBJECT_TOO_SMALL | MCR_OBJECT_IMMUTABLE | MCR_OBJECT_NONUPDATABLE |
                           MCR_OBJECT_INTERIOR_TYPED | MCR_OBJECT_HELD_INSIDE | MCR_OBJECT_SETTLED |
                           MCR_OBJECT_LOOKED_INTO | MCR_OBJECT_BYTES | MCR_OBJECT_HOLDS_OTHERS;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        struct mcr_object *object = &engine->objects[i];
        if (object->flags & MCR_OBJECT_SETTLED)
            object->flags |= MCR_OBJECT_SUPPOSED;
        object->flags &= ~found;
        object->parent = object->holder = MCR_NONE;
        if (object_kind(object) == MCR_OBJECT_CHUNK)
            object->type = MCR_NONE;
    }
    if (engine->misled)
        memset(engine->site_tail, 0, engine->tables.site_count + 1);
    for (uint32_t i = 0; engine->misled && i < engine->tables.type_count; i++)
        engine->tables.type_flags[i] &= ~MCR_TYPE_TAIL;
    memset(&engine->statistics, 0, sizeof engine->statistics);
    memset(engine->site_bad, 0, engine->tables.site_count + 1);
    engine->work[0].count = engine->work[1].count = engine->deferred_count = engine->deferred_walked =
        engine->event_count = engine->end_count = 0;
    engine->pipeline = (struct pipeline){0};
    mcr_visits_clear(engine);
    engine->restart = engine->misled = false;
}

/* A round finds all types, or what the next one must know: a type whose chunks have tails, a chunk that is free. */
static void trace_round(struct mcr_engine *engine) {
    reset(engine);
    trace_precise(engine);
    if (!engine->restart)
        trace_sites(engine);
    while (!engine->restart && engine->deferred_count) {
        settle_deferred(engine);
        drain(engine);
        settle_ends(engine, true);
    }
    if (!engine->restart && !engine->misled)
        withdraw_suppositions(engine);
}

int mcr_engine_trace(struct mcr_engine *engine) {
    if (!mcr_visits_can_hold(engine->tables.type_count))
        return -E2BIG;
    free(engine->site_bad);
    free(engine->site_tail);
    engine->site_bad = calloc(engine->tables.site_count + 1, 1);
    engine->site_tail = calloc(engine->tables.site_count + 1, 1);
    if (!engine->site_bad || !engine->site_tail)
        return -ENOMEM;
    uint32_t misled = 0;
    do {
        trace_round(engine);
        misled += engine->misled;
    } while ((engine->restart || engine->misled) && misled < MAX_MISLED);
    if (engine->misled)
        return -ELOOP;
    mcr_doubt_objects(engine);
    mcr_scan_objects(engine);
    mcr_count_objects(engine);
    return engine->failure;
}
