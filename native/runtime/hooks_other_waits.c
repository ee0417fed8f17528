/*
 * hooks_other_waits.c - waits for time, signals and child processes. waits.c says what each does when its thread was
 * held. Waits for other threads are in hooks_thread_waits.c.
 */
#include "wait_times.h"
#include "host_safe.h"

/* ---- time ---- */
static int sleep_slowly(const struct timespec *time, struct timespec *left, uint64_t pc) {
    mcr_real_load();
    if (!mcr_is_valid_time(time))
        return mcr_real.nanosleep(time, left);
    int64_t ns = mcr_to_ns(time);
    struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .polling = ns == 0, .pc = pc, .timeout_ns = ns};
    enum mcr_verdict verdict = mcr_wait_arrive(&wait);
    struct timespec rest = mcr_to_timespec(mcr_wait_left(&wait));
    if (verdict == MCR_EMPTY || verdict == MCR_RELEASED)
        return 0;
    if (verdict == MCR_INTERRUPTED) {
        if (left)
            *left = rest;
        errno = EINTR;
        return -1;
    }
    int result = mcr_real.nanosleep(&rest, left);
    mcr_wait_leave(wait.thread);
    return result;
}

int mcr_hook_nanosleep(const struct timespec *time, struct timespec *left) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread)
        return sleep_slowly(time, left, MCR_PC);
    int result = mcr_real.nanosleep(time, left);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    struct timespec rest;
    if (!thread) {
        mcr_real_load();
        bool absolute = flags & TIMER_ABSTIME;
        int64_t ns = absolute ? mcr_until(clock, time) : mcr_is_valid_time(time) ? mcr_to_ns(time) : -1;
        if (ns <= 0)
            return mcr_real.clock_nanosleep(clock, flags, time, left);
        struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .pc = MCR_PC, .timeout_ns = ns};
        enum mcr_verdict verdict = mcr_wait_arrive(&wait);
        if (verdict == MCR_RELEASED)
            return 0;
        rest = mcr_to_timespec(mcr_wait_left(&wait));
        if (verdict == MCR_INTERRUPTED && left && !absolute)
            *left = rest;
        if (verdict == MCR_INTERRUPTED)
            return EINTR;
        time = absolute ? time : &rest;
        thread = wait.thread;
    }
    int result = mcr_real.clock_nanosleep(clock, flags, time, left);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_usleep(useconds_t microseconds) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread) {
        struct timespec time = mcr_to_timespec(microseconds * (int64_t)1000);
        return sleep_slowly(&time, NULL, MCR_PC);
    }
    int result = mcr_real.usleep(microseconds);
    mcr_wait_leave(thread);
    return result;
}

unsigned int mcr_hook_sleep(unsigned int seconds) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread) {
        struct timespec time = {seconds, 0}, left = {0, 0};
        int saved = errno;
        if (sleep_slowly(&time, &left, MCR_PC) == 0)
            return 0;
        errno = saved;
        return (unsigned)left.tv_sec + (left.tv_nsec > 0);
    }
    unsigned result = mcr_real.sleep(seconds);
    mcr_wait_leave(thread);
    return result;
}

/* ---- signals ---- */
static enum mcr_verdict arrive_for_signal(uint32_t kind, int64_t timeout_ns, uint64_t pc, struct mcr_wait *ret) {
    *ret = (struct mcr_wait){.kind = kind, .for_signal = true, .pc = pc, .timeout_ns = timeout_ns};
    enum mcr_verdict verdict = mcr_wait_arrive(ret);
    if (verdict == MCR_INTERRUPTED)
        errno = EINTR;
    else
        mcr_wait_enter(ret->thread, kind);
    return verdict;
}

int mcr_hook_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
    uint32_t kind = timeout ? MCR_WAIT_TIMED : MCR_WAIT_INTERNAL;
    struct mcr_thread *thread = mcr_wait_quick(kind, MCR_PC);
    struct mcr_wait wait;
    struct timespec rest;
    if (!thread && (!timeout || (mcr_is_valid_time(timeout) && mcr_to_ns(timeout)))) {
        enum mcr_verdict verdict = arrive_for_signal(kind, timeout ? mcr_to_ns(timeout) : -1, MCR_PC, &wait);
        if (verdict == MCR_INTERRUPTED)
            return -1;
        if (verdict == MCR_GO && timeout) {
            rest = mcr_to_timespec(mcr_wait_left(&wait));
            timeout = &rest;
        }
        thread = wait.thread;
    }
    mcr_real_load();
    int result = mcr_real.sigtimedwait(set, info, timeout);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_sigwaitinfo(const sigset_t *set, siginfo_t *info) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_INTERNAL, MCR_PC);
    struct mcr_wait wait;
    if (!thread) {
        if (arrive_for_signal(MCR_WAIT_INTERNAL, -1, MCR_PC, &wait) == MCR_INTERRUPTED)
            return -1;
        thread = wait.thread;
    }
    int result = mcr_real.sigwaitinfo(set, info);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_sigwait(const sigset_t *set, int *ret) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_INTERNAL, MCR_PC);
    struct mcr_wait wait;
    if (!thread) {
        int saved = errno;
        arrive_for_signal(MCR_WAIT_INTERNAL, -1, MCR_PC, &wait); /* it does not know EINTR */
        errno = saved;
        thread = wait.thread;
    }
    int result = mcr_real.sigwait(set, ret);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pause(void) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_INTERNAL, MCR_PC);
    struct mcr_wait wait;
    if (!thread) {
        if (arrive_for_signal(MCR_WAIT_INTERNAL, -1, MCR_PC, &wait) == MCR_INTERRUPTED)
            return -1;
        thread = wait.thread;
    }
    int result = mcr_real.pause();
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_sigsuspend(const sigset_t *mask) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_INTERNAL, MCR_PC);
    struct mcr_wait wait;
    if (!thread) {
        if (arrive_for_signal(MCR_WAIT_INTERNAL, -1, MCR_PC, &wait) == MCR_INTERRUPTED)
            return -1;
        thread = wait.thread;
    }
    int result = mcr_real.sigsuspend(mask);
    mcr_wait_leave(thread);
    return result;
}

/* ---- child processes ---- */
static struct mcr_thread *begin_child_wait(int options, uint64_t pc) {
    mcr_real_load();
    return options & WNOHANG ? NULL : mcr_wait_begin_internal(pc);
}

pid_t mcr_hook_wait(int *status) {
    struct mcr_thread *thread = begin_child_wait(0, MCR_PC);
    pid_t result = mcr_real.wait(status);
    mcr_wait_leave(thread);
    return result;
}

pid_t mcr_hook_waitpid(pid_t pid, int *status, int options) {
    struct mcr_thread *thread = begin_child_wait(options, MCR_PC);
    pid_t result = mcr_real.waitpid(pid, status, options);
    mcr_wait_leave(thread);
    return result;
}

pid_t mcr_hook_wait3(int *status, int options, struct rusage *usage) {
    struct mcr_thread *thread = begin_child_wait(options, MCR_PC);
    pid_t result = mcr_real.wait3(status, options, usage);
    mcr_wait_leave(thread);
    return result;
}

pid_t mcr_hook_wait4(pid_t pid, int *status, int options, struct rusage *usage) {
    struct mcr_thread *thread = begin_child_wait(options, MCR_PC);
    pid_t result = mcr_real.wait4(pid, status, options, usage);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
    struct mcr_thread *thread = begin_child_wait(options, MCR_PC);
    int result = mcr_real.waitid(type, id, info, options);
    mcr_wait_leave(thread);
    return result;
}
