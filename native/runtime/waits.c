/*
 * waits.c - what happens when a thread is about to wait.
 *
 * Each wait wrapper tells the thread table what its thread waits for. Beyond that:
 *
 * O, while control.hold is set: a thread that arrives at an external or timed wait stays here until `hold` is cleared or
 * its deadline passes, then waits for what is left of its time. The controller cannot wake a futex in another process,
 * so one of the held threads looks at the word every two milliseconds, for all of them. A signal that came meanwhile
 * has been handled: calls that such a signal would have ended return EINTR. With MCR_HOLD_IDLE those go on for which
 * something has come, so that what the server's own threads have sent each other is taken. Timed waits for conditions
 * and semaphores are not held here, but go on without their deadline (hooks_thread_waits.c).
 *
 * N before commit: external and timed waits are held at first arrival, since N must not take what is meant for O. Waits
 * for N's own threads go on. The initial thread, held, ends start-up and serves the channel. If it only waits for its
 * own threads, the first held thread that finds start-up over does so in its place.
 *
 * After commit the world has changed under the held thread: descriptors, timers and the memory that its caller's
 * pointers lead to. A call whose arguments are values starts now (accept, read, recv and their kind, sem_timedwait,
 * sigwait and theirs). A call that holds pointers to the program's tables (epoll_wait, poll, select) returns EINTR once,
 * so that its caller looks at its own state again. Sleeps are over; timed waits for a condition wake as if spuriously,
 * which every caller allows for.
 */
#include "hooks.h"
#include <linux/futex.h>
#include "host_safe.h"

enum { HOLD_SLICE_NS = 2000000, LOOK_SLICE_NS = 50000000 };

static volatile uint32_t gate;    /* N: 1 = released; a futex */
static volatile uint32_t serving; /* N: 1 = somebody serves the channel */
static volatile uint32_t watched; /* O: 1 = a held thread looks at `hold`; a futex for the others */

static void count_held(int change) { __atomic_fetch_add(&mcr_control.held, change, __ATOMIC_SEQ_CST); }

static bool holds_new(uint32_t kind, bool external) {
    if (!mcr_thread_is_initial())
        return kind == MCR_WAIT_EXTERNAL || kind == MCR_WAIT_TIMED;
    return external || (kind == MCR_WAIT_TIMED && (mcr_control.state != MCR_STATE_STARTUP || mcr_startup_is_over()));
}

static bool is_held(void) { return mcr_control.hold && mcr_now_ns() < mcr_control.hold_deadline_ns; }

static bool holds_old(uint32_t kind) {
    return is_held() && mcr_control.state == MCR_STATE_SERVING && (kind == MCR_WAIT_EXTERNAL || kind == MCR_WAIT_TIMED);
}

bool mcr_wait_holds(uint32_t kind) {
    if (mcr_self.busy || MCR_SYS(getpid) != mcr_control.pid)
        return false;
    return mcr_unreleased ? holds_new(kind, kind == MCR_WAIT_EXTERNAL) : holds_old(kind);
}

/* What the thread waits for has come, or only the kernel can tell. */
static bool has_come(const struct mcr_wait *wait) {
    if (wait->for_signal || (wait->kind == MCR_WAIT_EXTERNAL && !wait->fds))
        return true;
    return wait->kind != MCR_WAIT_TIMED && MCR_SYS(poll, wait->fds, wait->fd_count, 0) != 0;
}

/* MCR_HOLD_IDLE: each thread looks for itself. True: a signal came. */
static bool look_around(const struct mcr_wait *wait) {
    struct timespec look = {0, HOLD_SLICE_NS};
    if (wait->kind != MCR_WAIT_TIMED && wait->fds)
        return MCR_SYS(ppoll, wait->fds, wait->fd_count, &look, NULL, 0) == -EINTR;
    return MCR_SYS(futex, &mcr_control.hold, FUTEX_WAIT_PRIVATE, MCR_HOLD_IDLE, &look) == -EINTR;
}

/* One thread looks at the word for all, so that the others do not run at all meanwhile. True: a signal came. */
static bool watch_hold(void) {
    const struct timespec look = {0, HOLD_SLICE_NS}, relay = {0, LOOK_SLICE_NS};
    bool interrupted = false;
    if (__atomic_exchange_n(&watched, 1, __ATOMIC_SEQ_CST))
        return MCR_SYS(futex, &watched, FUTEX_WAIT_PRIVATE, 1, &relay) == -EINTR;
    while (is_held() && mcr_control.hold == MCR_HOLD_ALL) {
        if (MCR_SYS(futex, &mcr_control.hold, FUTEX_WAIT_PRIVATE, MCR_HOLD_ALL, &look) == -EINTR)
            interrupted = true;
        mcr_unblock_serve();
    }
    __atomic_store_n(&watched, 0, __ATOMIC_SEQ_CST);
    MCR_SYS(futex, &watched, FUTEX_WAKE_PRIVATE, INT32_MAX);
    return interrupted;
}

/* O: stays until the hold ends, or lets the thread go. */
static enum mcr_verdict hold_old(struct mcr_wait *wait) {
    bool interrupted = false;
    uint32_t mode;
    wait->entered_ns = mcr_now_ns();
    wait->thread->wait = MCR_WAIT_HELD;
    count_held(1);
    while ((mode = mcr_control.hold) != MCR_HOLD_NONE && is_held() && (mode != MCR_HOLD_IDLE || !has_come(wait))) {
        interrupted |= mode == MCR_HOLD_IDLE ? look_around(wait) : watch_hold();
        mcr_unblock_serve();
    }
    count_held(-1);
    wait->thread->wait = wait->kind;
    return interrupted ? MCR_INTERRUPTED : MCR_GO;
}

/* O: a program that idles in its first wait must still come to the end of its start-up in time. */
static enum mcr_verdict watch_startup(struct mcr_wait *wait) {
    while (wait->fds && mcr_control.state == MCR_STATE_STARTUP) {
        uint64_t now = mcr_now_ns(), deadline = mcr_startup_deadline();
        if (mcr_startup_is_over() || now >= deadline) {
            mcr_startup_end();
            break;
        }
        int64_t left = mcr_wait_left(wait), slice = (int64_t)(deadline - now);
        if (left >= 0 && left < slice)
            slice = left;
        if (slice > LOOK_SLICE_NS)
            slice = LOOK_SLICE_NS; /* another thread may be the last one to arrive, without a wait of its own */
        struct timespec timeout = {slice / 1000000000, slice % 1000000000};
        int ready = mcr_real.ppoll(wait->fds, wait->fd_count, &timeout, NULL);
        if (ready < 0 && errno == EINTR)
            return MCR_INTERRUPTED;
        if (ready != 0 || left == 0)
            break;
    }
    return MCR_GO;
}

static enum mcr_verdict arrive_old(struct mcr_wait *wait, bool external) {
    if (mcr_control.state == MCR_STATE_STARTUP && !wait->polling) {
        mcr_startup_arrives(wait->kind, external);
        __atomic_store_n(&wait->thread->waited_once, 1, __ATOMIC_SEQ_CST);
        if (mcr_startup_is_over()) {
            mcr_startup_end();
        } else if (mcr_thread_is_initial() && external) {
            wait->entered_ns = mcr_now_ns();
            if (watch_startup(wait) == MCR_INTERRUPTED)
                return MCR_INTERRUPTED;
        }
    }
    if (mcr_control.tracker)
        mcr_tracker_serve();
    return !wait->no_hold && holds_old(wait->kind) ? hold_old(wait) : MCR_GO;
}

static void serve(void) {
    mcr_startup_end();
    mcr_channel_send(MCR_CMD_HELD, 0);
    mcr_channel_serve();
}

/* N: stays until release, which is the end of the process if the update fails. */
static void stay(bool may_serve) {
    const struct timespec slice = {0, LOOK_SLICE_NS};
    while (!gate) {
        bool look = may_serve && mcr_control.state == MCR_STATE_STARTUP;
        if (look && mcr_startup_is_over() && mcr_thread_initial()->wait == MCR_WAIT_INTERNAL &&
            !__atomic_exchange_n(&serving, 1, __ATOMIC_SEQ_CST))
            serve();
        MCR_SYS(futex, &gate, FUTEX_WAIT_PRIVATE, 0, look ? &slice : NULL);
    }
}

static void stay_initial(void) {
    const struct timespec slice = {0, 1000000};
    while (!mcr_startup_is_over())
        MCR_SYS(nanosleep, &slice, NULL);
    if (__atomic_exchange_n(&serving, 1, __ATOMIC_SEQ_CST))
        stay(false);
    else
        serve();
}

static enum mcr_verdict arrive_new(struct mcr_wait *wait, bool external) {
    bool starting = mcr_control.state == MCR_STATE_STARTUP;
    if (wait->polling && starting && mcr_now_ns() < mcr_startup_deadline())
        return MCR_EMPTY;
    if (starting)
        mcr_startup_arrives(wait->kind, external);
    __atomic_store_n(&wait->thread->waited_once, 1, __ATOMIC_SEQ_CST);
    if (wait->no_hold || !holds_new(wait->kind, external))
        return MCR_GO;
    wait->entered_ns = mcr_now_ns();
    wait->thread->wait = MCR_WAIT_HELD;
    count_held(1);
    if (mcr_thread_is_initial())
        stay_initial();
    else
        stay(true);
    count_held(-1);
    wait->thread->wait = MCR_WAIT_NONE;
    return MCR_RELEASED;
}

enum mcr_verdict mcr_wait_arrive(struct mcr_wait *wait) {
    uint32_t state = mcr_control.state;
    int saved = errno;
    mcr_real_load();
    wait->thread = NULL;
    if (mcr_unreleased && state == MCR_STATE_DISABLED)
        mcr_wait_park();
    if (mcr_self.busy || state == MCR_STATE_STARTING || state == MCR_STATE_DISABLED ||
        MCR_SYS(getpid) != mcr_control.pid)
        return MCR_GO;
    wait->thread = mcr_thread_here();
    wait->thread->wait_pc = wait->pc;
    wait->thread->wait = wait->kind;
    if (state == MCR_STATE_STARTUP && mcr_wait_is_probe(wait))
        return MCR_GO;
    bool external = wait->kind == MCR_WAIT_EXTERNAL || wait->for_signal;
    enum mcr_verdict verdict = mcr_unreleased ? arrive_new(wait, external) : arrive_old(wait, external);
    if (verdict != MCR_GO)
        wait->thread->wait = MCR_WAIT_NONE;
    errno = saved;
    return verdict;
}

int64_t mcr_wait_left(const struct mcr_wait *wait) {
    if (wait->timeout_ns < 0 || !wait->entered_ns)
        return wait->timeout_ns;
    int64_t left = wait->timeout_ns - (int64_t)(mcr_now_ns() - wait->entered_ns);
    return left > 0 ? left : 0;
}

void mcr_wait_park(void) {
    if (mcr_thread_is_initial() && !__atomic_exchange_n(&serving, 1, __ATOMIC_SEQ_CST))
        mcr_channel_serve();
    stay(false);
}

void mcr_release(void) {
    mcr_unreleased = false;
    mcr_control.state = MCR_STATE_SERVING;
    gate = 1;
    MCR_SYS(futex, &gate, FUTEX_WAKE_PRIVATE, INT32_MAX);
    mcr_conditions_release();
}
