/*
 * structures.c - linked structures that both sides changed are taken from O as a whole.
 *
 * A merge field by field is right for values and for tables with a slot for everything. In a hash chain, a list or a
 * tree the pointers of many objects only make sense together: if O has linked its objects otherwise since its start,
 * and N's start-up linked its own otherwise than O's had, then a mixture is neither. O's is the live one, and with it
 * what leads into it from outside: a list's head and end, the slots of a table.
 * A link is a pointer from an object to one of its own kind. Other pointers say nothing of an order: a list whose links
 * O has left alone stays N's, whatever else its objects point to.
 * Source: DESIGN section 9 ("a mixed merge is suspect"); FACTS-E2E section 4.
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>

enum { OLD_CHANGED = 1, NEW_CHANGED = 2, BOTH_CHANGED = OLD_CHANGED | NEW_CHANGED, NEW_ADDED = 4, OPAQUE_MAX = 65536 };

struct structures {
    struct mcr_engine *engine;
    bool joins;        /* whether to join what is linked, or only to see what has changed */
    uint32_t *leaders; /* by object: union-find over the links between chunks */
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
    uint32_t index, type;
    enum kind kind;
    const uint8_t *theirs, *base, *ours; /* base and ours are NULL for what O has made since its start */
    uint64_t base_size, ours_size;
};

static bool may_point(const struct mcr_engine *engine, uint64_t value) {
    return value >= engine->low && value < engine->high;
}

/* Whether N's start-up has made the object that is there, and O has none like it. */
static bool is_of_new(struct mcr_engine *engine, uint64_t address) {
    return mcr_image_at(engine, MCR_IMAGE_OURS, address, 8) && mcr_twin_at(engine, address) == MCR_NONE;
}

struct slot { /* a pointer in a node */
    uint64_t offset;
    uint64_t tags; /* bits of it that are no address */
    bool is_link;  /* as its type says; a list can also go through a member that objects of all kinds have */
};

static uint64_t value_at(const uint8_t *bytes, uint64_t offset, const struct slot *slot) {
    return load_word(bytes + offset) & ~slot->tags;
}

static void compare(struct structures *one, const struct node *node, const struct slot *slot, uint64_t theirs) {
    struct mcr_engine *engine = one->engine;
    uint64_t offset = slot->offset, there, base_moved, theirs_moved;
    if (!node->base || offset + 8 > node->base_size || !node->ours ||
        !mcr_map_offset(engine, &engine->objects[node->index], offset, &there) || there + 8 > node->ours_size)
        return;
    uint64_t base = value_at(node->base, offset, slot), ours = value_at(node->ours, there, slot);
    bool pointers = may_point(engine, theirs) || may_point(engine, base);
    if (theirs != base && (pointers || node->kind == TYPED_NODE))
        one->changes[node->index] |= OLD_CHANGED;
    if (theirs == base && mcr_is_in_image(engine, base))
        return; /* to a constant or a function: no link of a structure */
    mcr_translate(engine, base, &base_moved);
    mcr_translate(engine, theirs, &theirs_moved);
    if (ours == base_moved || ours == theirs_moved || !(pointers || node->kind == TYPED_NODE))
        return;
    one->changes[node->index] |= NEW_CHANGED;
    if (node->kind == TYPED_NODE && is_of_new(engine, ours))
        one->changes[node->index] |= NEW_ADDED;
}

/* The node of the same kind that a word leads to, or MCR_NONE. */
static uint32_t neighbour(const struct structures *one, const struct node *node, uint64_t value) {
    uint32_t target = may_point(one->engine, value) ? mcr_find_object(one->engine, value) : MCR_NONE;
    if (target == MCR_NONE || kind_of(one->engine, target) != node->kind)
        return MCR_NONE;
    return node->kind == OPAQUE_NODE || one->engine->objects[target].type == node->type ? target : MCR_NONE;
}

static bool was_neighbour(const struct structures *one, const struct node *node, const struct slot *slot) {
    if (!node->base || slot->offset + 8 > node->base_size)
        return false;
    uint32_t target = neighbour(one, node, value_at(node->base, slot->offset, slot));
    uint32_t pair = target == MCR_NONE ? MCR_NONE : one->engine->objects[target].pair;
    return pair != MCR_NONE && one->engine->pairs[pair].base_size; /* what is there now was there then */
}

static void look_at_pointer(struct structures *one, const struct node *node, const struct slot *slot) {
    uint64_t theirs = value_at(node->theirs, slot->offset, slot);
    uint32_t target = neighbour(one, node, theirs);
    if (one->joins && target != MCR_NONE)
        join(one, node->index, target);
    else if (!one->joins && (slot->is_link || target != MCR_NONE || was_neighbour(one, node, slot)))
        compare(one, node, slot, theirs);
}

static void look_at_words(struct structures *one, const struct node *node, uint64_t size) {
    for (uint64_t offset = 0; offset + 8 <= size; offset += 8)
        look_at_pointer(one, node, &(struct slot){.offset = offset, .is_link = true});
}

static void walk_pointers(struct structures *one, const struct node *node, uint32_t index, uint64_t offset,
                          uint64_t limit) {
    const struct mcr_engine *engine = one->engine;
    const struct mcr_type *type = &engine->tables.types[index];
    if (!(engine->interest[index] & INTEREST_POINTERS))
        return;
    const struct mcr_pointer_fact *fact = type->kind == MCR_TYPE_POINTER ? mcr_pointer_fact(engine, type) : NULL;
    const struct slot slot = {offset, fact ? fact->tags : 0, type->target == node->type};
    if (type->kind == MCR_TYPE_POINTER && limit >= 8)
        look_at_pointer(one, node, &slot);
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
                        .type = object->type,
                        .kind = kind_of(engine, index),
                        .theirs = mcr_image_at(engine, MCR_IMAGE_THEIRS, object->address, object->size)};
    if (object->pair != MCR_NONE && engine->pairs[object->pair].merges) {
        const struct mcr_pair *pair = &engine->pairs[object->pair];
        node.base = mcr_image_at(engine, MCR_IMAGE_BASE, pair->base_address, pair->base_size);
        node.base_size = pair->base_size;
        node.ours = mcr_image_at(engine, MCR_IMAGE_OURS, pair->new_address, pair->new_size);
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
        if ((one->changes[first] & BOTH_CHANGED) != BOTH_CHANGED || object->pair == MCR_NONE ||
            !engine->pairs[object->pair].merges)
            continue;
        object->flags |= MCR_OBJECT_OLD_WINS;
        engine->statistics.old_structures++;
        if (one->changes[i] & NEW_CHANGED)
            mcr_event_add(engine, MCR_EVENT_STRUCTURE, (uint32_t)i, 0, (one->changes[i] & NEW_ADDED) != 0, 0);
    }
}

bool mcr_structures_lead(struct mcr_engine *engine, uint64_t theirs, uint64_t ours) {
    if (!engine->statistics.old_structures)
        return false;
    uint32_t targets[] = {mcr_find_object(engine, theirs), mcr_twin_at(engine, ours)};
    for (int i = 0; i < 2; i++)
        if (targets[i] != MCR_NONE && (engine->objects[targets[i]].flags & MCR_OBJECT_OLD_WINS))
            return true;
    return false;
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
    return (all & BOTH_CHANGED) == BOTH_CHANGED;
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
    mcr_twins_forget(engine);
    if (!one.leaders || !one.changes) {
        engine->failure = -ENOMEM;
    } else if (find_changes(&one)) {
        join_all(&one);
        take_old(&one);
    }
    free(one.leaders);
    free(one.changes);
}
