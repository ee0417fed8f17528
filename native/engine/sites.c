/* sites.c - what allocation sites say of types, and whether they are to be believed. Source: DESIGN section 8. */
#include "internal.h"

uint32_t mcr_site_type(const struct mcr_engine *engine, const struct mcr_object *object) {
    return object->site < engine->tables.site_count ? engine->tables.site_types[object->site] : MCR_NONE;
}

bool mcr_is_text(const struct mcr_engine *engine, const struct mcr_object *object) {
    bool untyped = (object->flags & MCR_OBJECT_TEXT) && object->type == MCR_NONE;
    return untyped && (object->site >= engine->tables.site_count || !engine->site_bad[object->site]);
}

/* Both start-ups have put the address of the same thing at the same place: that is no client's doing. */
static bool holds_addresses(struct mcr_engine *engine, const struct mcr_object *object) {
    const struct mcr_pair *pair = object->pair == MCR_NONE ? NULL : &engine->pairs[object->pair];
    if (!pair || !pair->merges)
        return false;
    uint64_t size = pair->base_size < pair->new_size ? pair->base_size : pair->new_size, moved;
    const uint8_t *base = mcr_image_at(engine, MCR_IMAGE_BASE, pair->base_address, size);
    const uint8_t *ours = mcr_image_at(engine, MCR_IMAGE_OURS, pair->new_address, size);
    for (uint64_t at = 0; base && ours && at + 8 <= size; at += 8) {
        uint64_t before = load_word(base + at), after = load_word(ours + at);
        if (before == after)
            continue;
        enum landing landing = mcr_translate(engine, before, &moved);
        if ((landing == LANDS_MOVED || landing == LANDS_CODE) && moved == after)
            return true;
    }
    return false;
}

/* A site of text one of whose chunks a typed pointer leads to, or which holds addresses, gives memory for everything. */
static void check_text(struct mcr_engine *engine, const struct mcr_object *object) {
    if (!(object->flags & MCR_OBJECT_TEXT) || object->site >= engine->tables.site_count)
        return;
    bool typed = (object->flags & MCR_OBJECT_PRECISE) && object->type != MCR_NONE;
    if (typed || holds_addresses(engine, object))
        engine->site_bad[object->site] = 1;
}

/* A site whose type contradicts a precise one anywhere is not believed anywhere. */
void mcr_check_sites(struct mcr_engine *engine) {
    for (uint64_t i = 0; i < engine->object_count; i++) {
        const struct mcr_object *object = &engine->objects[i];
        uint32_t type = mcr_site_type(engine, object);
        check_text(engine, object);
        if (type == MCR_NONE || !(object->flags & MCR_OBJECT_PRECISE) || object->type == MCR_NONE ||
            (object->flags & MCR_OBJECT_SETTLED))
            continue; /* memory that changes hands says nothing of who allocated it */
        if (mcr_type_holds(engine, type, 0, object->type) || mcr_type_holds(engine, object->type, 0, type)) {
            engine->statistics.site_agreements++;
            continue;
        }
        engine->statistics.site_disagreements++;
        if (!engine->site_bad[object->site])
            engine->statistics.disqualified_sites++;
        engine->site_bad[object->site] = 1;
    }
}
