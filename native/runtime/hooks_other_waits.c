/*
 * hooks_other_waits.c - waits for time, signals, other threads and child processes. waits.c says what each does when
 * its thread was held.
 */
#include "hooks.h"
#include <string.h>
#include "host_safe.h"

static const int64_t second = 1000000000;

static int64_t to_ns(const struct timespec *time) { return time->tv_sec * second + time->tv_nsec; }

static struct timespec to_timespec(int64_t ns) { return (struct timespec){ns / second, ns % second}; }

static bool is_valid(const struct timespec *time) {
    return time && time->tv_sec >= 0 && time->tv_sec < INT64_MAX / second - 1 && time->tv_nsec >= 0 &&
           time->tv_nsec < second;
}

/* Nanoseconds until then, 0 if it has come; -1 if only the kernel can tell. */
static int64_t until(clockid_t clock, const struct timespec *deadline) {
    struct timespec now;
    if (!is_valid(deadline) || mcr_real.clock_gettime(clock, &now) != 0)
        return -1;
    int64_t left = to_ns(deadline) - to_ns(&now);
    return left > 0 ? left : 0;
}

/* Into a wait for other threads of the program. Returns whom to tell when it is over. */
static struct mcr_thread *begin_internal(uint64_t pc) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_INTERNAL, pc);
    if (thread)
        return thread;
    struct mcr_wait wait = {.kind = MCR_WAIT_INTERNAL, .pc = pc, .timeout_ns = -1};
    mcr_wait_arrive(&wait);
    return wait.thread;
}

/* O: an initial thread that does nothing but wait for its threads looks up once, when start-up has lasted too long. */
static bool watches_startup(const struct mcr_thread *thread, struct timespec *deadline) {
    if (!thread || mcr_unreleased || !mcr_is_startup() || thread != mcr_thread_initial())
        return false;
    uint64_t ns = mcr_startup_deadline();
    *deadline = to_timespec((int64_t)ns);
    return ns != UINT64_MAX;
}

/* ---- time ---- */
static int sleep_slowly(const struct timespec *time, struct timespec *left, uint64_t pc) {
    mcr_real_load();
    if (!is_valid(time))
        return mcr_real.nanosleep(time, left);
    int64_t ns = to_ns(time);
    struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .polling = ns == 0, .pc = pc, .timeout_ns = ns};
    enum mcr_verdict verdict = mcr_wait_arrive(&wait);
    struct timespec rest = to_timespec(mcr_wait_left(&wait));
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
        int64_t ns = absolute ? until(clock, time) : is_valid(time) ? to_ns(time) : -1;
        if (ns <= 0)
            return mcr_real.clock_nanosleep(clock, flags, time, left);
        struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .pc = MCR_PC, .timeout_ns = ns};
        enum mcr_verdict verdict = mcr_wait_arrive(&wait);
        if (verdict == MCR_RELEASED)
            return 0;
        rest = to_timespec(mcr_wait_left(&wait));
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
        struct timespec time = to_timespec(microseconds * (int64_t)1000);
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
    if (!thread && (!timeout || (is_valid(timeout) && to_ns(timeout)))) {
        enum mcr_verdict verdict = arrive_for_signal(kind, timeout ? to_ns(timeout) : -1, MCR_PC, &wait);
        if (verdict == MCR_INTERRUPTED)
            return -1;
        if (verdict == MCR_GO && timeout) {
            rest = to_timespec(mcr_wait_left(&wait));
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

/* ---- other threads ---- */
int mcr_hook_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    struct mcr_thread *thread = begin_internal(MCR_PC);
    struct timespec deadline;
    int result;
    if (__builtin_expect(watches_startup(thread, &deadline), 0)) {
        result = mcr_real.pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &deadline);
        if (result == ETIMEDOUT) {
            mcr_startup_end();
            result = 0; /* as if woken spuriously */
        }
    } else {
        result = mcr_real.pthread_cond_wait(condition, mutex);
    }
    mcr_wait_leave(thread);
    return result;
}

/*
 * Before a timed wait for a condition outside the common case. A thread that is held must not keep the mutex locked:
 * it is unlocked meanwhile, and the call returns as if woken spuriously. False: the hook returns *ret.
 */
static bool before_condition(pthread_mutex_t *mutex, uint64_t pc, struct mcr_thread **thread, int *ret) {
    struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .no_hold = true, .pc = pc, .timeout_ns = -1};
    mcr_real_load();
    bool held = mcr_wait_holds(MCR_WAIT_TIMED) && pthread_mutex_unlock(mutex) == 0;
    wait.no_hold = !held;
    mcr_wait_arrive(&wait);
    *thread = wait.thread;
    if (!held)
        return true;
    mcr_wait_leave(wait.thread);
    *ret = pthread_mutex_lock(mutex);
    return false;
}

int mcr_hook_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                    const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    int result;
    if (!thread && !before_condition(mutex, MCR_PC, &thread, &result))
        return result;
    result = mcr_real.pthread_cond_timedwait(condition, mutex, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                    const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    int result;
    if (!thread && !before_condition(mutex, MCR_PC, &thread, &result))
        return result;
    result = mcr_real.pthread_cond_clockwait(condition, mutex, clock, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_barrier_wait(pthread_barrier_t *barrier) {
    struct mcr_thread *thread = begin_internal(MCR_PC);
    int result = mcr_real.pthread_barrier_wait(barrier);
    mcr_wait_leave(thread);
    return result;
}

/* A semaphore that can be had at once is no wait. */
static bool take_at_once(sem_t *semaphore) {
    int saved = errno;
    bool taken = sem_trywait(semaphore) == 0;
    errno = saved;
    return taken;
}

int mcr_hook_sem_wait(sem_t *semaphore) {
    if (!MCR_SERVING && take_at_once(semaphore))
        return 0;
    struct mcr_thread *thread = begin_internal(MCR_PC);
    struct timespec deadline;
    int result = -1, saved = errno;
    bool looks_up = watches_startup(thread, &deadline);
    if (looks_up)
        result = mcr_real.sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline);
    if (looks_up && result < 0 && errno == ETIMEDOUT) {
        mcr_startup_end();
        errno = saved;
        looks_up = false;
    }
    if (!looks_up)
        result = mcr_real.sem_wait(semaphore);
    mcr_wait_leave(thread);
    return result;
}

/* Before a timed wait for a thread or semaphore. False: interrupted. */
static bool before_deadline(clockid_t clock, const struct timespec *deadline, uint64_t pc, struct mcr_thread **thread) {
    mcr_real_load();
    int64_t ns = until(clock, deadline);
    if (ns <= 0)
        return true;
    struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .pc = pc, .timeout_ns = ns};
    bool interrupted = mcr_wait_arrive(&wait) == MCR_INTERRUPTED;
    *thread = wait.thread;
    if (!interrupted)
        mcr_wait_enter(wait.thread, MCR_WAIT_TIMED);
    return !interrupted;
}

int mcr_hook_sem_timedwait(sem_t *semaphore, const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread && take_at_once(semaphore))
        return 0;
    if (!thread && !before_deadline(CLOCK_REALTIME, deadline, MCR_PC, &thread)) {
        errno = EINTR;
        return -1;
    }
    int result = mcr_real.sem_timedwait(semaphore, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread && take_at_once(semaphore))
        return 0;
    if (!thread && !before_deadline(clock, deadline, MCR_PC, &thread)) {
        errno = EINTR;
        return -1;
    }
    int result = mcr_real.sem_clockwait(semaphore, clock, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_semop(int id, struct sembuf *operations, size_t count) {
    struct mcr_thread *thread = begin_internal(MCR_PC);
    int result = mcr_real.semop(id, operations, count);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout) {
    struct mcr_thread *thread = timeout ? mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC) : begin_internal(MCR_PC);
    struct timespec rest;
    if (!thread && timeout && is_valid(timeout) && to_ns(timeout)) {
        struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .pc = MCR_PC, .timeout_ns = to_ns(timeout)};
        enum mcr_verdict verdict = mcr_wait_arrive(&wait);
        if (verdict == MCR_INTERRUPTED) {
            errno = EINTR;
            return -1;
        }
        rest = to_timespec(mcr_wait_left(&wait));
        timeout = verdict == MCR_GO ? &rest : timeout;
        thread = wait.thread;
        mcr_wait_enter(thread, MCR_WAIT_TIMED);
    }
    mcr_real_load();
    int result = mcr_real.semtimedop(id, operations, count, timeout);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_join(pthread_t other, void **ret) {
    struct mcr_thread *thread = begin_internal(MCR_PC);
    struct timespec deadline;
    int result = ETIMEDOUT;
    if (watches_startup(thread, &deadline)) {
        result = mcr_real.pthread_clockjoin_np(other, ret, CLOCK_MONOTONIC, &deadline);
        if (result == ETIMEDOUT)
            mcr_startup_end();
    }
    if (result == ETIMEDOUT)
        result = mcr_real.pthread_join(other, ret);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_timedjoin_np(pthread_t other, void **ret, const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread)
        before_deadline(CLOCK_REALTIME, deadline, MCR_PC, &thread); /* it does not know EINTR */
    int result = mcr_real.pthread_timedjoin_np(other, ret, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_clockjoin_np(pthread_t other, void **ret, clockid_t clock, const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread)
        before_deadline(clock, deadline, MCR_PC, &thread);
    int result = mcr_real.pthread_clockjoin_np(other, ret, clock, deadline);
    mcr_wait_leave(thread);
    return result;
}

/* ---- child processes ---- */
static struct mcr_thread *begin_child_wait(int options, uint64_t pc) {
    mcr_real_load();
    return options & WNOHANG ? NULL : begin_internal(pc);
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
