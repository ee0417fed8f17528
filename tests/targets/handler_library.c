/* handler_library.c - functions for tests of handler libraries (native/mcr_handlers.h): each does one thing. */
#include "mcr_handlers.h"
#include <stdlib.h>
#include <string.h>

/* The sum of its arguments. */
uint64_t sum(struct mcr_call *call) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < call->argument_count; i++)
        total += call->arguments[i];
    return total;
}

/* A text of O's, doubled, in new memory; O's is given back. */
uint64_t twice(struct mcr_call *call) {
    uint64_t size = mcr_old_size(call, call->arguments[0]), address = 0;
    const char *text = mcr_old_bytes(call, call->arguments[0], size);
    char *copy = text ? mcr_new_bytes(call, 2 * size - 1, &address) : NULL;
    if (!copy)
        return 0;
    memcpy(copy, text, size - 1);
    memcpy(copy + size - 1, text, size);
    mcr_free_old(call, call->arguments[0]);
    return address;
}

uint64_t frees_twice(struct mcr_call *call) {
    mcr_free_old(call, call->arguments[0]);
    mcr_free_old(call, call->arguments[0]);
    return 0;
}

uint64_t moved(struct mcr_call *call) { return mcr_new_address(call, call->arguments[0]); }

uint64_t refuses(struct mcr_call *call) {
    mcr_fail(call, "no session has more than a million hits");
    return 0;
}

uint64_t crashes(struct mcr_call *call) { return *(volatile uint64_t *)call->arguments[0]; }

uint64_t aborts(struct mcr_call *call) {
    (void)call;
    abort();
}

uint64_t overflows(struct mcr_call *call) {
    volatile char much[65536];
    much[0] = (char)call->argument_count;
    return overflows(call) + (uint64_t)much[0];
}

uint64_t never_ends(struct mcr_call *call) {
    for (volatile uint64_t i = 0;; i++)
        (void)call;
}

uint64_t changes_its_mind(struct mcr_call *call) {
    static uint64_t size;
    uint64_t address;
    size += 16;
    return mcr_new_bytes(call, size, &address) ? address : 0;
}

uint64_t reads_too_far(struct mcr_call *call) {
    return mcr_old_bytes(call, call->arguments[0], mcr_old_size(call, call->arguments[0]) + 1) ? 1 : 2;
}
