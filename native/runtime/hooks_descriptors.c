/*
 * hooks_descriptors.c - calls that make, duplicate, change and close descriptors, and mappings of shared memory.
 *
 * In N, numbers that stand for objects of O of which the program does not know yet look closed to it.
 */
#include "hooks.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include "host_safe.h"

static bool is_closed(int fd) {
    if (MCR_SERVING || !mcr_fd_is_protected(fd))
        return false;
    errno = EBADF;
    return true;
}

int mcr_hook_dup(int fd) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.dup(fd));
    struct mcr_call call = MCR_CALL(DUP, fd);
    return is_closed(fd) ? -1 : (int)MCR_CALL_RUN(call, mcr_real.dup(fd));
}

/* What stood at `number` will be gone, provided that the call can succeed. */
static void replaces(int fd, int number) {
    if (mcr_fd_known(number) && fd != number && MCR_SYS(fcntl, fd, F_GETFD) >= 0)
        mcr_fd_gone(number);
}

int mcr_hook_dup2(int fd, int number) {
    if (is_closed(fd))
        return -1;
    if (MCR_SERVING || fd == number) {
        replaces(fd, number);
        return mcr_fd_seen(mcr_real.dup2(fd, number));
    }
    struct mcr_call call = MCR_CALL(DUP2, fd, number);
    return (int)MCR_CALL_RUN(call, mcr_real.dup2(fd, number));
}

int mcr_hook_dup3(int fd, int number, int flags) {
    if (is_closed(fd))
        return -1;
    if (MCR_SERVING || fd == number) {
        replaces(fd, number);
        return mcr_fd_seen(mcr_real.dup3(fd, number, flags));
    }
    struct mcr_call call = MCR_CALL(DUP2, fd, number, flags);
    return (int)MCR_CALL_RUN(call, mcr_real.dup3(fd, number, flags));
}

int mcr_hook_pipe(int fds[2]) {
    struct mcr_call call = MCR_CALL(PIPE, -1, -1);
    bool run = mcr_call_begin(&call, MCR_CALLER());
    if (run)
        mcr_call_result(&call, mcr_real.pipe(fds));
    return mcr_call_end_pair(&call, run, fds);
}

int mcr_hook_pipe2(int fds[2], int flags) {
    struct mcr_call call = MCR_CALL(PIPE, -1, -1, flags);
    bool run = mcr_call_begin(&call, MCR_CALLER());
    if (run)
        mcr_call_result(&call, mcr_real.pipe2(fds, flags));
    return mcr_call_end_pair(&call, run, fds);
}

int mcr_hook_eventfd(unsigned int value, int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.eventfd(value, flags));
    struct mcr_call call = MCR_CALL(EVENTFD, value, flags);
    return (int)MCR_CALL_RUN(call, mcr_real.eventfd(value, flags));
}

int mcr_hook_epoll_create(int size) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.epoll_create(size));
    struct mcr_call call = MCR_CALL(EPOLL_CREATE, 0);
    return (int)MCR_CALL_RUN(call, mcr_real.epoll_create(size));
}

int mcr_hook_epoll_create1(int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.epoll_create1(flags));
    struct mcr_call call = MCR_CALL(EPOLL_CREATE, flags);
    return (int)MCR_CALL_RUN(call, mcr_real.epoll_create1(flags));
}

int mcr_hook_timerfd_create(int clock, int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.timerfd_create(clock, flags));
    struct mcr_call call = MCR_CALL(TIMERFD, clock, flags);
    return (int)MCR_CALL_RUN(call, mcr_real.timerfd_create(clock, flags));
}

int mcr_hook_signalfd(int fd, const sigset_t *mask, int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.signalfd(fd, mask, flags));
    struct mcr_call call = MCR_CALL(SIGNALFD, fd, flags);
    if (mask)
        memcpy(&call.args[2], mask, sizeof call.args[2]); /* signals 1 to 64 are all there are */
    return is_closed(fd) ? -1 : (int)MCR_CALL_RUN(call, mcr_real.signalfd(fd, mask, flags));
}

int mcr_hook_inotify_init(void) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.inotify_init());
    struct mcr_call call = MCR_CALL(INOTIFY, 0);
    return (int)MCR_CALL_RUN(call, mcr_real.inotify_init());
}

int mcr_hook_inotify_init1(int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.inotify_init1(flags));
    struct mcr_call call = MCR_CALL(INOTIFY, flags);
    return (int)MCR_CALL_RUN(call, mcr_real.inotify_init1(flags));
}

int mcr_hook_memfd_create(const char *name, unsigned int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.memfd_create(name, flags));
    struct mcr_call call = MCR_CALL(MEMFD, flags);
    call.blob = name;
    call.blob_size = name ? strlen(name) : 0;
    return (int)MCR_CALL_RUN(call, mcr_real.memfd_create(name, flags));
}

/* Closing what the log does not know is not logged: programs close numbers by the thousand. */
static int close_known(int fd, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(CLOSE, fd);
    if (is_closed(fd))
        return -1;
    if (!mcr_fd_known(fd))
        return mcr_real.close(fd);
    mcr_call_begin(&call, frame);
    mcr_fd_gone(fd);
    mcr_call_result(&call, mcr_real.close(fd));
    mcr_fd_closed(fd);
    return (int)mcr_call_end(&call);
}

int mcr_hook_close(int fd) {
    if (!mcr_fd_known(fd))
        return mcr_real.close(fd);
    return close_known(fd, MCR_CALLER());
}

static int close_stream(FILE *stream, struct mcr_frame frame) {
    int fd = stream->_fileno;
    struct mcr_call call = MCR_CALL(FCLOSE, (int64_t)stream, fd);
    mcr_call_begin(&call, frame);
    if (mcr_fd_is_protected(fd))
        stream->_fileno = (int)MCR_SYS(open, "/dev/null", O_RDWR | O_CLOEXEC); /* the number is O's */
    else
        mcr_fd_gone(fd);
    mcr_call_result(&call, mcr_real.fclose(stream));
    return (int)mcr_call_end(&call);
}

int mcr_hook_fclose(FILE *stream) {
    if (!mcr_fd_known(stream->_fileno)) {
        mcr_real_load();
        return mcr_real.fclose(stream);
    }
    return close_stream(stream, MCR_CALLER());
}

/* All of [first, last], numbers that look closed excepted. */
static int close_numbers(unsigned first, unsigned last, int flags, struct mcr_frame frame) {
    unsigned end = (unsigned)mcr_fds_end();
    int result = 0;
    mcr_real_load();
    for (unsigned fd = first; fd <= last && fd < end; fd++) {
        if (is_closed((int)fd)) {
            if (fd > first)
                result = mcr_real.close_range(first, fd - 1, flags);
            first = fd + 1;
        } else if (mcr_fd_known((int)fd) && !(flags & CLOSE_RANGE_CLOEXEC)) {
            close_known((int)fd, frame);
        }
    }
    return first <= last ? mcr_real.close_range(first, last, flags) : result;
}

void mcr_hook_closefrom(int first) {
    int saved = errno;
    mcr_real_load();
    if (mcr_fds_end() <= first || close_numbers(first < 0 ? 0 : (unsigned)first, ~0u, 0, MCR_CALLER()) < 0)
        mcr_real.closefrom(first);
    errno = saved;
}

int mcr_hook_close_range(unsigned first, unsigned last, int flags) {
    if ((unsigned)mcr_fds_end() <= first || first > last)
        return mcr_real.close_range(first, last, flags);
    return close_numbers(first, last, flags, MCR_CALLER());
}

static int duplicate(int fd, int command, long argument, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(DUP, fd, argument, command == F_DUPFD_CLOEXEC ? O_CLOEXEC : 0);
    if (mcr_call_begin(&call, frame))
        mcr_call_result(&call, mcr_real.fcntl(fd, command, argument));
    return (int)mcr_call_end(&call);
}

static int set_lock(int fd, int command, const struct flock *lock, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(LOCK, fd, command);
    call.blob = lock;
    call.blob_size = lock ? sizeof *lock : 0;
    mcr_call_begin(&call, frame);
    if (mcr_call_is_early(&call) && lock) {
        mcr_effect_lock(fd, command, lock);
        return (int)mcr_call_withhold(&call, 0);
    }
    mcr_call_result(&call, mcr_real.fcntl(fd, command, (long)lock));
    return (int)mcr_call_end(&call);
}

/* O's locks will be N's. */
static int get_lock(int fd, int command, struct flock *lock) {
    int result = mcr_real.fcntl(fd, command, (long)lock);
    if (result == 0 && mcr_unreleased && lock->l_pid == mcr_settings->old_pid)
        lock->l_type = F_UNLCK;
    return result;
}

static int set_option(int fd, int command, long argument, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(FCNTL, fd, command, argument);
    if (!mcr_fd_known(fd))
        return mcr_real.fcntl(fd, command, argument);
    if (mcr_call_begin(&call, frame))
        mcr_call_result(&call, mcr_real.fcntl(fd, command, argument));
    return (int)mcr_call_end(&call);
}

static int control(int fd, int command, long argument, struct mcr_frame frame) {
    mcr_real_load();
    if (is_closed(fd))
        return -1;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate(fd, command, argument, frame);
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return set_lock(fd, command, (const struct flock *)argument, frame);
    case F_GETLK:
    case F_OFD_GETLK:
        return get_lock(fd, command, (struct flock *)argument);
    case F_SETFD:
    case F_SETFL:
    case F_SETOWN:
    case F_SETSIG:
    case F_SETPIPE_SZ:
    case F_ADD_SEALS:
        return set_option(fd, command, argument, frame);
    default:
        return mcr_real.fcntl(fd, command, argument);
    }
}

static bool duplicates(int command) { return command == F_DUPFD || command == F_DUPFD_CLOEXEC; }

int mcr_hook_fcntl(int fd, int command, long argument) {
    if (MCR_SERVING && !duplicates(command))
        return mcr_real.fcntl(fd, command, argument);
    return control(fd, command, argument, MCR_CALLER());
}

int mcr_hook_fcntl64(int fd, int command, long argument) {
    if (MCR_SERVING && !duplicates(command))
        return mcr_real.fcntl64(fd, command, argument);
    return control(fd, command, argument, MCR_CALLER());
}

/* Private memory that the kernel places is nobody's business. */
static bool is_plain_mapping(int flags) {
    return MCR_SERVING || !(flags & (MAP_SHARED | MAP_FIXED | MAP_FIXED_NOREPLACE));
}

/* N: memory that processes share stands where O has it, for pointers into it; the launcher has kept the place free. */
static void place_shared(const struct mcr_call *call, void **address, int *flags) {
    const int anonymous = MAP_SHARED | MAP_ANONYMOUS;
    if (call->old && !call->old->error && (*flags & anonymous) == anonymous && !(*flags & MAP_FIXED)) {
        *address = (void *)call->old->result;
        *flags |= MAP_FIXED;
    }
}

static void *map_logged(struct mcr_call *call, struct mcr_frame frame, void *address, int flags) {
    if (mcr_call_begin(call, frame)) {
        place_shared(call, &address, &flags);
        const int64_t *args = call->args;
        mcr_call_result(call,
                        (int64_t)mcr_real.mmap64(address, (size_t)args[1], (int)args[2], flags, (int)args[4], args[5]));
    }
    return (void *)mcr_call_end(call);
}

void *mcr_hook_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (is_plain_mapping(flags))
        return mcr_real.mmap(address, size, protection, flags, fd, offset);
    struct mcr_call call = MCR_CALL(MMAP, (int64_t)address, (int64_t)size, protection, flags, fd, offset);
    return map_logged(&call, MCR_CALLER(), address, flags);
}

void *mcr_hook_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (is_plain_mapping(flags))
        return mcr_real.mmap64(address, size, protection, flags, fd, offset);
    struct mcr_call call = MCR_CALL(MMAP, (int64_t)address, (int64_t)size, protection, flags, fd, offset);
    return map_logged(&call, MCR_CALLER(), address, flags);
}

int mcr_hook_shmget(key_t key, size_t size, int flags) {
    if (MCR_SERVING)
        return mcr_real.shmget(key, size, flags);
    struct mcr_call call = MCR_CALL(SHMGET, key, (int64_t)size, flags);
    return (int)MCR_CALL_RUN(call, mcr_real.shmget(key, size, flags));
}
