/*
 * structures.c - linked structures that both sides changed are taken from O as a whole.
 *
 * A merge field by field is right for values and for tables with a slot for everything. In a hash chain, a list or a
 * tree the pointers of many objects only make sense together: if O has linked its objects otherwise since its start,
 * and N's start-up linked its own otherwise than O's had, then a mixture is neither. O's is the live one.
 * Source: DESIGN section 9 ("a mixed merge is suspect"); FACTS-E2E section 4.
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>

enum { OLD_CHANGED = 1, NEW_CHANGED = 2, OPAQUE_MAX = 65536 };

struct structures {
    struct mcr_engine *engine;
    bool joins;        /* whether to join what points to each other, or only to see what has changed */
    uint32_t *leaders; /* by object: union-find over the pointers between struct chunks */
    uint8_t *changes;  /* by object; by leader in the end */
};

static uint32_t leader(struct structures *one, uint32_t index) {
    while (one->leaders[index] != index)
        index = one->leaders[index] = one->leaders[one->leaders[index]];
    return index;
}

static void join(struct structures *one, uint32_t left, uint32_t right) {
    left = leader(one, left), right = leader(one, right);
    if (left != right)
        one->leaders[left > right ? left : right] = left > right ? right : left;
}

enum kind { NO_NODE, TYPED_NODE, OPAQUE_NODE };

/* Chunks of structs, and small ones without a type (an interpreter's objects); both kinds are kept apart. Tables of
 * pointers hold a structure together, but each of their slots stands for itself. */
static enum kind kind_of(const struct mcr_engine *engine, uint32_t index) {
    const uint32_t others = MCR_OBJECT_NEVER | MCR_OBJECT_SETTLED | MCR_OBJECT_RULED_OWNER;
    const struct mcr_object *object = &engine->objects[index];
    if (object_kind(object) != MCR_OBJECT_CHUNK || (object->flags & others))
        return NO_NODE;
    if (object->type == MCR_NONE)
        return object->size <= OPAQUE_MAX ? OPAQUE_NODE : NO_NODE;
    return engine->tables.types[object->type].kind == MCR_TYPE_STRUCT ? TYPED_NODE : NO_NODE;
}

struct node {
    uint32_t index;
    enum kind kind;
    const uint8_t *theirs, *base, *ours; /* base and ours are NULL for what O has made since its start */
    uint64_t base_size, ours_size;
};

static bool may_point(const struct mcr_engine *engine, uint64_t value) {
    return value >= engine->low && value < engine->high;
}

static void compare(struct structures *one, const struct node *node, uint64_t offset, uint64_t theirs, uint64_t tags) {
    struct mcr_engine *engine = one->engine;
    if (!node->base || offset + 8 > node->base_size || !node->ours || offset + 8 > node->ours_size)
        return;
    uint64_t base = load_word(node->base + offset) & ~tags, ours = load_word(node->ours + offset) & ~tags;
    uint64_t base_moved, theirs_moved;
    bool pointers = may_point(engine, theirs) || may_point(engine, base);
    if (theirs != base && (pointers || node->kind == TYPED_NODE))
        one->changes[node->index] |= OLD_CHANGED;
    mcr_translate(engine, base, &base_moved);
    mcr_translate(engine, theirs, &theirs_moved);
    if (ours != base_moved && ours != theirs_moved && (pointers || node->kind == TYPED_NODE))
        one->changes[node->index] |= NEW_CHANGED;
}

static void look_at_pointer(struct structures *one, const struct node *node, uint64_t offset, uint64_t tags) {
    uint64_t theirs = load_word(node->theirs + offset) & ~tags;
    if (!one->joins) {
        compare(one, node, offset, theirs, tags);
        return;
    }
    uint32_t target = may_point(one->engine, theirs) ? mcr_find_object(one->engine, theirs) : MCR_NONE;
    if (target != MCR_NONE && kind_of(one->engine, target) == node->kind)
        join(one, node->index, target);
}

static void look_at_words(struct structures *one, const struct node *node, uint64_t size) {
    for (uint64_t offset = 0; offset + 8 <= size; offset += 8)
        look_at_pointer(one, node, offset, 0);
}

static void walk_pointers(struct structures *one, const struct node *node, uint32_t index, uint64_t offset,
                          uint64_t limit) {
    const struct mcr_engine *engine = one->engine;
    const struct mcr_type *type = &engine->tables.types[index];
    if (!(engine->interest[index] & INTEREST_POINTERS))
        return;
    const struct mcr_pointer_fact *fact = type->kind == MCR_TYPE_POINTER ? mcr_pointer_fact(engine, type) : NULL;
    if (type->kind == MCR_TYPE_POINTER && limit >= 8)
        look_at_pointer(one, node, offset, fact ? fact->tags : 0);
    if (type->kind == MCR_TYPE_CHOICE)
        walk_pointers(one, node, mcr_choose(engine, index, MCR_NONE, node->theirs + offset), offset, limit);
    for (uint32_t i = 0; type->kind == MCR_TYPE_STRUCT && i < type->count; i++) {
        const struct mcr_member *member = &engine->tables.members[type->first + i];
        if (member->offset < limit)
            walk_pointers(one, node, member->type, offset + member->offset, limit - member->offset);
    }
    if (type->kind != MCR_TYPE_ARRAY)
        return;
    uint64_t size = engine->tables.types[type->target].size, count = size ? limit / size : 0;
    if (type->count != MCR_NONE && type->count < count)
        count = type->count;
    for (uint64_t i = 0; i < count; i++)
        walk_pointers(one, node, type->target, offset + i * size, size);
}

static void look_at_node(struct structures *one, uint32_t index) {
    struct mcr_engine *engine = one->engine;
    const struct mcr_object *object = &engine->objects[index];
    struct node node = {.index = index,
                        .kind = kind_of(engine, index),
                        .theirs = mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, object->size)};
    if (object->pair != MCR_NONE && engine->pairs[object->pair].merges) {
        const struct mcr_pair *pair = &engine->pairs[object->pair];
        uint32_t program = mcr_object_program(engine, object);
        bool alike = program == MCR_NONE || engine->tables.programs[program].identical;
        node.base = mcr_image_at(engine, MCR_IMAGE_BASE, pair->base_address, pair->base_size);
        node.base_size = pair->base_size;
        node.ours = alike ? mcr_image_at(engine, MCR_IMAGE_OURS, pair->new_address, pair->new_size) : NULL;
        node.ours_size = pair->new_size;
    }
    if (node.theirs && node.kind == OPAQUE_NODE)
        look_at_words(one, &node, mcr_bytes_in_use(object));
    if (!node.theirs || node.kind == OPAQUE_NODE)
        return;
    uint32_t size = engine->tables.types[object->type].size, count = mcr_elements_in_use(engine, object);
    for (uint64_t i = 0; i < count; i++)
        walk_pointers(one, &node, object->type, i * size, count == 1 ? mcr_bytes_in_use(object) : size);
}

static void take_old(struct structures *one) {
    struct mcr_engine *engine = one->engine;
    for (uint64_t i = 0; i < engine->object_count; i++)
        one->changes[leader(one, (uint32_t)i)] |= one->changes[i];
    for (uint64_t i = 0; i < engine->object_count; i++) {
        struct mcr_object *object = &engine->objects[i];
        uint32_t first = leader(one, (uint32_t)i);
        if (one->changes[first] != (OLD_CHANGED | NEW_CHANGED) || object->pair == MCR_NONE ||
            !engine->pairs[object->pair].merges)
            continue;
        object->flags |= MCR_OBJECT_OLD_WINS;
        engine->statistics.old_structures++;
        if (one->changes[i] & NEW_CHANGED)
            mcr_event_add(engine, MCR_EVENT_STRUCTURE, (uint32_t)i, 0, first, 0);
    }
}

/* Only what N has, too, can have been changed by both. */
static bool find_changes(struct structures *one) {
    struct mcr_engine *engine = one->engine;
    uint8_t all = 0;
    for (uint32_t i = 0; i < engine->pair_count; i++) {
        uint32_t index = engine->pairs[i].object;
        if (!engine->pairs[i].merges || kind_of(engine, index) == NO_NODE)
            continue;
        look_at_node(one, index);
        all |= one->changes[index];
    }
    return all == (OLD_CHANGED | NEW_CHANGED);
}

static void join_all(struct structures *one) {
    struct mcr_engine *engine = one->engine;
    one->joins = true;
    for (uint64_t i = 0; i < engine->object_count; i++)
        one->leaders[i] = (uint32_t)i;
    for (uint64_t i = 0; i < engine->object_count; i++)
        if (kind_of(engine, (uint32_t)i) != NO_NODE)
            look_at_node(one, (uint32_t)i);
}

void mcr_structures_settle(struct mcr_engine *engine) {
    struct structures one = {.engine = engine,
                             .leaders = malloc(engine->object_count * sizeof *one.leaders + 1),
                             .changes = calloc(engine->object_count + 1, 1)};
    if (!one.leaders || !one.changes) {
        engine->failure = -ENOMEM;
    } else if (find_changes(&one)) {
        join_all(&one);
        take_old(&one);
    }
    free(one.leaders);
    free(one.changes);
}
