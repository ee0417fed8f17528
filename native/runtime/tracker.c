/*
 * tracker.c - O: makes the descriptor by which the controller learns which pages the program writes.
 *
 * The kernel gives a userfaultfd for the memory of the process that asks, so O must ask; all else (which memory, since
 * when, which pages) is the controller's business and costs O nothing but its first write to each page. The controller
 * takes a copy and has this one closed at once: when it dies the tracking is over. A request is served by whichever
 * thread comes to a wait next. Source: userfaultfd(2); Documentation/admin-guide/mm/pagemap.rst.
 */
#include "hooks.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include "host_safe.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1 /* what a process without privileges may have; enough, since nothing is ever blocked */
#endif

static void open_tracker(void) {
    long fd = MCR_SYS(userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    mcr_control.tracker_fd = fd < 0 ? (int)fd : mcr_fd_private((int)fd);
}

static void close_tracker(void) {
    if (mcr_control.tracker_fd >= 0)
        mcr_fd_close_own(mcr_control.tracker_fd);
    mcr_control.tracker_fd = -1;
}

void mcr_tracker_serve(void) {
    uint32_t wanted = mcr_control.tracker;
    if (wanted != MCR_TRACKER_OPEN && wanted != MCR_TRACKER_CLOSE)
        return;
    if (!__atomic_compare_exchange_n(&mcr_control.tracker, &wanted, MCR_TRACKER_BUSY, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED))
        return;
    close_tracker();
    if (wanted == MCR_TRACKER_OPEN)
        open_tracker();
    __atomic_store_n(&mcr_control.tracker, MCR_TRACKER_NONE, __ATOMIC_SEQ_CST);
}
