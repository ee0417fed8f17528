/*
 * mcr_handlers.h - for libraries of transfer handlers: C functions that annotations call where expressions are not enough.
 *
 *     use "handlers.so";
 *     transfer quicklistNode { new.entry = as_listpack(old.zl, old.count); }
 *
 *     #include "mcr_handlers.h"
 *     uint64_t as_listpack(struct mcr_call *call) {
 *         const uint8_t *list = mcr_old_bytes(call, call->arguments[0], mcr_old_size(call, call->arguments[0]));
 *         uint64_t address;
 *         uint8_t *pack = list ? mcr_new_bytes(call, size_of_pack(list), &address) : NULL;
 *         if (!pack)
 *             return 0;
 *         ...fill pack...
 *         mcr_free_old(call, call->arguments[0]);
 *         return address;
 *     }
 *
 *     gcc -O2 -shared -fPIC -o handlers.so handlers.c
 *
 * What holds. The functions run in the controller, on copies: neither the old server's memory nor the new one's is there,
 * and nothing they write goes anywhere but into the bytes that they were given. Addresses are numbers: those of the old
 * server are looked at through mcr_old_bytes, those of the new one can only be stored. A function is called twice with the
 * same arguments, first to learn what memory it wants, and must ask for the same both times: no clock, no random numbers,
 * no state of its own. A crash, an abort() or more than two seconds in one call is caught: the update is refused and the
 * old server serves on. So it does if the controller ends, since what holds the old server has a deadline.
 */
#ifndef MCR_HANDLERS_H
#define MCR_HANDLERS_H

#include <stdint.h>

#define MCR_HANDLERS_VERSION 1
#define MCR_MAX_ARGUMENTS    6

struct mcr_call {
    uint32_t version; /* MCR_HANDLERS_VERSION of the controller */
    uint32_t argument_count;
    uint64_t arguments[MCR_MAX_ARGUMENTS]; /* numbers, and addresses of the old server */
    const void *(*old_bytes)(struct mcr_call *call, uint64_t address, uint64_t size);
    uint64_t (*old_size)(struct mcr_call *call, uint64_t address);
    void *(*new_bytes)(struct mcr_call *call, uint64_t size, uint64_t *address);
    uint64_t (*new_address)(struct mcr_call *call, uint64_t old_address);
    void (*free_old)(struct mcr_call *call, uint64_t address);
    void (*fail)(struct mcr_call *call, const char *why);
};

/* A function that an annotation calls by its name. The result is a number, or an address of the new server. */
typedef uint64_t mcr_handler_function(struct mcr_call *call);

/* `size` bytes of the old server's memory at an address, all in one object of it; NULL if they are not. Until the call
 * returns. */
static inline const void *mcr_old_bytes(struct mcr_call *call, uint64_t address, uint64_t size) {
    return call->old_bytes(call, address, size);
}

/* Bytes from an address of the old server to the end of the object that holds it (of a malloc'ed piece of memory: what
 * was asked for); 0 if none does. */
static inline uint64_t mcr_old_size(struct mcr_call *call, uint64_t address) { return call->old_size(call, address); }

/* `size` zeroed bytes that will stand at *address in the new server, as if it had allocated them with malloc. Fill them
 * before the call returns. NULL: there is no memory, or it is not what the function asked for the first time. */
static inline void *mcr_new_bytes(struct mcr_call *call, uint64_t size, uint64_t *address) {
    return call->new_bytes(call, size, address);
}

/* Where what an address of the old server points to is in the new one; 0 if it is not there. */
static inline uint64_t mcr_new_address(struct mcr_call *call, uint64_t old_address) {
    return call->new_address(call, old_address);
}

/* The new server needs no copy of the malloc'ed memory at this address; nothing of it may point there. */
static inline void mcr_free_old(struct mcr_call *call, uint64_t address) { call->free_old(call, address); }

/* This object cannot be transferred, for a reason that the user will read. The update is refused. */
static inline void mcr_fail(struct mcr_call *call, const char *why) { call->fail(call, why); }

#endif
