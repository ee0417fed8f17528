/*
 * tracker.c - O: makes the descriptor by which the controller learns which pages the program writes.
 *
 * The kernel gives a userfaultfd for the memory of the process that asks, so O must ask; all else (which memory, since
 * when, which pages) is the controller's business and costs O nothing but its first write to each page. The controller
 * takes a copy and has this one closed at once: when it dies the tracking is over. If it dies before that, this one is
 * closed when its time is over. A request is served by whichever thread comes to a wait next.
 * Source: userfaultfd(2); Documentation/admin-guide/mm/pagemap.rst.
 */
#include "hooks.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include "host_safe.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1 /* what a process without privileges may have; enough, since nothing is ever blocked */
#endif

static uint64_t opened_ns;

static void open_tracker(void) {
    long fd = MCR_SYS(userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    mcr_control.tracker_fd = fd < 0 ? (int)fd : mcr_fd_private((int)fd);
    opened_ns = mcr_now_ns();
}

static void close_tracker(void) {
    if (mcr_control.tracker_fd >= 0)
        mcr_fd_close_own(mcr_control.tracker_fd);
    mcr_control.tracker_fd = -1;
}

static bool is_due(uint32_t wanted) {
    if (wanted == MCR_TRACKER_OPENED)
        return mcr_now_ns() - opened_ns > MCR_TRACKER_LEASE_MS * 1000000ull;
    return wanted == MCR_TRACKER_OPEN || wanted == MCR_TRACKER_CLOSE;
}

void mcr_tracker_serve(void) {
    uint32_t wanted = mcr_control.tracker;
    if (!is_due(wanted) || !__atomic_compare_exchange_n(&mcr_control.tracker, &wanted, MCR_TRACKER_BUSY, false,
                                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return;
    close_tracker();
    if (wanted == MCR_TRACKER_OPEN)
        open_tracker();
    uint32_t done = mcr_control.tracker_fd >= 0 ? MCR_TRACKER_OPENED : MCR_TRACKER_NONE;
    __atomic_store_n(&mcr_control.tracker, done, __ATOMIC_SEQ_CST);
}
