/* statistics.c - what tracing has found out, counted over all objects. */
#include "internal.h"

void mcr_count_objects(struct mcr_engine *engine) {
    struct mcr_statistics *statistics = &engine->statistics;
    statistics->objects = engine->object_count;
    for (uint64_t i = 0; i < engine->object_count; i++) {
        uint32_t flags = engine->objects[i].flags;
        statistics->reached += (flags & MCR_OBJECT_REACHED) != 0;
        statistics->typed_precise += (flags & MCR_OBJECT_PRECISE) != 0;
        statistics->typed_site += (flags & MCR_OBJECT_SITE_TYPED) != 0;
        statistics->opaque += engine->objects[i].type == MCR_NONE;
        statistics->pinned += (flags & MCR_OBJECT_IMMUTABLE) != 0;
        statistics->nonupdatable += (flags & MCR_OBJECT_NONUPDATABLE) != 0;
        statistics->bytes += engine->objects[i].size;
    }
}
