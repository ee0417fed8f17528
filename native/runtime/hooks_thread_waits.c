/*
 * hooks_thread_waits.c - waits for other threads: conditions, barriers, semaphores, ends. waits.c says what each does
 * when its thread was held.
 */
#include "wait_times.h"
#include "host_safe.h"

/* O: an initial thread that does nothing but wait for its threads looks up once, when start-up has lasted too long. */
static bool watches_startup(const struct mcr_thread *thread, struct timespec *deadline) {
    if (!thread || mcr_unreleased || !mcr_is_startup() || thread != mcr_thread_initial())
        return false;
    uint64_t ns = mcr_startup_deadline();
    *deadline = mcr_to_timespec((int64_t)ns);
    return ns != UINT64_MAX;
}

/*
 * N before commit: which condition each thread waits for, and which of them are to look again once N is released. O's
 * counterpart of such a thread does not wait there: in the state that N has received, what it waits for may be true
 * already. Waking it is what POSIX calls a spurious wake-up.
 */
static struct condition_wait {
    pthread_cond_t *volatile condition;
    volatile bool nudged;
} *condition_waits; /* by thread index; NULL in O */

enum { CONDITION_WAITS = 1 << 16 };

bool mcr_conditions_init(void) {
    condition_waits = mcr_map(CONDITION_WAITS * sizeof *condition_waits);
    return condition_waits != NULL;
}

static void note_condition(const struct mcr_thread *thread, pthread_cond_t *condition) {
    if (condition_waits && thread && thread->index < CONDITION_WAITS)
        condition_waits[thread->index].condition = condition;
}

void mcr_conditions_nudge(const uint64_t *threads, uint32_t count) {
    for (uint32_t i = 0; i < count && condition_waits; i++)
        if (threads[i] < CONDITION_WAITS)
            condition_waits[threads[i]].nudged = true;
}

void mcr_conditions_release(void) {
    for (uint64_t i = 0; condition_waits && i < mcr_control.threads.count && i < CONDITION_WAITS; i++)
        if (condition_waits[i].nudged && condition_waits[i].condition)
            pthread_cond_broadcast(condition_waits[i].condition);
}

int mcr_hook_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    struct mcr_thread *thread = mcr_wait_begin_internal(MCR_PC);
    struct timespec deadline;
    int result;
    if (__builtin_expect(watches_startup(thread, &deadline), 0)) {
        result = mcr_real.pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &deadline);
        if (result == ETIMEDOUT) {
            mcr_startup_end();
            result = 0; /* as if woken spuriously */
        }
    } else {
        note_condition(thread, condition);
        result = mcr_real.pthread_cond_wait(condition, mutex);
        note_condition(thread, NULL);
    }
    mcr_wait_leave(thread);
    return result;
}

enum { HELD_SLICE_NS = 20000000 };

static struct timespec held_slice(void) { return mcr_to_timespec((int64_t)mcr_now_ns() + HELD_SLICE_NS); }

/*
 * O, while timed waits are held: a wait for a condition goes on, only its deadline does not count, so that no other
 * thread's signal is lost on it. ETIMEDOUT: the hold is over.
 */
static int hold_on_condition(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    int result = ETIMEDOUT;
    while (result == ETIMEDOUT && mcr_wait_holds(MCR_WAIT_TIMED)) {
        struct timespec slice = held_slice();
        result = mcr_real.pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &slice);
    }
    return result;
}

/* The same for a semaphore: 0 = taken, else errno. */
static int hold_on_semaphore(sem_t *semaphore) {
    int saved = errno, error = ETIMEDOUT;
    while (error == ETIMEDOUT && mcr_wait_holds(MCR_WAIT_TIMED)) {
        struct timespec slice = held_slice();
        error = mcr_real.sem_clockwait(semaphore, CLOCK_MONOTONIC, &slice) == 0 ? 0 : errno;
    }
    errno = saved;
    return error;
}

/*
 * Before a timed wait for a condition outside the common case. A thread of N that is held must not keep the mutex
 * locked: it is unlocked meanwhile, and the call returns as if woken spuriously. False: the hook returns *ret.
 */
static bool before_condition(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t pc, struct mcr_thread **thread,
                             int *ret) {
    struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .no_hold = true, .pc = pc, .timeout_ns = -1};
    mcr_real_load();
    bool held = mcr_unreleased && mcr_wait_holds(MCR_WAIT_TIMED) && pthread_mutex_unlock(mutex) == 0;
    wait.no_hold = !held;
    mcr_wait_arrive(&wait);
    *thread = wait.thread;
    if (!held) {
        *ret = mcr_unreleased ? ETIMEDOUT : hold_on_condition(condition, mutex);
        if (*ret != ETIMEDOUT)
            mcr_wait_leave(wait.thread);
        return *ret == ETIMEDOUT;
    }
    mcr_wait_leave(wait.thread);
    *ret = pthread_mutex_lock(mutex);
    return false;
}

int mcr_hook_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                    const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    int result;
    if (!thread && !before_condition(condition, mutex, MCR_PC, &thread, &result))
        return result;
    result = mcr_real.pthread_cond_timedwait(condition, mutex, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                    const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    int result;
    if (!thread && !before_condition(condition, mutex, MCR_PC, &thread, &result))
        return result;
    result = mcr_real.pthread_cond_clockwait(condition, mutex, clock, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_barrier_wait(pthread_barrier_t *barrier) {
    struct mcr_thread *thread = mcr_wait_begin_internal(MCR_PC);
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
    struct mcr_thread *thread = mcr_wait_begin_internal(MCR_PC);
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

/* Before a timed wait for a thread or (not held in O) for a semaphore. False: interrupted. */
static bool before_deadline(clockid_t clock, const struct timespec *deadline, bool is_semaphore, uint64_t pc,
                            struct mcr_thread **thread) {
    mcr_real_load();
    int64_t ns = mcr_until(clock, deadline);
    if (ns <= 0)
        return true;
    bool goes_on = is_semaphore && !mcr_unreleased;
    struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .no_hold = goes_on, .pc = pc, .timeout_ns = ns};
    bool interrupted = mcr_wait_arrive(&wait) == MCR_INTERRUPTED;
    *thread = wait.thread;
    if (!interrupted)
        mcr_wait_enter(wait.thread, MCR_WAIT_TIMED);
    return !interrupted;
}

/* A timed wait for a semaphore outside the common case. True: it is over, and the hook returns *ret. */
static bool begin_semaphore(sem_t *semaphore, clockid_t clock, const struct timespec *deadline, uint64_t pc,
                            struct mcr_thread **thread, int *ret) {
    int error = 0;
    *ret = 0;
    if (take_at_once(semaphore))
        return true;
    if (!before_deadline(clock, deadline, true, pc, thread))
        error = EINTR;
    else if (*thread && !mcr_unreleased)
        error = hold_on_semaphore(semaphore);
    else
        return false;
    if (error == ETIMEDOUT)
        return false;
    mcr_wait_leave(*thread);
    if (error) {
        errno = error;
        *ret = -1;
    }
    return true;
}

int mcr_hook_sem_timedwait(sem_t *semaphore, const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    int result;
    if (!thread && begin_semaphore(semaphore, CLOCK_REALTIME, deadline, MCR_PC, &thread, &result))
        return result;
    result = mcr_real.sem_timedwait(semaphore, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    int result;
    if (!thread && begin_semaphore(semaphore, clock, deadline, MCR_PC, &thread, &result))
        return result;
    result = mcr_real.sem_clockwait(semaphore, clock, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_semop(int id, struct sembuf *operations, size_t count) {
    struct mcr_thread *thread = mcr_wait_begin_internal(MCR_PC);
    int result = mcr_real.semop(id, operations, count);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout) {
    struct mcr_thread *thread = timeout ? mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC) : mcr_wait_begin_internal(MCR_PC);
    struct timespec rest;
    if (!thread && timeout && mcr_is_valid_time(timeout) && mcr_to_ns(timeout)) {
        struct mcr_wait wait = {.kind = MCR_WAIT_TIMED, .pc = MCR_PC, .timeout_ns = mcr_to_ns(timeout)};
        enum mcr_verdict verdict = mcr_wait_arrive(&wait);
        if (verdict == MCR_INTERRUPTED) {
            errno = EINTR;
            return -1;
        }
        rest = mcr_to_timespec(mcr_wait_left(&wait));
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
    struct mcr_thread *thread = mcr_wait_begin_internal(MCR_PC);
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
        before_deadline(CLOCK_REALTIME, deadline, false, MCR_PC, &thread); /* it does not know EINTR */
    int result = mcr_real.pthread_timedjoin_np(other, ret, deadline);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pthread_clockjoin_np(pthread_t other, void **ret, clockid_t clock, const struct timespec *deadline) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_TIMED, MCR_PC);
    if (!thread)
        before_deadline(clock, deadline, false, MCR_PC, &thread);
    int result = mcr_real.pthread_clockjoin_np(other, ret, clock, deadline);
    mcr_wait_leave(thread);
    return result;
}
