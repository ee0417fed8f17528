/*
 * interrupted_calls.c - a library that is preloaded before libmcr.so, so that it stands between a program (its other
 * libraries included) and libmcr: it sees what the program sees. It counts the program's calls that may block, and those
 * of them that came back with EINTR.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The tests read this by its name. */
struct {
    atomic_ulong calls, interrupted;
    char last[32]; /* the call that was interrupted last */
} interrupted_calls;

static void note(int is_interrupted, const char *name) {
    interrupted_calls.calls++;
    if (!is_interrupted)
        return;
    interrupted_calls.interrupted++;
    strncpy(interrupted_calls.last, name, sizeof interrupted_calls.last - 1);
}

#define WATCH(type, name, parameters, arguments)                                                                       \
    type name parameters {                                                                                             \
        static type(*next) parameters;                                                                                 \
        if (!next)                                                                                                     \
            next = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                                        \
        type result = next arguments;                                                                                  \
        note(result == (type) - 1 && errno == EINTR, #name);                                                           \
        return result;                                                                                                 \
    }

WATCH(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size))
WATCH(ssize_t, __read_chk, (int fd, void *to, size_t size, size_t room), (fd, to, size, room))
WATCH(ssize_t, readv, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WATCH(ssize_t, recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
WATCH(ssize_t, __recv_chk, (int fd, void *to, size_t size, size_t room, int flags), (fd, to, size, room, flags))
WATCH(ssize_t, recvfrom, (int fd, void *to, size_t size, int flags, struct sockaddr *from, socklen_t *length),
      (fd, to, size, flags, from, length))
WATCH(ssize_t, recvmsg, (int fd, struct msghdr *to, int flags), (fd, to, flags))
WATCH(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
WATCH(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WATCH(ssize_t, send, (int fd, const void *from, size_t size, int flags), (fd, from, size, flags))
WATCH(ssize_t, sendto, (int fd, const void *from, size_t size, int flags, const struct sockaddr *to, socklen_t length),
      (fd, from, size, flags, to, length))
WATCH(ssize_t, sendmsg, (int fd, const struct msghdr *from, int flags), (fd, from, flags))
WATCH(int, accept, (int fd, struct sockaddr *from, socklen_t *length), (fd, from, length))
WATCH(int, accept4, (int fd, struct sockaddr *from, socklen_t *length, int flags), (fd, from, length, flags))
WATCH(int, connect, (int fd, const struct sockaddr *to, socklen_t length), (fd, to, length))
WATCH(int, epoll_wait, (int fd, struct epoll_event *events, int room, int ms), (fd, events, room, ms))
WATCH(int, epoll_pwait, (int fd, struct epoll_event *events, int room, int ms, const sigset_t *mask),
      (fd, events, room, ms, mask))
WATCH(int, poll, (struct pollfd * ends, nfds_t count, int ms), (ends, count, ms))
WATCH(int, __poll_chk, (struct pollfd * ends, nfds_t count, int ms, size_t room), (ends, count, ms, room))
WATCH(int, ppoll, (struct pollfd * ends, nfds_t count, const struct timespec *time, const sigset_t *mask),
      (ends, count, time, mask))
WATCH(int, select, (int count, fd_set *in, fd_set *out, fd_set *wrong, struct timeval *time),
      (count, in, out, wrong, time))
WATCH(int, pselect,
      (int count, fd_set *in, fd_set *out, fd_set *wrong, const struct timespec *time, const sigset_t *mask),
      (count, in, out, wrong, time, mask))
WATCH(int, nanosleep, (const struct timespec *time, struct timespec *rest), (time, rest))
WATCH(int, usleep, (useconds_t us), (us))
WATCH(int, sem_wait, (sem_t * semaphore), (semaphore))
WATCH(int, sem_timedwait, (sem_t * semaphore, const struct timespec *end), (semaphore, end))
WATCH(int, semop, (int id, struct sembuf *operations, size_t count), (id, operations, count))
WATCH(int, sigtimedwait, (const sigset_t *mask, siginfo_t *what, const struct timespec *time), (mask, what, time))
WATCH(int, sigwaitinfo, (const sigset_t *mask, siginfo_t *what), (mask, what))
WATCH(pid_t, wait, (int *status), (status))
WATCH(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
WATCH(int, fsync, (int fd), (fd))
WATCH(int, fdatasync, (int fd), (fd))

/* Returns the error itself. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *rest) {
    static int (*next)(clockid_t, int, const struct timespec *, struct timespec *);
    if (!next)
        next = (int (*)(clockid_t, int, const struct timespec *, struct timespec *))dlsym(RTLD_NEXT, "clock_nanosleep");
    int error = next(clock, flags, time, rest);
    note(error == EINTR, "clock_nanosleep");
    return error;
}

/* Returns the seconds that are left. */
unsigned sleep(unsigned seconds) {
    static unsigned (*next)(unsigned);
    if (!next)
        next = (unsigned (*)(unsigned))dlsym(RTLD_NEXT, "sleep");
    unsigned left = next(seconds);
    note(left != 0, "sleep");
    return left;
}
