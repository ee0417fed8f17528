/*
 * startup.c - the end of start-up, and what happens then.
 *
 * It has come when the initial thread enters its first external wait and each thread created so far has waited once, or
 * the start-up timeout has passed since then; in O, a connection accepted ends it at once. An initial thread that never
 * waits for anything external has ended its start-up when it has slept, over and over, or waited for its own threads
 * without a break, for as long as the timeout.
 */
#include "hooks.h"
#include <linux/futex.h>
#include "host_safe.h"

enum { DEFAULT_TIMEOUT_MS = 5000, LONGEST_END_NS = 1000000000 };

/* When the initial thread first waited for something external, first slept, began its present internal wait; 0 never. */
static volatile uint64_t arrived_ns, slept_ns, blocked_ns;
static volatile uint32_t ending, ended; /* the latter is a futex */

void mcr_startup_begin(void) {
    arrived_ns = slept_ns = blocked_ns = 0;
    ending = ended = 0;
}

static uint64_t deadline(void) {
    uint32_t ms =
        mcr_settings && mcr_settings->startup_timeout_ms ? mcr_settings->startup_timeout_ms : DEFAULT_TIMEOUT_MS;
    uint64_t start = arrived_ns;
    uint32_t wait = mcr_thread_initial()->wait;
    if (!start && wait == MCR_WAIT_TIMED)
        start = slept_ns;
    else if (!start && wait == MCR_WAIT_INTERNAL)
        start = blocked_ns;
    return start ? start + ms * 1000000ull : UINT64_MAX;
}

uint64_t mcr_startup_deadline(void) { return deadline(); }

void mcr_startup_arrives(uint32_t kind, bool external) {
    if (!mcr_thread_is_initial())
        return;
    if (external && !arrived_ns)
        __atomic_store_n(&arrived_ns, mcr_now_ns(), __ATOMIC_SEQ_CST);
    else if (kind == MCR_WAIT_INTERNAL)
        blocked_ns = mcr_now_ns();
    else if (!slept_ns)
        slept_ns = mcr_now_ns();
}

bool mcr_startup_is_over(void) {
    if (__atomic_load_n(&arrived_ns, __ATOMIC_SEQ_CST) && mcr_threads_all_waited())
        return true;
    return mcr_now_ns() >= deadline();
}

/* Another thread takes the base just now: what the caller does next must not be part of it. */
static void wait_for_end(void) {
    const struct timespec slice = {0, 100000000};
    uint64_t deadline = mcr_now_ns() + LONGEST_END_NS;
    while (!ended && mcr_now_ns() < deadline)
        MCR_SYS(futex, &ended, FUTEX_WAIT_PRIVATE, 0, &slice);
}

static void end(void) {
    mcr_heap_note_startup_end();
    mcr_inputs_finish();
    if (!mcr_unreleased && mcr_snapshot_take() != 0)
        MCR_DISABLE(MCR_ERROR_SNAPSHOT, "the snapshot at the end of start-up failed");
    mcr_control.startup_end_ns = mcr_now_ns();
    uint32_t startup = MCR_STATE_STARTUP, next = mcr_unreleased ? MCR_STATE_HELD : MCR_STATE_SERVING;
    __atomic_compare_exchange_n(&mcr_control.state, &startup, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void mcr_startup_end(void) {
    if (mcr_control.state != MCR_STATE_STARTUP || mcr_self.busy)
        return;
    if (__atomic_exchange_n(&ending, 1, __ATOMIC_SEQ_CST)) {
        wait_for_end();
        return;
    }
    mcr_self.busy++;
    end();
    mcr_self.busy--;
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    MCR_SYS(futex, &ended, FUTEX_WAKE_PRIVATE, INT32_MAX);
}
