/*
 * effects.c - what N would do to the outside before commit is withheld, or can be undone.
 *
 *  - A file that exists is not truncated or appended to: N writes into a memfd instead, and at commit the bytes go to
 *    the file and the file takes the memfd's numbers. Files opened for writing in another way are guarded: what is
 *    written to them is dropped, until N truncates one to nothing (a PID file): then it is as if opened so. A file that
 *    N creates is made at once, and removed if N dies before commit.
 *  - unlink, kill and sends are dropped: the path, the process, the peer are O's. A file whose unlink was dropped looks
 *    as if it did not exist. A rename of a file that N created onto one that exists is done at commit.
 *  - Locks are taken at commit, and options of O's sockets set then.
 *  - Where N works on an open file of its own at O's number, O's comes back to the number at commit.
 *  - What stood at 1 and 2 when N was started takes N's messages all the same: somebody must see why a start fails.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host_safe.h"

enum { RECORDS = 256, PATH_ROOM = 4096, LOCK_TRIES = 200 };

enum record_kind { NO_RECORD, CREATED, HIDDEN, RENAMED, REPLACED, PARKED, LOCKED, OPTION };

struct record {
    enum record_kind kind;
    int fd;                /* the program's number */
    int target, memory;    /* REPLACED: the file and the memfd; PARKED: target is O's descriptor */
    int operation;         /* LOCKED: for flock; OPTION: enum mcr_operation_kind */
    bool truncate, shared; /* REPLACED; LOCKED: by flock */
    bool handed_down;      /* REPLACED: by the parent, whose bytes they are */
    uint64_t device, inode;
    int64_t args[6];
    struct flock lock;
    size_t blob_size;
    char blob[256];
    char from[PATH_ROOM], to[PATH_ROOM];
};

static struct record *records;
static uint32_t record_count;

bool mcr_effects_init(void) {
    records = mcr_map(RECORDS * sizeof *records);
    return records != NULL;
}

/* Parked descriptors came with the fork, and so did the memfds, which the parent writes out. */
void mcr_effects_fork_child(void) {
    for (uint32_t i = 0; i < record_count; i++) {
        if (records[i].kind == REPLACED)
            records[i].handed_down = true;
        else if (records[i].kind != PARKED && records[i].kind != HIDDEN)
            records[i].kind = NO_RECORD;
    }
}

static struct record *add(enum record_kind kind) {
    mcr_lock_take(&mcr_locks.effects);
    struct record *record = record_count < RECORDS ? &records[record_count++] : NULL;
    mcr_lock_drop(&mcr_locks.effects);
    if (record)
        record->kind = kind;
    else
        MCR_DISABLE(MCR_ERROR_TABLE_FULL, "too many effects to withhold");
    return record;
}

static struct record *find(enum record_kind kind, const struct stat *status) {
    for (uint32_t i = 0; i < record_count; i++)
        if (records[i].kind == kind && records[i].device == status->st_dev && records[i].inode == status->st_ino)
            return &records[i];
    return NULL;
}

static void identify(struct record *record, const struct stat *status) {
    record->device = status->st_dev;
    record->inode = status->st_ino;
}

static bool look(int dirfd, const char *path, int flags, struct stat *ret) {
    return MCR_SYS(newfstatat, dirfd, path, ret, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) == 0;
}

/* Empty if it does not fit. */
static void make_absolute(int dirfd, const char *path, char ret[PATH_ROOM]) {
    char link[32];
    long base = 0;
    if (path[0] != '/') {
        mcr_fd_link(dirfd, link);
        base = MCR_SYS(readlink, dirfd == AT_FDCWD ? "/proc/self/cwd" : link, ret, PATH_ROOM - 1);
        if (base > 0)
            ret[base++] = '/';
    }
    size_t size = strlen(path) + 1;
    if (base < 0 || size > (size_t)(PATH_ROOM - base))
        ret[0] = 0;
    else
        memcpy(ret + base, path, size);
}

/* The program writes into a memfd while O lives. 0 or the errno to fail with. */
static int replace(int dirfd, const char *path, int flags, const struct stat *status, struct mcr_opening *ret) {
    struct record *record = find(REPLACED, status);
    if (!record) {
        long target = MCR_SYS(openat, dirfd, path, (flags & ~(O_TRUNC | O_CREAT | O_EXCL)) | O_CLOEXEC);
        if (target < 0)
            return (int)-target;
        long memory = MCR_SYS(memfd_create, "mcr-withheld", MFD_CLOEXEC);
        record = memory < 0 ? NULL : add(REPLACED);
        if (!record)
            return EIO;
        record->target = mcr_fd_private((int)target);
        record->memory = mcr_fd_private((int)memory);
        identify(record, status);
    }
    record->truncate |= flags & O_TRUNC || find(HIDDEN, status);
    ret->flags = flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW);
    ret->withheld = true;
    mcr_fd_link(record->memory, ret->path);
    return 0;
}

int mcr_effect_open(int dirfd, const char *path, int flags, struct mcr_opening *ret) {
    struct stat status;
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    *ret = (struct mcr_opening){.flags = flags};
    if ((flags & O_TMPFILE) == O_TMPFILE || flags & O_PATH)
        return 0;
    if (!look(dirfd, path, flags, &status)) {
        ret->creates = flags & O_CREAT;
        return 0;
    }
    if (!S_ISREG(status.st_mode) || find(CREATED, &status))
        return 0;
    if (find(REPLACED, &status))
        return replace(dirfd, path, flags, &status, ret);
    if (find(HIDDEN, &status))
        return flags & O_CREAT && writes ? replace(dirfd, path, flags, &status, ret) : ENOENT;
    if (!writes || (flags & O_CREAT && flags & O_EXCL))
        return 0;
    if (flags & O_TRUNC || (flags & O_APPEND && (flags & O_ACCMODE) == O_WRONLY))
        return replace(dirfd, path, flags, &status, ret);
    ret->fd_flags = MCR_FD_GUARDED;
    return 0;
}

void mcr_effect_created(int dirfd, const char *path) {
    struct stat status;
    struct record *record = look(dirfd, path, O_NOFOLLOW, &status) ? add(CREATED) : NULL;
    if (!record)
        return;
    identify(record, &status);
    make_absolute(dirfd, path, record->from);
}

bool mcr_effect_unlink(int dirfd, const char *path) {
    struct stat status;
    if (!look(dirfd, path, O_NOFOLLOW, &status))
        return false;
    struct record *record = find(CREATED, &status);
    if (record) {
        record->kind = NO_RECORD;
        return false;
    }
    record = find(HIDDEN, &status) ? NULL : add(HIDDEN);
    if (record)
        identify(record, &status);
    return true;
}

bool mcr_effect_rename(int from_dir, const char *from, int to_dir, const char *to) {
    struct stat source, target;
    if (!look(from_dir, from, O_NOFOLLOW, &source))
        return false;
    struct record *created = find(CREATED, &source);
    bool replaces = look(to_dir, to, O_NOFOLLOW, &target) && !find(CREATED, &target);
    if (created && !replaces) {
        make_absolute(to_dir, to, created->from);
        return false;
    }
    struct record *record = created ? add(RENAMED) : NULL;
    if (record) {
        identify(record, &source);
        make_absolute(from_dir, from, record->from);
        make_absolute(to_dir, to, record->to);
    }
    return true;
}

static bool is_own_file(const struct stat *status) {
    for (uint32_t i = 0; i < record_count; i++) {
        struct stat memory;
        if (records[i].kind == REPLACED && MCR_SYS(fstat, records[i].memory, &memory) == 0 &&
            memory.st_dev == status->st_dev && memory.st_ino == status->st_ino)
            return true;
    }
    return find(CREATED, status);
}

static void put_at(int fd, int number) {
    long flags = MCR_SYS(fcntl, number, F_GETFD);
    if (flags >= 0)
        MCR_SYS(dup3, fd, number, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

/* A guarded file is written anew: from here on into a memfd. */
static void start_over(int fd) {
    struct stat status;
    struct record *record;
    long target = MCR_SYS(dup, fd), memory = MCR_SYS(memfd_create, "mcr-withheld", MFD_CLOEXEC);
    if (target < 0 || memory < 0 || MCR_SYS(fstat, fd, &status) < 0 || !(record = add(REPLACED)))
        return;
    identify(record, &status);
    record->truncate = true;
    record->target = mcr_fd_private((int)target);
    record->memory = mcr_fd_private((int)memory);
    put_at(record->memory, fd);
    mcr_fd_set_flags(fd, mcr_fd_flags(fd) & ~(uint32_t)MCR_FD_GUARDED);
}

bool mcr_effect_truncate(int fd, const char *path, off_t size) {
    struct stat status;
    if (fd < 0)
        return look(AT_FDCWD, path, 0, &status) && !is_own_file(&status);
    if (mcr_fd_flags(fd) & MCR_FD_GUARDED && size == 0) {
        start_over(fd);
        return true;
    }
    return mcr_effect_write(fd);
}

/* A child of N's own may be signalled; of a child alone the kernel has something to say here. */
bool mcr_effect_kill(pid_t pid) {
    return pid != mcr_control.pid && (pid <= 0 || MCR_SYS(waitid, P_PID, pid, NULL, WEXITED | WNOHANG | WNOWAIT) < 0);
}

bool mcr_effect_write(int fd) {
    uint32_t flags = mcr_fd_flags(fd);
    if (flags & MCR_FD_EXEC && fd <= STDERR_FILENO)
        return false;
    return flags & (MCR_FD_GUARDED | MCR_FD_CLAIMED | MCR_FD_INHERITED | MCR_FD_PLACEHOLDER | MCR_FD_EXEC);
}

/* A connection that N made itself must work, or its start-up fails; a datagram has a receiver outside. */
bool mcr_effect_send(int fd) {
    int type = 0, size = sizeof type;
    struct sockaddr_storage peer = {0};
    int peer_size = sizeof peer;
    if (mcr_effect_write(fd))
        return true;
    if (MCR_SYS(getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM)
        return false;
    bool pair = MCR_SYS(getpeername, fd, &peer, &peer_size) == 0 && peer.ss_family == AF_UNIX && peer_size <= 2;
    return !pair; /* a socketpair has an unnamed peer */
}

void mcr_effect_lock(int fd, int operation, const struct flock *lock) {
    struct record *record = add(LOCKED);
    if (!record)
        return;
    record->fd = fd;
    record->operation = operation;
    record->shared = !lock;
    if (lock)
        record->lock = *lock;
}

void mcr_effect_option(const struct mcr_call *call) {
    struct record *record = add(OPTION);
    if (!record)
        return;
    record->operation = call->kind;
    memcpy(record->args, call->args, sizeof record->args);
    if (call->blob && call->blob_size <= sizeof record->blob) {
        record->blob_size = call->blob_size;
        memcpy(record->blob, call->blob, call->blob_size);
    }
}

void mcr_effect_park(int fd) {
    struct record *record = add(PARKED);
    long own = MCR_SYS(dup, fd);
    if (!record || own < 0)
        return;
    record->fd = fd;
    record->target = mcr_fd_private((int)own);
}

static void copy_bytes(int from, int to) {
    static char buffer[65536];
    long offset = 0, size;
    while ((size = MCR_SYS(pread64, from, buffer, sizeof buffer, offset)) > 0) {
        for (long done = 0, written; done < size; done += written) {
            written = MCR_SYS(write, to, buffer + done, size - done);
            if (written <= 0)
                return;
        }
        offset += size;
    }
}

/* The file takes the place of the memfd at every number that stands for it. */
static void put_in_place(const struct record *record) {
    struct stat memory, status;
    if (MCR_SYS(fstat, record->memory, &memory) < 0)
        return;
    for (int fd = 0; fd <= mcr_control.highest_fd; fd++) {
        if (mcr_fd_flags(fd) & MCR_FD_OWN || MCR_SYS(fstat, fd, &status) < 0 || status.st_dev != memory.st_dev ||
            status.st_ino != memory.st_ino)
            continue;
        long position = MCR_SYS(lseek, fd, 0, SEEK_CUR);
        MCR_SYS(lseek, record->target, position, SEEK_SET);
        put_at(record->target, fd);
    }
}

static void apply_file(const struct record *record) {
    if (record->truncate && !record->handed_down) {
        MCR_SYS(ftruncate, record->target, 0);
        MCR_SYS(lseek, record->target, 0, SEEK_SET);
    }
    if (!record->handed_down)
        copy_bytes(record->memory, record->target);
    put_in_place(record);
    mcr_fd_close_own(record->memory);
    mcr_fd_close_own(record->target);
}

/* O is dying and may still hold it for a moment. */
static void apply_lock(struct record *record) {
    struct timespec pause = {0, 1000000};
    if (record->operation == F_SETLKW && !record->shared)
        record->operation = F_SETLK;
    else if (record->operation == F_OFD_SETLKW && !record->shared)
        record->operation = F_OFD_SETLK;
    for (int i = 0; i < LOCK_TRIES; i++) {
        long result = record->shared ? MCR_SYS(flock, record->fd, record->operation | LOCK_NB)
                                     : MCR_SYS(fcntl, record->fd, record->operation, &record->lock);
        if (result != -EAGAIN && result != -EACCES)
            return;
        MCR_SYS(nanosleep, &pause, NULL);
    }
}

static void apply_option(const struct record *record) {
    const int64_t *args = record->args;
    if (record->operation == MCR_OP_SETSOCKOPT)
        MCR_SYS(setsockopt, args[0], args[1], args[2], record->blob, record->blob_size);
    else if (record->operation == MCR_OP_FCNTL)
        MCR_SYS(fcntl, args[0], args[1], args[2]);
    else if (record->operation == MCR_OP_LISTEN)
        MCR_SYS(listen, args[0], args[1]);
}

bool mcr_effects_have_locks(void) {
    for (uint32_t i = 0; i < record_count; i++)
        if (records[i].kind == LOCKED)
            return true;
    return false;
}

void mcr_effects_apply(void) {
    for (uint32_t i = 0; i < record_count; i++) {
        struct record *record = &records[i];
        struct stat status;
        if (record->kind == REPLACED) {
            apply_file(record);
        } else if (record->kind == RENAMED) {
            if (look(AT_FDCWD, record->from, O_NOFOLLOW, &status) && status.st_ino == record->inode)
                MCR_SYS(rename, record->from, record->to);
        } else if (record->kind == PARKED) {
            put_at(record->target, record->fd);
            mcr_fd_close_own(record->target);
        } else if (record->kind == OPTION) {
            apply_option(record);
        }
    }
    for (uint32_t i = 0; i < record_count; i++) /* on the descriptors that the program will have */
        if (records[i].kind == LOCKED)
            apply_lock(&records[i]);
    record_count = 0;
}

void mcr_effects_undo(void) {
    struct stat status;
    for (uint32_t i = 0; i < record_count; i++)
        if (records[i].kind == CREATED && look(AT_FDCWD, records[i].from, O_NOFOLLOW, &status) &&
            status.st_dev == records[i].device && status.st_ino == records[i].inode)
            MCR_SYS(unlink, records[i].from);
}
