/*
 * moved.c - which addresses of O lead elsewhere in N: those of objects that have another place or another form there.
 *
 * Nearly all pointers lead to objects that stay as they are. They are told apart by a few stretches of memory, without
 * a search for the object.
 */
#include "internal.h"

enum { NEAR = 1 << 22 }; /* bytes; objects that lie so near each other are one stretch */

static bool leads_elsewhere(const struct mcr_engine *engine, const struct mcr_object *object) {
    uint32_t program = mcr_object_program(engine, object);
    if (object->flags & MCR_OBJECT_DROPPED)
        return true;
    if (object->pair != MCR_NONE && engine->pairs[object->pair].new_address != object->address)
        return true;
    return program != MCR_NONE && !engine->tables.programs[program].identical;
}

/* Objects are sorted by address. */
void mcr_moved_learn(struct mcr_engine *engine) {
    struct stretch *last = NULL;
    engine->stretch_count = 0;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        const struct mcr_object *object = &engine->objects[i];
        uint64_t end = object->address + object->size + 1; /* one past its end leads to it, too */
        if (!leads_elsewhere(engine, object))
            continue;
        if (last && object->address - last->end < NEAR) {
            last->end = end;
        } else if (mcr_grow(engine, &engine->stretches, &engine->stretch_room, engine->stretch_count + 1,
                            sizeof *last)) {
            last = &engine->stretches[engine->stretch_count++];
            *last = (struct stretch){object->address, end};
        }
    }
}

bool mcr_may_lead_elsewhere(const struct mcr_engine *engine, uint64_t value) {
    uint64_t low = 0;
    for (uint64_t high = engine->stretch_count; low < high;) {
        uint64_t middle = (low + high) / 2;
        if (engine->stretches[middle].start <= value)
            low = middle + 1;
        else
            high = middle;
    }
    bool in_image = value >= engine->tables.image_start && value < engine->tables.image_end;
    return in_image || engine->failure || (low && value < engine->stretches[low - 1].end);
}
