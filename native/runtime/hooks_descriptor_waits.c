/* hooks_descriptor_waits.c - waits for descriptors: epoll, poll, select, accept, and reads that may block. */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "host_safe.h"

static const int64_t second = 1000000000;

static int64_t from_ms(int ms) { return ms < 0 ? -1 : ms * (int64_t)1000000; }
static int64_t from_timespec(const struct timespec *time) { return time ? time->tv_sec * second + time->tv_nsec : -1; }

static int left_ms(const struct mcr_wait *wait) {
    int64_t left = mcr_wait_left(wait);
    return left < 0 ? -1 : (int)((left + 999999) / 1000000);
}

static const struct timespec *left_timespec(const struct mcr_wait *wait, struct timespec *ret) {
    int64_t left = mcr_wait_left(wait);
    *ret = (struct timespec){left / second, left % second};
    return left < 0 ? NULL : ret;
}

static struct mcr_wait describe(uint64_t pc, struct pollfd *fds, uint32_t count, int64_t timeout_ns) {
    return (struct mcr_wait){
        .kind = MCR_WAIT_EXTERNAL,
        .polling = timeout_ns == 0,
        .pc = pc,
        .fds = fds,
        .fd_count = count,
        .timeout_ns = timeout_ns,
    };
}

/* Polling nothing is a sleep: nothing will come. NULL would mean that only the kernel knows what may come. */
static struct pollfd nothing;
static struct pollfd *known(struct pollfd *fds, nfds_t count) { return count ? fds : &nothing; }

/* False: the hook returns *ret. */
static bool arrive(struct mcr_wait *wait, int *ret) {
    enum mcr_verdict verdict = mcr_wait_arrive(wait);
    *ret = verdict == MCR_EMPTY ? 0 : -1;
    if (verdict == MCR_INTERRUPTED || verdict == MCR_RELEASED)
        errno = EINTR;
    return verdict == MCR_GO;
}

int mcr_hook_epoll_wait(int fd, struct epoll_event *events, int room, int timeout) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);
    int result;
    if (!thread) {
        struct pollfd watched = {fd, POLLIN, 0};
        struct mcr_wait wait = describe(MCR_PC, &watched, 1, from_ms(timeout));
        if (!arrive(&wait, &result))
            return result;
        thread = wait.thread;
        timeout = left_ms(&wait);
    }
    result = mcr_real.epoll_wait(fd, events, room, timeout);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_epoll_pwait(int fd, struct epoll_event *events, int room, int timeout, const sigset_t *mask) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);
    int result;
    if (!thread) {
        struct mcr_wait wait = describe(MCR_PC, NULL, 0, from_ms(timeout));
        if (!arrive(&wait, &result))
            return result;
        thread = wait.thread;
        timeout = left_ms(&wait);
    }
    result = mcr_real.epoll_pwait(fd, events, room, timeout, mask);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_epoll_pwait2(int fd, struct epoll_event *events, int room, const struct timespec *timeout,
                          const sigset_t *mask) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);
    struct timespec left;
    int result;
    if (!thread) {
        struct mcr_wait wait = describe(MCR_PC, NULL, 0, from_timespec(timeout));
        if (!arrive(&wait, &result))
            return result;
        thread = wait.thread;
        timeout = left_timespec(&wait, &left);
    }
    result = mcr_real.epoll_pwait2(fd, events, room, timeout, mask);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_poll(struct pollfd *fds, nfds_t count, int timeout) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);
    int result;
    if (!thread) {
        struct mcr_wait wait = describe(MCR_PC, known(fds, count), (uint32_t)count, from_ms(timeout));
        if (!arrive(&wait, &result))
            return result;
        thread = wait.thread;
        timeout = left_ms(&wait);
    }
    result = mcr_real.poll(fds, count, timeout);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook___poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room) {
    if (room / sizeof *fds < count)
        return mcr_real.__poll_chk(fds, count, timeout, room); /* ends the program, as it should */
    return mcr_hook_poll(fds, count, timeout);
}

int mcr_hook_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);
    struct timespec left;
    int result;
    if (!thread) {
        struct mcr_wait wait = describe(MCR_PC, mask ? NULL : fds, (uint32_t)count, from_timespec(timeout));
        if (!arrive(&wait, &result))
            return result;
        thread = wait.thread;
        timeout = left_timespec(&wait, &left);
    }
    result = mcr_real.ppoll(fds, count, timeout, mask);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                         size_t room) {
    if (room / sizeof *fds < count)
        return mcr_real.__ppoll_chk(fds, count, timeout, mask, room);
    return mcr_hook_ppoll(fds, count, timeout, mask);
}

int mcr_hook_select(int count, fd_set *reads, fd_set *writes, fd_set *others, struct timeval *timeout) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);
    int result;
    if (!thread) {
        int64_t time = timeout ? timeout->tv_sec * second + timeout->tv_usec * 1000 : -1;
        struct mcr_wait wait = describe(MCR_PC, known(NULL, (nfds_t)count), 0, time);
        if (!arrive(&wait, &result)) {
            fd_set *sets[] = {reads, writes, others};
            for (int i = 0; i < 3 && result == 0; i++)
                if (sets[i])
                    memset(sets[i], 0, (size_t)(count + 63) / 64 * 8);
            return result;
        }
        thread = wait.thread;
        int64_t left = mcr_wait_left(&wait);
        if (timeout)
            *timeout = (struct timeval){left / second, left % second / 1000};
    }
    result = mcr_real.select(count, reads, writes, others, timeout);
    mcr_wait_leave(thread);
    return result;
}

int mcr_hook_pselect(int count, fd_set *reads, fd_set *writes, fd_set *others, const struct timespec *timeout,
                     const sigset_t *mask) {
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);
    struct timespec left;
    int result;
    if (!thread) {
        struct mcr_wait wait = describe(MCR_PC, NULL, 0, from_timespec(timeout));
        if (!arrive(&wait, &result)) {
            fd_set *sets[] = {reads, writes, others};
            for (int i = 0; i < 3 && result == 0; i++)
                if (sets[i])
                    memset(sets[i], 0, (size_t)(count + 63) / 64 * 8);
            return result;
        }
        thread = wait.thread;
        timeout = left_timespec(&wait, &left);
    }
    result = mcr_real.pselect(count, reads, writes, others, timeout, mask);
    mcr_wait_leave(thread);
    return result;
}

/* What a read of this kind of descriptor waits for. NONE: it does not wait. */
static uint32_t classify(int fd) {
    struct stat status;
    char link[32], target[32] = {0};
    if (MCR_SYS(fstat, fd, &status) < 0)
        return MCR_WAIT_NONE;
    if (S_ISSOCK(status.st_mode))
        return MCR_WAIT_EXTERNAL;
    if (S_ISFIFO(status.st_mode))
        return MCR_WAIT_INTERNAL;
    if (status.st_mode & S_IFMT)
        return MCR_WAIT_NONE;
    mcr_fd_link(fd, link);
    MCR_SYS(readlink, link, target, sizeof target - 1);
    if (strstr(target, "timerfd"))
        return MCR_WAIT_TIMED;
    return strstr(target, "eventfd") ? MCR_WAIT_INTERNAL : MCR_WAIT_EXTERNAL;
}

static bool looks_at_reads(void) {
    uint32_t state = mcr_control.state;
    return state == MCR_STATE_STARTUP || mcr_unreleased || (state == MCR_STATE_SERVING && mcr_control.hold);
}

/*
 * Before a read or accept outside the common case. False: the hook returns -1 with errno as set. In N before commit,
 * what O inherited us is O's to read: there is nothing for N yet.
 */
static bool before_read(int fd, int flags, bool accepts, uint64_t pc, struct mcr_thread **thread) {
    *thread = NULL;
    mcr_real_load();
    if (!looks_at_reads())
        return true;
    uint32_t kind = accepts ? MCR_WAIT_EXTERNAL : classify(fd);
    if (kind == MCR_WAIT_NONE)
        return true;
    bool shared = mcr_unreleased && (accepts || mcr_fd_flags(fd) & (MCR_FD_INHERITED | MCR_FD_CLAIMED));
    long status = MCR_SYS(fcntl, fd, F_GETFL);
    if (flags & MSG_DONTWAIT || (status >= 0 && status & O_NONBLOCK)) {
        if (shared)
            errno = EAGAIN;
        return !shared;
    }
    struct pollfd watched = {fd, POLLIN, 0};
    struct mcr_wait wait = describe(pc, &watched, 1, -1);
    wait.kind = shared ? (uint32_t)MCR_WAIT_EXTERNAL : kind;
    mcr_wait_arrive(&wait); /* whatever it says: a read restarts */
    if (wait.thread)
        wait.thread->wait = wait.kind;
    *thread = wait.thread;
    return true;
}

#define MCR_READ(type, fd, flags, accepts, call)                                                                       \
    struct mcr_thread *thread = mcr_wait_quick(MCR_WAIT_EXTERNAL, MCR_PC);                                             \
    if (!thread && !before_read(fd, flags, accepts, MCR_PC, &thread))                                                  \
        return -1;                                                                                                     \
    type result = call;                                                                                                \
    mcr_wait_leave(thread)

/* O: the first connection ends start-up. */
static int accepted(int fd, int flags, int result, struct mcr_frame frame) {
    if (mcr_control.state == MCR_STATE_STARTUP && !mcr_unreleased && result >= 0) {
        int saved = errno;
        struct mcr_call call = MCR_CALL(ACCEPT, fd, flags);
        mcr_note(&call, frame, result);
        mcr_startup_end();
        errno = saved;
    }
    return mcr_fd_seen(result);
}

int mcr_hook_accept(int fd, struct sockaddr *address, socklen_t *size) {
    MCR_READ(int, fd, 0, true, mcr_real.accept(fd, address, size));
    return accepted(fd, 0, result, MCR_CALLER());
}

int mcr_hook_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
    MCR_READ(int, fd, 0, true, mcr_real.accept4(fd, address, size, flags));
    return accepted(fd, flags, result, MCR_CALLER());
}

ssize_t mcr_hook_read(int fd, void *bytes, size_t size) {
    ssize_t random;
    if (!MCR_SERVING && mcr_fd_flags(fd) & MCR_FD_RANDOM && mcr_random_read(fd, bytes, size, MCR_CALLER(), &random))
        return random;
    MCR_READ(ssize_t, fd, 0, false, mcr_real.read(fd, bytes, size));
    return result;
}

ssize_t mcr_hook___read_chk(int fd, void *bytes, size_t size, size_t room) {
    ssize_t random;
    if (!MCR_SERVING && size <= room && mcr_fd_flags(fd) & MCR_FD_RANDOM &&
        mcr_random_read(fd, bytes, size, MCR_CALLER(), &random))
        return random;
    MCR_READ(ssize_t, fd, 0, false, mcr_real.__read_chk(fd, bytes, size, room));
    return result;
}

ssize_t mcr_hook_readv(int fd, const struct iovec *parts, int count) {
    MCR_READ(ssize_t, fd, 0, false, mcr_real.readv(fd, parts, count));
    return result;
}

ssize_t mcr_hook_recv(int fd, void *bytes, size_t size, int flags) {
    MCR_READ(ssize_t, fd, flags, false, mcr_real.recv(fd, bytes, size, flags));
    return result;
}

ssize_t mcr_hook___recv_chk(int fd, void *bytes, size_t size, size_t room, int flags) {
    MCR_READ(ssize_t, fd, flags, false, mcr_real.__recv_chk(fd, bytes, size, room, flags));
    return result;
}

ssize_t mcr_hook_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
                          socklen_t *address_size) {
    MCR_READ(ssize_t, fd, flags, false, mcr_real.recvfrom(fd, bytes, size, flags, address, address_size));
    return result;
}

ssize_t mcr_hook___recvfrom_chk(int fd, void *bytes, size_t size, size_t room, int flags, struct sockaddr *address,
                                socklen_t *address_size) {
    MCR_READ(ssize_t, fd, flags, false, mcr_real.__recvfrom_chk(fd, bytes, size, room, flags, address, address_size));
    return result;
}

ssize_t mcr_hook_recvmsg(int fd, struct msghdr *message, int flags) {
    MCR_READ(ssize_t, fd, flags, false, mcr_real.recvmsg(fd, message, flags));
    return result;
}

int mcr_hook_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout) {
    MCR_READ(int, fd, flags, false, mcr_real.recvmmsg(fd, messages, count, flags, timeout));
    return result;
}
