/*
 * moved.c - which addresses of O lead elsewhere in N: those of objects that have another place or another form there.
 *
 * Nearly all pointers lead to objects that stay as they are. They are told apart by a few stretches of memory, without
 * a search for the object.
 */
#include "internal.h"

static bool leads_elsewhere(const struct mcr_engine *engine, const struct mcr_object *object) {
    uint32_t program = mcr_object_program(engine, object);
    if (object->flags & MCR_OBJECT_DROPPED)
        return true;
    if (object->pair != MCR_NONE && engine->pairs[object->pair].new_address != object->address)
        return true;
    return program != MCR_NONE && !engine->tables.programs[program].identical;
}

/* One past its end leads to an object, too. False: there are more stretches than may be. */
static bool add(struct mcr_engine *engine, const struct mcr_object *object, uint64_t near) {
    struct stretch *last = engine->stretch_count ? &engine->stretches[engine->stretch_count - 1] : NULL;
    if (last && object->address < last->start + last->size + near) {
        last->size = object->address + object->size + 1 - last->start;
        return true;
    }
    if (engine->stretch_count == MAX_STRETCHES)
        return false;
    engine->stretches[engine->stretch_count++] = (struct stretch){object->address, object->size + 1};
    return true;
}

/* Objects, which are sorted by address, that lie within `near` bytes of each other are one stretch. */
static bool fill(struct mcr_engine *engine, uint64_t near) {
    engine->stretch_count = 0;
    for (uint64_t i = 0; i < engine->object_count; i++)
        if (leads_elsewhere(engine, &engine->objects[i]) && !add(engine, &engine->objects[i], near))
            return false;
    return true;
}

void mcr_moved_learn(struct mcr_engine *engine) {
    for (uint32_t shift = 16; shift < 63 && !fill(engine, 1ull << shift); shift += 2)
        ;
}
