/*
 * handler.c - transfer handlers on one object each.
 *
 * Where N has an object of its own the handler runs twice, on O's object as it is and as it was at the end of O's
 * start-up: what comes out the same keeps N's value, as in any merge. Source: DESIGN sections 9 and 13.
 */
#include "machine.h"

enum { MAX_DEPTH = 8 };

struct sides { /* what one run reads and writes */
    uint32_t image;
    const uint8_t *old;
    uint64_t old_size;
    uint8_t *new;
};

/* Whether the handler came to its end. */
static bool run_on(struct mcr_engine *engine, const struct conversion *c, const struct mcr_handler *handler,
                   uint64_t old_offset, const struct sides *sides, bool notes_stores) {
    struct machine m;
    memset(&m, 0, offsetof(struct machine, registers) + handler->registers * sizeof m.registers[0]);
    m.engine = engine, m.handler = handler;
    m.image = sides->image;
    m.object = c->object, m.object_offset = c->object_offset + old_offset;
    m.old = sides->old, m.old_size = sides->old_size, m.new = sides->new;
    m.notes_stores = notes_stores;
    m.rounds = handler->rounds;
    m.failed = engine->tables.steps + handler->first;
    uint32_t failure = MCR_HANDLER_NESTED;
    if (engine->handler_depth < MAX_DEPTH) {
        engine->handler_depth++;
        failure = mcr_machine_run(&m);
        engine->handler_depth--;
    }
    if (failure == MCR_HANDLER_LONG)
        engine->given_up[handler - engine->tables.handlers] = true;
    if (failure && m.image == MCR_IMAGE_THEIRS)
        mcr_event_add(engine, MCR_EVENT_HANDLER_FAILED, m.object, m.object_offset,
                      (uint64_t)(m.failed - engine->tables.steps), failure);
    return !failure;
}

/* What came out otherwise than of the base takes O's side, store by store. `theirs`, `base`: N's object made of each. */
static void merge_stores(struct mcr_engine *engine, struct conversion *c, const uint8_t *theirs, const uint8_t *base,
                         uint64_t old_offset, uint64_t new_offset) {
    for (uint64_t i = 0; i < engine->store_count; i++) {
        struct store one = engine->stores[i];
        const uint8_t *ours = c->ours ? c->ours + new_offset + one.offset : NULL;
        bool differs = ours && memcmp(ours, base + one.offset, one.size) != 0;
        engine->statistics.merged_fields++;
        if (memcmp(theirs + one.offset, base + one.offset, one.size) == 0) {
            c->all_kept += differs;
            continue;
        }
        memcpy(c->out + new_offset + one.offset, theirs + one.offset, one.size);
        engine->statistics.taken_old++;
        c->taken++, c->all_taken++;
        if (differs && memcmp(ours, theirs + one.offset, one.size) != 0) {
            engine->statistics.both_changed++;
            mcr_event_add(engine, MCR_EVENT_BOTH_CHANGED, c->object, c->object_offset + old_offset, 0, 0);
        }
    }
}

static void handle_merged(struct mcr_engine *engine, struct conversion *c, const struct mcr_handler *handler,
                          uint64_t old_offset, uint64_t new_offset) {
    uint64_t size = handler->new_size;
    if (!mcr_grow(engine, &engine->sides, &engine->sides_room, 2 * size, 1))
        return;
    uint8_t *theirs = engine->sides, *base = engine->sides + size, *new = c->out + new_offset;
    memcpy(theirs, new, size);
    memcpy(base, new, size);
    struct sides was = {MCR_IMAGE_BASE, c->base + old_offset, handler->old_size, base};
    struct sides is = {MCR_IMAGE_THEIRS, c->theirs + old_offset, c->theirs_size - old_offset, theirs};
    bool has_base = run_on(engine, c, handler, old_offset, &was, false);
    engine->store_count = 0;
    if (!run_on(engine, c, handler, old_offset, &is, true))
        return;
    if (has_base)
        merge_stores(engine, c, theirs, base, old_offset, new_offset);
    else
        memcpy(new, theirs, size);
}

void mcr_handle(struct mcr_engine *engine, struct conversion *c, const struct mcr_op *op, uint64_t old_offset,
                uint64_t new_offset) {
    const struct mcr_handler *handler = &engine->tables.handlers[op->aux];
    if (engine->given_up[op->aux] || old_offset + handler->old_size > c->theirs_size ||
        new_offset + handler->new_size > c->out_size)
        return;
    bool old_wins = (engine->objects[c->object].flags & MCR_OBJECT_OLD_WINS) || (op->flags & MCR_OPFLAG_KEEP_OLD);
    if (c->base && !old_wins && old_offset + handler->old_size <= c->base_size) {
        handle_merged(engine, c, handler, old_offset, new_offset);
        return;
    }
    struct sides is = {MCR_IMAGE_THEIRS, c->theirs + old_offset, c->theirs_size - old_offset, c->out + new_offset};
    run_on(engine, c, handler, old_offset, &is, false);
}
