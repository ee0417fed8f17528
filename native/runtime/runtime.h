/*
 * runtime.h - what the parts of libmcr.so know of one another.
 *
 * House rules of this library (host_safe.h enforces the first two):
 *  - It never exits, aborts, or blocks its host. On any doubt a hook forwards the call and mcr_disable() sets the error state.
 *  - It never calls malloc and friends, stdio, or dlsym-before-init from a hook; own memory comes from mcr_map().
 *  - Every hook works before libmcr's own constructor, after it, in every thread, in a signal handler and after fork.
 *  - Thread-local data is initial-exec; locks are futex words of our own (mcr_lock), reset in the child after fork.
 */
#ifndef MCR_RUNTIME_H
#define MCR_RUNTIME_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../mcr_abi.h"
#include <stdbool.h>
#include <sys/types.h>

/* ---- control.c: the control block, own memory, tables, error state ---- */
extern struct mcr_control mcr_control;          /* exported as `mcr_control` */
extern const struct mcr_settings *mcr_settings; /* mapped settings, NULL when off */
const void *mcr_settings_part(uint64_t offset); /* a variable part of the settings */
void *mcr_map(size_t bytes);                    /* raw NORESERVE anonymous mapping, private range; NULL on failure */
bool mcr_table_init(struct mcr_table *table, uint32_t entry_size, uint64_t capacity);
void *mcr_table_add(struct mcr_table *table, uint64_t *index); /* zeroed entry, not yet counted; NULL if full */
/* The entry is complete: count covers it once all before are. */
void mcr_table_publish(struct mcr_table *table, uint64_t index);
uint64_t mcr_blob_add(const void *bytes, size_t size); /* offset in the blob table, UINT64_MAX if full */
void mcr_disable(enum mcr_error error, const char *text, int line);
#define MCR_DISABLE(error, text) mcr_disable(error, text, __LINE__)
static inline bool mcr_is_startup(void) { return __builtin_expect(mcr_control.state == MCR_STATE_STARTUP, 0); }

struct mcr_lock {
    volatile int word;
}; /* 0 free, 1 taken, 2 taken and awaited; futex */
void mcr_lock_take(struct mcr_lock *lock);
void mcr_lock_drop(struct mcr_lock *lock);

/* ---- threads.c: identity of the calling thread ---- */
struct mcr_self {
    uint32_t thread;                /* index in the thread table + 1; 0 = not yet registered */
    uint32_t busy;                  /* recursion guard: > 0 inside a hook; hooks then forward */
    void *heap_cache;               /* heap.c's thread cache */
    uint64_t stack_low, stack_high; /* bounds of its stack, 0 if unknown */
};
extern __thread struct mcr_self mcr_self __attribute__((tls_model("initial-exec")));
uint32_t mcr_thread_index(void);    /* registers the caller on first use */
uint64_t mcr_thread_self_key(void); /* mcr_thread_key() of the caller */

/* ---- stack.c: unwinding by module tables ---- */
struct mcr_frame {
    uint64_t pc, sp, bp;
}; /* pc = a return address; sp = its CFA-side stack pointer; bp */
/* The caller's caller: expands in the hook itself, so it must be always_inline. Needs -fno-omit-frame-pointer in libmcr. */
#define MCR_CALLER()                                                                                                   \
    ((struct mcr_frame){(uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0) + 16,              \
                        *(uint64_t *)__builtin_frame_address(0)})
void mcr_stack_load_modules(void);      /* at start and after dlopen: fills control.modules, maps tables */
extern volatile bool mcr_modules_stale; /* a library was loaded in a way that we could not look at afterwards */
bool mcr_stack_adopt(const struct mcr_module *modules, uint64_t count); /* of earlier generations; false: no room */
uint32_t mcr_stack_walk(struct mcr_frame frame, uint64_t *returns, uint32_t max); /* returns[0] = frame.pc */
uint32_t mcr_stack_walk_site(struct mcr_frame frame,
                             uint64_t *returns); /* as deep as wrappers reach, <= MCR_SITE_DEPTH */
uint64_t mcr_stack_id(const uint64_t *returns, uint32_t depth);
uint64_t mcr_stack_here(struct mcr_frame frame); /* walk everything and hash */

/* ---- heap.c, pages.c, heap_hooks.c: the allocator ---- */
bool mcr_adopt_counterpart(void); /* a forked child: O's spans are those of its counterpart now */
bool mcr_heap_init(void);         /* from settings; before it, a small static bootstrap area serves */
void mcr_heap_thread_exit(void);  /* gives the caller's cache back */
void mcr_heap_fork_prepare(void);
void mcr_heap_fork_parent(void);
void mcr_heap_fork_child(void);
int mcr_heap_adopt(struct mcr_adoption *adoption); /* 0 or -errno; it is changed */
int mcr_heap_forget(const uint64_t *addresses, uint32_t count);
uint64_t mcr_heap_allocate(uint64_t size); /* N, for the controller: a chunk's address; 0 = no memory */
void mcr_heap_note_startup_end(void);      /* allocations are no longer logged */

/* ---- allocations.c: start-up allocation log and placement plan ---- */
struct mcr_placement {
    uint64_t address;
    int32_t plan;
    uint32_t flags;
    uint32_t nth;
    uint64_t stack_id;
};
void mcr_allocation_plan(struct mcr_frame frame, uint64_t size,
                         struct mcr_placement *ret); /* before allocating in start-up */
void mcr_allocation_log(const struct mcr_placement *placement, uint64_t address, uint64_t size, uint32_t site);
void mcr_allocation_moved(uint64_t old_address, uint64_t address, uint64_t size); /* realloc of a STARTUP chunk */
void mcr_allocation_freed(uint64_t address);                                      /* free of a STARTUP chunk */

/* ---- operations.c, replay.c: start-up log and matching ---- */
/* ---- waits.c: wait wrappers and the hold ---- */
/* ---- snapshot.c: the base ---- */
int mcr_snapshot_take(void);            /* 0 or -errno */
uint64_t mcr_snapshot_take_early(void); /* its number, 0 = it could not be taken */
/* ---- channel.c: N's side of the channel ---- */
int mcr_channel_greet(void);  /* receives the first descriptors, sends HELLO */
void mcr_channel_serve(void); /* the held initial thread's loop; returns after COMMIT */

#endif
