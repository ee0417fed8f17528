/*
 * unblock.c - O: gets a thread out of a call in which it blocks, so that it can go on to its next quiescent point.
 *
 * By a signal that the program handles, or by an event in the descriptor for which the thread waits; a user has said that
 * the program takes either well. The controller asks, so that it need not be allowed to signal the program; a thread
 * that is held does it, at most two milliseconds later. Source: seed, "quiescence detection": annotated signals, injected
 * descriptor events.
 */
#include "hooks.h"
#include <poll.h>
#include "host_safe.h"

/* One is the smallest thing that a reader of an eventfd or of a pipe can find. */
static long inject(int fd, size_t size) {
    static const uint64_t one = 1;
    struct pollfd end = {fd, POLLOUT, 0};
    if (MCR_SYS(poll, &end, 1, 0) != 1 || !(end.revents & POLLOUT))
        return -EAGAIN;
    long written = MCR_SYS(write, fd, &one, size < sizeof one ? size : sizeof one);
    return written < 0 ? written : 0;
}

void mcr_unblock_serve(void) {
    uint32_t wanted = mcr_control.unblock;
    if (wanted != MCR_UNBLOCK_SIGNAL && wanted != MCR_UNBLOCK_EVENT)
        return;
    if (!__atomic_compare_exchange_n(&mcr_control.unblock, &wanted, MCR_UNBLOCK_BUSY, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED))
        return;
    long result = wanted == MCR_UNBLOCK_SIGNAL
                      ? MCR_SYS(tgkill, mcr_control.pid, mcr_control.unblock_target, mcr_control.unblock_argument)
                      : inject(mcr_control.unblock_target, mcr_control.unblock_argument);
    mcr_control.unblock_result = (int32_t)result;
    __atomic_store_n(&mcr_control.unblock, MCR_UNBLOCK_NONE, __ATOMIC_SEQ_CST);
}
