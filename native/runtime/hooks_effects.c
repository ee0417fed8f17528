/*
 * hooks_effects.c - calls that change something outside the process: files, other processes, locks, sends.
 *
 * In N before commit effects.c decides. Sends and writes are logged only where they are withheld: O's log has no use
 * for them.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "host_safe.h"

static void set_path(struct mcr_call *call, const char *path) {
    call->blob = path;
    call->blob_size = path ? strlen(path) : 0;
}

/* True if it is withheld. */
static bool begin_unlink(struct mcr_call *call, int dirfd, const char *path, struct mcr_frame frame) {
    set_path(call, path);
    mcr_call_begin(call, frame);
    return mcr_call_is_early(call) && mcr_effect_unlink(dirfd, path);
}

static int unlink_logged(int dirfd, const char *path, int flags, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(UNLINK, dirfd, flags);
    if (begin_unlink(&call, dirfd, path, frame))
        return (int)mcr_call_withhold(&call, 0);
    mcr_call_result(&call, mcr_real.unlinkat(dirfd, path, flags));
    return (int)mcr_call_end(&call);
}

int mcr_hook_unlink(const char *path) {
    if (MCR_SERVING)
        return mcr_real.unlink(path);
    return unlink_logged(AT_FDCWD, path, 0, MCR_CALLER());
}

int mcr_hook_unlinkat(int dirfd, const char *path, int flags) {
    if (MCR_SERVING)
        return mcr_real.unlinkat(dirfd, path, flags);
    return unlink_logged(dirfd, path, flags, MCR_CALLER());
}

int mcr_hook_remove(const char *path) {
    if (MCR_SERVING)
        return mcr_real.remove(path);
    struct mcr_call call = MCR_CALL(UNLINK, AT_FDCWD);
    if (begin_unlink(&call, AT_FDCWD, path, MCR_CALLER()))
        return (int)mcr_call_withhold(&call, 0);
    mcr_call_result(&call, mcr_real.remove(path));
    return (int)mcr_call_end(&call);
}

/* The log has both names, each ended by a NUL. */
static int rename_logged(int from_dir, const char *from, int to_dir, const char *to, unsigned flags,
                         struct mcr_frame frame) {
    enum { ROOM = 4096 };
    char names[ROOM];
    struct mcr_call call = MCR_CALL(RENAME, from_dir, to_dir, flags);
    size_t from_size = from ? strlen(from) + 1 : 0, to_size = to ? strlen(to) + 1 : 0;
    if (from_size && to_size && from_size + to_size <= sizeof names) {
        memcpy(names, from, from_size);
        memcpy(names + from_size, to, to_size);
        call.blob = names;
        call.blob_size = from_size + to_size;
    }
    mcr_call_begin(&call, frame);
    if (mcr_call_is_early(&call) && from && to && mcr_effect_rename(from_dir, from, to_dir, to))
        return (int)mcr_call_withhold(&call, 0);
    mcr_call_result(&call, flags ? mcr_real.renameat2(from_dir, from, to_dir, to, flags)
                                 : mcr_real.renameat(from_dir, from, to_dir, to));
    return (int)mcr_call_end(&call);
}

int mcr_hook_rename(const char *from, const char *to) {
    if (MCR_SERVING)
        return mcr_real.rename(from, to);
    return rename_logged(AT_FDCWD, from, AT_FDCWD, to, 0, MCR_CALLER());
}

int mcr_hook_renameat(int from_dir, const char *from, int to_dir, const char *to) {
    if (MCR_SERVING)
        return mcr_real.renameat(from_dir, from, to_dir, to);
    return rename_logged(from_dir, from, to_dir, to, 0, MCR_CALLER());
}

int mcr_hook_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags) {
    if (MCR_SERVING)
        return mcr_real.renameat2(from_dir, from, to_dir, to, flags);
    return rename_logged(from_dir, from, to_dir, to, flags, MCR_CALLER());
}

/* By descriptor if path is NULL. */
static int truncate_logged(int fd, const char *path, off_t size, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(TRUNCATE, fd, size);
    set_path(&call, path);
    mcr_call_begin(&call, frame);
    if (mcr_call_is_early(&call) && mcr_effect_truncate(fd, path, size))
        return (int)mcr_call_withhold(&call, 0);
    mcr_call_result(&call, path ? mcr_real.truncate(path, size) : mcr_real.ftruncate(fd, size));
    return (int)mcr_call_end(&call);
}

int mcr_hook_truncate(const char *path, off_t size) {
    if (MCR_SERVING || !path)
        return mcr_real.truncate(path, size);
    return truncate_logged(-1, path, size, MCR_CALLER());
}

int mcr_hook_truncate64(const char *path, off_t size) {
    if (MCR_SERVING || !path)
        return mcr_real.truncate64(path, size);
    return truncate_logged(-1, path, size, MCR_CALLER());
}

int mcr_hook_ftruncate(int fd, off_t size) {
    if (MCR_SERVING)
        return mcr_real.ftruncate(fd, size);
    return truncate_logged(fd, NULL, size, MCR_CALLER());
}

int mcr_hook_ftruncate64(int fd, off_t size) {
    if (MCR_SERVING)
        return mcr_real.ftruncate64(fd, size);
    return truncate_logged(fd, NULL, size, MCR_CALLER());
}

int mcr_hook_kill(pid_t pid, int signal) {
    if (MCR_SERVING)
        return mcr_real.kill(pid, signal);
    struct mcr_call call = MCR_CALL(KILL, pid, signal);
    mcr_call_begin(&call, MCR_CALLER());
    if (!mcr_call_is_early(&call) || !mcr_effect_kill(pid)) {
        mcr_call_result(&call, mcr_real.kill(pid, signal));
        return (int)mcr_call_end(&call);
    }
    if (signal || pid != mcr_settings->old_pid)
        return (int)mcr_call_withhold(&call, 0);
    errno = ESRCH; /* "is it still there?": when N serves, it is not */
    call.flags = MCR_OPF_WITHHELD;
    mcr_call_result(&call, -1);
    return (int)mcr_call_end(&call);
}

int mcr_hook_killpg(pid_t group, int signal) {
    if (MCR_SERVING)
        return mcr_real.killpg(group, signal);
    struct mcr_call call = MCR_CALL(KILL, -group, signal);
    mcr_call_begin(&call, MCR_CALLER());
    if (mcr_call_is_early(&call) && mcr_effect_kill(-group))
        return (int)mcr_call_withhold(&call, 0);
    mcr_call_result(&call, mcr_real.killpg(group, signal));
    return (int)mcr_call_end(&call);
}

int mcr_hook_flock(int fd, int operation) {
    if (MCR_SERVING)
        return mcr_real.flock(fd, operation);
    struct mcr_call call = MCR_CALL(LOCK, fd, operation);
    mcr_call_begin(&call, MCR_CALLER());
    if (mcr_call_is_early(&call)) {
        mcr_effect_lock(fd, operation, NULL);
        return (int)mcr_call_withhold(&call, 0);
    }
    mcr_call_result(&call, mcr_real.flock(fd, operation));
    return (int)mcr_call_end(&call);
}

/* What lockf does, said to fcntl. */
static int lock_region(int fd, int command, off_t size, struct mcr_frame frame) {
    struct flock lock = {.l_type = command == F_ULOCK ? F_UNLCK : F_WRLCK, .l_whence = SEEK_CUR, .l_len = size};
    struct mcr_call call = MCR_CALL(LOCK, fd, command == F_LOCK ? F_SETLKW : F_SETLK);
    call.blob = &lock;
    call.blob_size = sizeof lock;
    mcr_call_begin(&call, frame);
    if (mcr_call_is_early(&call)) {
        if (command != F_TEST)
            mcr_effect_lock(fd, (int)call.args[1], &lock);
        return (int)mcr_call_withhold(&call, 0);
    }
    mcr_call_result(&call, mcr_real.lockf(fd, command, size));
    return (int)mcr_call_end(&call);
}

int mcr_hook_lockf(int fd, int command, off_t size) {
    if (MCR_SERVING)
        return mcr_real.lockf(fd, command, size);
    return lock_region(fd, command, size, MCR_CALLER());
}

int mcr_hook_lockf64(int fd, int command, off_t size) {
    if (MCR_SERVING)
        return mcr_real.lockf64(fd, command, size);
    return lock_region(fd, command, size, MCR_CALLER());
}

/* True: it is withheld and looks as if `size` bytes had gone. */
static bool withholds(bool (*effect)(int fd), int fd, size_t size, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(SEND, fd, (int64_t)size);
    mcr_real_load();
    if (!mcr_unreleased || !effect(fd))
        return false;
    mcr_call_begin(&call, frame);
    mcr_call_withhold(&call, (int64_t)size);
    return true;
}

static size_t total(const struct iovec *parts, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

ssize_t mcr_hook_send(int fd, const void *bytes, size_t size, int flags) {
    if (!MCR_SERVING && withholds(mcr_effect_send, fd, size, MCR_CALLER()))
        return (ssize_t)size;
    return mcr_real.send(fd, bytes, size, flags);
}

ssize_t mcr_hook_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
                        socklen_t address_size) {
    if (!MCR_SERVING && withholds(mcr_effect_send, fd, size, MCR_CALLER()))
        return (ssize_t)size;
    return mcr_real.sendto(fd, bytes, size, flags, address, address_size);
}

ssize_t mcr_hook_sendmsg(int fd, const struct msghdr *message, int flags) {
    if (!MCR_SERVING && withholds(mcr_effect_send, fd, total(message->msg_iov, message->msg_iovlen), MCR_CALLER()))
        return (ssize_t)total(message->msg_iov, message->msg_iovlen);
    return mcr_real.sendmsg(fd, message, flags);
}

int mcr_hook_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags) {
    if (MCR_SERVING || !withholds(mcr_effect_send, fd, count, MCR_CALLER()))
        return mcr_real.sendmmsg(fd, messages, count, flags);
    for (unsigned i = 0; i < count; i++)
        messages[i].msg_len = (unsigned)total(messages[i].msg_hdr.msg_iov, messages[i].msg_hdr.msg_iovlen);
    return (int)count;
}

ssize_t mcr_hook_write(int fd, const void *bytes, size_t size) {
    if (!MCR_SERVING && withholds(mcr_effect_write, fd, size, MCR_CALLER()))
        return (ssize_t)size;
    return mcr_real.write(fd, bytes, size);
}

ssize_t mcr_hook_writev(int fd, const struct iovec *parts, int count) {
    if (!MCR_SERVING && count > 0 && withholds(mcr_effect_write, fd, total(parts, (size_t)count), MCR_CALLER()))
        return (ssize_t)total(parts, (size_t)count);
    return mcr_real.writev(fd, parts, count);
}

ssize_t mcr_hook_pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    if (!MCR_SERVING && withholds(mcr_effect_write, fd, size, MCR_CALLER()))
        return (ssize_t)size;
    return mcr_real.pwrite(fd, bytes, size, offset);
}

ssize_t mcr_hook_pwrite64(int fd, const void *bytes, size_t size, off_t offset) {
    if (!MCR_SERVING && withholds(mcr_effect_write, fd, size, MCR_CALLER()))
        return (ssize_t)size;
    return mcr_real.pwrite64(fd, bytes, size, offset);
}

ssize_t mcr_hook_pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    if (!MCR_SERVING && count > 0 && withholds(mcr_effect_write, fd, total(parts, (size_t)count), MCR_CALLER()))
        return (ssize_t)total(parts, (size_t)count);
    return mcr_real.pwritev(fd, parts, count, offset);
}

ssize_t mcr_hook_pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    if (!MCR_SERVING && count > 0 && withholds(mcr_effect_write, fd, total(parts, (size_t)count), MCR_CALLER()))
        return (ssize_t)total(parts, (size_t)count);
    return mcr_real.pwritev64(fd, parts, count, offset);
}

int mcr_hook_eventfd_write(int fd, eventfd_t value) {
    if (!MCR_SERVING && withholds(mcr_effect_write, fd, sizeof value, MCR_CALLER()))
        return 0;
    return mcr_real.eventfd_write(fd, value);
}

/* O's timer stays as O has set it. */
int mcr_hook_timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *ret) {
    if (MCR_SERVING || !withholds(mcr_effect_write, fd, sizeof *value, MCR_CALLER()))
        return mcr_real.timerfd_settime(fd, flags, value, ret);
    if (ret)
        MCR_SYS(timerfd_gettime, fd, ret);
    return 0;
}
