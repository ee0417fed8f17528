/* machine.h - the register machine that runs the steps of transfer handlers (handlers.h). */
#ifndef MCR_ENGINE_MACHINE_H
#define MCR_ENGINE_MACHINE_H

#include "internal.h"

struct machine { /* `registers` comes last: only those that the handler uses need be zero */
    struct mcr_engine *engine;
    const struct mcr_handler *handler;
    uint32_t image; /* O's memory as it is, or as it was */
    uint32_t object;
    uint64_t object_offset; /* of `old` in the object, for events */
    const uint8_t *old;
    uint8_t *new;
    uint64_t old_size;
    bool notes_stores;
    uint64_t rounds;
    uint64_t start, end;  /* the object of O that was read last, */
    const uint8_t *bytes; /* which stands here */
    const struct mcr_step *failed;
    uint64_t registers[MCR_REGISTERS];
};

/* `size` bytes at an address of O, all in one object; NULL if they are not. */
const uint8_t *mcr_machine_memory(struct machine *machine, uint64_t address, uint64_t size);

/* Runs to the end, or to a failure (enum mcr_handler_failure); `failed` is then the step that failed. */
uint32_t mcr_machine_run(struct machine *machine);

#endif
