/*
 * hooks_files.c - calls that open files.
 *
 * In N, a file that replay does not give it is opened as effects.c says, perhaps under another name and with other
 * flags. A file of O's that is open and matched is opened anew at O's number (replay.c, make_fresh), never truncated.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include "host_safe.h"

static void set_path(struct mcr_call *call, const char *path) {
    call->blob = path;
    call->blob_size = path ? strlen(path) : 0;
    call->fd_flags = mcr_is_random_device(path) ? MCR_FD_RANDOM : 0;
}

/* How to make the real call. False: it is not made, and fails. */
static bool prepare(struct mcr_call *call, int dirfd, const char *path, int flags, struct mcr_opening *ret) {
    *ret = (struct mcr_opening){.flags = flags};
    if (!mcr_call_is_early(call))
        return true;
    bool reads = (flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT);
    int error = reads && mcr_replay_was_missing(path) ? ENOENT : 0;
    if (!error)
        error = mcr_effect_open(dirfd, path, call->fresh ? flags & ~O_TRUNC : flags, ret);
    if (!error)
        return true;
    errno = error;
    mcr_call_result(call, -1);
    return false;
}

static void opened(struct mcr_call *call, int dirfd, const char *path, const struct mcr_opening *opening) {
    if (call->silent || call->result < 0)
        return;
    call->fd_flags |= opening->fd_flags;
    if (opening->withheld)
        call->flags |= MCR_OPF_WITHHELD;
    if (opening->creates)
        mcr_effect_created(dirfd, path);
    bool reads = (opening->flags & O_ACCMODE) != O_WRONLY && !(opening->flags & (O_TRUNC | O_PATH));
    if (reads && !opening->withheld && !opening->creates)
        mcr_input_note((int)call->result);
}

static int open_logged(int dirfd, const char *path, int flags, mode_t mode, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(OPEN, dirfd, flags, mode);
    struct mcr_opening opening;
    set_path(&call, path);
    if (mcr_call_begin(&call, frame) && prepare(&call, dirfd, path, flags, &opening)) {
        const char *name = opening.path[0] ? opening.path : path;
        mcr_call_result(&call, mcr_real.openat(dirfd, name, opening.flags, mode));
        opened(&call, dirfd, path, &opening);
    }
    return (int)mcr_call_end(&call);
}

int mcr_hook_open(const char *path, int flags, mode_t mode) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.open(path, flags, mode));
    return open_logged(AT_FDCWD, path, flags, mode, MCR_CALLER());
}

int mcr_hook_open64(const char *path, int flags, mode_t mode) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.open64(path, flags, mode));
    return open_logged(AT_FDCWD, path, flags, mode, MCR_CALLER());
}

int mcr_hook_openat(int dirfd, const char *path, int flags, mode_t mode) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.openat(dirfd, path, flags, mode));
    return open_logged(dirfd, path, flags, mode, MCR_CALLER());
}

int mcr_hook_openat64(int dirfd, const char *path, int flags, mode_t mode) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.openat64(dirfd, path, flags, mode));
    return open_logged(dirfd, path, flags, mode, MCR_CALLER());
}

/* The checked variants end a program that forgets the mode: libc shall do that. */
static bool needs_mode(int flags) { return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE; }

int mcr_hook___open_2(const char *path, int flags) {
    if (MCR_SERVING || needs_mode(flags))
        return mcr_fd_seen(mcr_real.__open_2(path, flags));
    return open_logged(AT_FDCWD, path, flags, 0, MCR_CALLER());
}

int mcr_hook___open64_2(const char *path, int flags) {
    if (MCR_SERVING || needs_mode(flags))
        return mcr_fd_seen(mcr_real.__open64_2(path, flags));
    return open_logged(AT_FDCWD, path, flags, 0, MCR_CALLER());
}

int mcr_hook___openat_2(int dirfd, const char *path, int flags) {
    if (MCR_SERVING || needs_mode(flags))
        return mcr_fd_seen(mcr_real.__openat_2(dirfd, path, flags));
    return open_logged(dirfd, path, flags, 0, MCR_CALLER());
}

int mcr_hook___openat64_2(int dirfd, const char *path, int flags) {
    if (MCR_SERVING || needs_mode(flags))
        return mcr_fd_seen(mcr_real.__openat64_2(dirfd, path, flags));
    return open_logged(dirfd, path, flags, 0, MCR_CALLER());
}

int mcr_hook_creat(const char *path, mode_t mode) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.creat(path, mode));
    return open_logged(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode, MCR_CALLER());
}

int mcr_hook_creat64(const char *path, mode_t mode) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.creat64(path, mode));
    return open_logged(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode, MCR_CALLER());
}

/* The flags that fopen opens with; -1 for a mode that it refuses. */
static int parse_mode(const char *mode) {
    int flags = 0;
    bool both = strchr(mode, '+') != NULL;
    if (mode[0] == 'w')
        flags = O_CREAT | O_TRUNC;
    else if (mode[0] == 'a')
        flags = O_CREAT | O_APPEND;
    else if (mode[0] != 'r')
        return -1;
    flags |= both ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    for (const char *letter = mode + 1; *letter && *letter != ','; letter++)
        flags |= *letter == 'e' ? O_CLOEXEC : *letter == 'x' ? O_EXCL : 0;
    return flags;
}

/* A mode that opens a file that exists with these flags, at least without truncating it when they do not say so. */
static void write_mode(int flags, char ret[4]) {
    bool both = (flags & O_ACCMODE) == O_RDWR, reads = (flags & O_ACCMODE) == O_RDONLY;
    *ret++ = flags & O_APPEND ? 'a' : flags & O_TRUNC ? 'w' : both || reads ? 'r' : 'a';
    if (both)
        *ret++ = '+';
    if (flags & O_CLOEXEC)
        *ret++ = 'e';
    *ret = 0;
}

static int number_of(const FILE *stream) { return stream ? stream->_fileno : -1; }

/* The stream leaves its descriptor open and gets another one, of the null device. */
static void divert(FILE *stream) { stream->_fileno = (int)MCR_SYS(open, "/dev/null", O_RDWR | O_CLOEXEC); }

/* The stream stands for a descriptor that is open. */
static FILE *adopt(int fd, int flags, FILE *stream) {
    char mode[4];
    write_mode(flags, mode);
    if (!stream)
        return fdopen(fd, mode);
    int number = stream->_fileno;
    divert(stream);
    stream = mcr_real.freopen("/dev/null", mode, stream);
    if (stream) {
        MCR_SYS(close, stream->_fileno);
        stream->_fileno = fd;
    }
    if (number != fd && !mcr_fd_is_protected(number)) {
        mcr_fd_gone(number);
        MCR_SYS(close, number);
    }
    return stream;
}

static FILE *open_really(const char *path, const char *mode, FILE *stream) {
    if (!stream)
        return mcr_real.fopen(path, mode);
    if (mcr_fd_is_protected(stream->_fileno))
        divert(stream);
    return mcr_real.freopen(path, mode, stream);
}

static FILE *open_stream(const char *path, const char *mode, FILE *stream, struct mcr_frame frame) {
    int flags = parse_mode(mode);
    struct mcr_call call = MCR_CALL(FOPEN, (int64_t)stream, flags, stream != NULL);
    struct mcr_opening opening;
    char other[4];
    FILE *result = NULL;
    set_path(&call, path);
    if (!mcr_call_begin(&call, frame)) {
        result = adopt((int)call.result, flags, stream);
    } else if (prepare(&call, AT_FDCWD, path, flags, &opening)) {
        bool same = opening.flags == flags && !opening.path[0];
        write_mode(opening.flags, other);
        result = open_really(opening.path[0] ? opening.path : path, same ? mode : other, stream);
        mcr_call_result(&call, number_of(result));
        opened(&call, AT_FDCWD, path, &opening);
    }
    call.args[0] = (int64_t)result;
    mcr_call_end(&call);
    if (result && call.fresh)
        result->_fileno = (int)call.result;
    return result;
}

FILE *mcr_hook_fopen(const char *path, const char *mode) {
    if (MCR_SERVING || parse_mode(mode) < 0) {
        FILE *stream = mcr_real.fopen(path, mode);
        mcr_fd_seen(number_of(stream));
        return stream;
    }
    return open_stream(path, mode, NULL, MCR_CALLER());
}

FILE *mcr_hook_fopen64(const char *path, const char *mode) {
    if (MCR_SERVING || parse_mode(mode) < 0) {
        FILE *stream = mcr_real.fopen64(path, mode);
        mcr_fd_seen(number_of(stream));
        return stream;
    }
    return open_stream(path, mode, NULL, MCR_CALLER());
}

/* Without a path, only the mode changes. */
static bool is_plain_reopening(const char *path, const char *mode, FILE *stream) {
    mcr_real_load();
    if (MCR_SERVING && mcr_fd_known(stream->_fileno))
        mcr_fd_gone(stream->_fileno);
    return MCR_SERVING || !path || parse_mode(mode) < 0;
}

FILE *mcr_hook_freopen(const char *path, const char *mode, FILE *stream) {
    if (is_plain_reopening(path, mode, stream))
        return mcr_real.freopen(path, mode, stream);
    return open_stream(path, mode, stream, MCR_CALLER());
}

FILE *mcr_hook_freopen64(const char *path, const char *mode, FILE *stream) {
    if (is_plain_reopening(path, mode, stream))
        return mcr_real.freopen64(path, mode, stream);
    return open_stream(path, mode, stream, MCR_CALLER());
}

/* Logged under the name before its letters were chosen, which is the same in N. */
static int open_temporary(char *template, int suffix, int flags, struct mcr_frame frame) {
    enum { MAX_NAME = 512 };
    char name[MAX_NAME];
    size_t size = strnlen(template, sizeof name);
    struct mcr_call call = MCR_CALL(OPEN, AT_FDCWD, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
    memcpy(name, template, size);
    call.blob = name;
    call.blob_size = size;
    if (mcr_call_begin(&call, frame)) {
        mcr_call_result(&call, mcr_real.mkostemps(template, suffix, flags));
        if (call.result >= 0 && mcr_call_is_early(&call))
            mcr_effect_created(AT_FDCWD, template);
    }
    return (int)mcr_call_end(&call);
}

int mcr_hook_mkstemp(char *template) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.mkstemp(template));
    return open_temporary(template, 0, 0, MCR_CALLER());
}

int mcr_hook_mkstemp64(char *template) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.mkstemp64(template));
    return open_temporary(template, 0, 0, MCR_CALLER());
}

int mcr_hook_mkostemp(char *template, int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.mkostemp(template, flags));
    return open_temporary(template, 0, flags, MCR_CALLER());
}

int mcr_hook_mkostemp64(char *template, int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.mkostemp64(template, flags));
    return open_temporary(template, 0, flags, MCR_CALLER());
}

int mcr_hook_mkstemps(char *template, int suffix) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.mkstemps(template, suffix));
    return open_temporary(template, suffix, 0, MCR_CALLER());
}

int mcr_hook_mkostemps(char *template, int suffix, int flags) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.mkostemps(template, suffix, flags));
    return open_temporary(template, suffix, flags, MCR_CALLER());
}
