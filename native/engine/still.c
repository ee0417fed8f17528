/*
 * still.c - pages of O from which no pointer leads elsewhere in N: objects in them stay as they are.
 *
 * Nearly all objects keep place and form, and nearly all of their pointers lead to such objects. Whole pages are asked
 * for the few words that do not, so that nothing has to be done for each object.
 */
#include "internal.h"
#include <stdlib.h>

enum { PAGE_BYTES = 4096 };

/* Nothing in it but aligned pointers and what stays as it is can change when an object keeps its place and form. */
static bool changes_by_word(const struct mcr_engine *engine, const struct mcr_program *program) {
    for (uint32_t i = program->first; i < program->first + program->count; i++) {
        const struct mcr_op *op = &engine->tables.ops[i];
        bool aligned = op->old_offset % 8 == 0 && op->old_stride % 8 == 0;
        bool is_tagged = op->code == MCR_OP_POINTER && (op->length || op->aux);
        if (op->code == MCR_OP_ENUM || op->code == MCR_OP_DROPPED || op->code == MCR_OP_CHOICE || is_tagged)
            return false;
        if (!aligned && (op->code == MCR_OP_POINTER || op->code == MCR_OP_CODE || op->code == MCR_OP_LOOP))
            return false;
    }
    return program->old_size % 8 == 0;
}

static bool learn_programs(struct mcr_engine *engine) {
    uint32_t count = engine->tables.program_count;
    free(engine->by_word);
    engine->by_word = calloc(count + 1, 1);
    for (uint32_t i = 0; engine->by_word && i < count; i++)
        engine->by_word[i] =
            engine->tables.programs[i].identical && changes_by_word(engine, &engine->tables.programs[i]);
    return engine->by_word;
}

static bool is_by_word(const struct mcr_engine *engine, uint32_t program) {
    return program == MCR_NONE || engine->by_word[program];
}

static bool leads_nowhere_else(const struct mcr_engine *engine, const struct mcr_extent *extent, uint64_t address) {
    const struct mcr_tables *tables = &engine->tables;
    struct words words = mcr_words_in(extent, address, 0, PAGE_BYTES);
    mcr_words_between(&words, engine->low < tables->image_start ? engine->low : tables->image_start,
                      engine->high > tables->image_end ? engine->high : tables->image_end);
    for (uint64_t value; mcr_words_next(&words, &value);)
        if (mcr_may_lead_elsewhere(engine, value))
            return false;
    return true;
}

bool mcr_still_learn(struct mcr_engine *engine) {
    const struct image *image = &engine->images[MCR_IMAGE_THEIRS];
    if (!learn_programs(engine))
        return false;
    for (uint32_t i = 0; i < image->count; i++) {
        const struct mcr_extent *extent = &image->extents[i];
        uint64_t end = extent->address + extent->size;
        for (uint64_t at = (extent->address + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES; at + PAGE_BYTES <= end;
             at += PAGE_BYTES)
            if (leads_nowhere_else(engine, extent, at))
                mcr_page_set_still(engine, at);
    }
    return true;
}

bool mcr_stays(const struct mcr_engine *engine, const struct mcr_object *object) {
    uint32_t program = mcr_object_program(engine, object);
    if (!engine->by_word) /* nothing has been learnt yet */
        return false;
    if (object->pair != MCR_NONE || (object->flags & MCR_OBJECT_DROPPED) || !is_by_word(engine, program))
        return false;
    if (program != MCR_NONE && !is_by_word(engine, engine->tables.programs[program].tail_program))
        return false;
    return mcr_pages_still(engine, object->address, object->size);
}
