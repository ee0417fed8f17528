/* library.h - calls from transfer handlers into a handler library (../mcr_handlers.h). */
#ifndef MCR_ENGINE_LIBRARY_H
#define MCR_ENGINE_LIBRARY_H

#include "machine.h"

enum { MAX_MESSAGES = 16, MESSAGE_SIZE = 240 };

struct library {
    void *const *functions;
    uint32_t count;
    bool prepares;   /* this run is to learn what memory they want */
    uint32_t broken; /* why none is called again: one of them has crashed, or did not end */
    struct mcr_wanted *wanted;
    uint64_t wanted_count, wanted_room, next; /* next: the first that was not asked for a second time */
    uint64_t *freed; /* in the order of the calls; the lowest bit is set where it was freed before */
    uint64_t freed_count, freed_room, next_freed;
    char messages[MAX_MESSAGES][MESSAGE_SIZE];
    uint32_t message_count;
};

/* Calls the function of a step, with registers as arguments. Answers enum mcr_handler_failure. */
uint32_t mcr_library_call(struct machine *machine, const struct mcr_step *step);

/* Between these, crashes of library functions are caught on this thread. */
void mcr_library_guard(struct mcr_engine *engine);
void mcr_library_unguard(struct mcr_engine *engine);

#endif
