/* wait_times.h - what the waits for time, signals, threads and children share. */
#ifndef MCR_WAIT_TIMES_H
#define MCR_WAIT_TIMES_H

#include "hooks.h"

enum { MCR_SECOND_NS = 1000000000 };

static inline int64_t mcr_to_ns(const struct timespec *time) { return time->tv_sec * MCR_SECOND_NS + time->tv_nsec; }

static inline struct timespec mcr_to_timespec(int64_t ns) {
    return (struct timespec){ns / MCR_SECOND_NS, ns % MCR_SECOND_NS};
}

static inline bool mcr_is_valid_time(const struct timespec *time) {
    return time && time->tv_sec >= 0 && time->tv_sec < INT64_MAX / MCR_SECOND_NS - 1 && time->tv_nsec >= 0 &&
           time->tv_nsec < MCR_SECOND_NS;
}

/* Nanoseconds until then, 0 if it has come; -1 if only the kernel can tell. */
static inline int64_t mcr_until(clockid_t clock, const struct timespec *deadline) {
    struct timespec now;
    if (!mcr_is_valid_time(deadline) || mcr_real.clock_gettime(clock, &now) != 0)
        return -1;
    int64_t left = mcr_to_ns(deadline) - mcr_to_ns(&now);
    return left > 0 ? left : 0;
}

/* Into a wait for other threads of the program. Returns whom to tell when it is over. */
static inline struct mcr_thread *mcr_wait_begin_internal(uint64_t pc) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_INTERNAL, pc);
    if (thread)
        return thread;
    struct mcr_wait wait = {.kind = MCR_WAIT_INTERNAL, .pc = pc, .timeout_ns = -1};
    mcr_wait_arrive(&wait);
    return wait.thread;
}

#endif
