/*
 * operations.c - the start-up log: who called what, with which result.
 *
 * A call is logged after it has run, whether it succeeded or not. Nothing is logged for a child of vfork, which shares
 * our memory but not our descriptors, nor for a signal handler that interrupts the logging itself.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include "host_safe.h"

enum {
    CAPACITY = 1 << 18,
    MAX_REPEATS = 4096, /* a program that looks at the clock in a loop must not fill the log */
    OPEN_IGNORED = O_CLOEXEC | O_NONBLOCK | O_LARGEFILE | O_NOCTTY,
};

volatile bool mcr_unreleased;

static uint32_t repeats[MCR_OPERATION_KINDS];

/* clang-format off */
const struct mcr_kind mcr_kinds[MCR_OPERATION_KINDS] = {
    /*                     makes object literals blob  flag_slot ignored */
    [MCR_OP_SOCKET]       = {1, 0, 0x07, false, 1, SOCK_CLOEXEC | SOCK_NONBLOCK},
    [MCR_OP_SOCKETPAIR]   = {2, 0, 0x1c, false, 3, SOCK_CLOEXEC | SOCK_NONBLOCK},
    [MCR_OP_BIND]         = {0, 1, 0x00, true, 0, 0},
    [MCR_OP_LISTEN]       = {0, 1, 0x00, false, 0, 0}, /* another backlog is set at commit */
    [MCR_OP_CONNECT]      = {0, 1, 0x00, true, 0, 0},
    [MCR_OP_ACCEPT]       = {1, 1, 0x00, false, 0, 0},
    [MCR_OP_OPEN]         = {1, 0, 0x03, true, 1, OPEN_IGNORED},
    [MCR_OP_FOPEN]        = {1, 0, 0x06, true, 1, OPEN_IGNORED},
    [MCR_OP_DUP]          = {1, 1, 0x02, false, 0, 0},
    [MCR_OP_DUP2]         = {1, 1, 0x02, false, 0, 0},
    [MCR_OP_PIPE]         = {2, 0, 0x04, false, 2, O_CLOEXEC | O_NONBLOCK},
    [MCR_OP_EVENTFD]      = {1, 0, 0x03, false, 1, EFD_CLOEXEC | EFD_NONBLOCK},
    [MCR_OP_EPOLL_CREATE] = {1, 0, 0x00, false, 0, 0},
    [MCR_OP_TIMERFD]      = {1, 0, 0x03, false, 1, TFD_CLOEXEC | TFD_NONBLOCK},
    [MCR_OP_SIGNALFD]     = {1, 0, 0x07, false, 1, SFD_CLOEXEC | SFD_NONBLOCK},
    [MCR_OP_INOTIFY]      = {1, 0, 0x00, false, 0, IN_CLOEXEC | IN_NONBLOCK},
    [MCR_OP_MEMFD]        = {1, 0, 0x01, true, 0, MFD_CLOEXEC},
    [MCR_OP_CLOSE]        = {0, 1, 0x00, false, 0, 0},
    [MCR_OP_FCLOSE]       = {0, 2, 0x00, false, 0, 0},
    [MCR_OP_SETSOCKOPT]   = {0, 1, 0x06, true, 0, 0},
    [MCR_OP_FCNTL]        = {0, 1, 0x06, false, 0, 0},
    [MCR_OP_MMAP]         = {0, 0, 0x2e, false, 0, 0},
    [MCR_OP_SHMGET]       = {0, 0, 0x07, false, 0, 0},
    [MCR_OP_CLONE]        = {0, 0, 0x01, false, 0, 0},
    [MCR_OP_DAEMON]       = {0, 0, 0x03, false, 0, 0},
    [MCR_OP_RANDOM]       = {0, 0, 0x03, false, 0, 0},
    [MCR_OP_TIME]         = {0, 0, 0x03, false, 0, 0},
    [MCR_OP_UNLINK]       = {0, 0, 0x00, true, 0, 0},
    [MCR_OP_RENAME]       = {0, 0, 0x00, true, 0, 0},
    [MCR_OP_TRUNCATE]     = {0, 0, 0x02, true, 0, 0},
    [MCR_OP_KILL]         = {0, 0, 0x02, false, 0, 0},
    [MCR_OP_LOCK]         = {0, 1, 0x02, true, 0, 0},
    [MCR_OP_SEND]         = {0, 1, 0x00, false, 0, 0},
    [MCR_OP_DLOPEN]       = {0, 0, 0x01, true, 0, 0},
};
/* clang-format on */

bool mcr_operations_init(void) {
    return mcr_table_init(&mcr_control.operations, sizeof(struct mcr_operation), CAPACITY);
}

/* Kinds that make nothing and that a program may call without end. */
static bool is_repeated(uint16_t kind) {
    return kind == MCR_OP_TIME || kind == MCR_OP_GETPID || kind == MCR_OP_GETPPID || kind == MCR_OP_GETTID ||
           kind == MCR_OP_SEND;
}

static bool is_recording(const struct mcr_call *call) {
    uint32_t state = mcr_control.state;
    if (state != MCR_STATE_STARTUP && !(mcr_unreleased && state == MCR_STATE_HELD))
        return false;
    if (mcr_self.busy || MCR_SYS(getpid) != mcr_control.pid)
        return false;
    return !is_repeated(call->kind) || __atomic_add_fetch(&repeats[call->kind], 1, __ATOMIC_RELAXED) <= MAX_REPEATS;
}

bool mcr_call_begin(struct mcr_call *call, struct mcr_frame frame) {
    mcr_real_load();
    call->errno_at = errno;
    if (mcr_unreleased && mcr_control.state == MCR_STATE_DISABLED)
        mcr_wait_park();
    call->silent = !is_recording(call);
    if (call->silent)
        return true;
    mcr_self.busy++;
    if (mcr_modules_stale)
        mcr_stack_load_modules();
    call->thread = mcr_thread_index();
    call->depth = mcr_stack_walk(frame, call->returns, MCR_CALL_DEPTH);
    call->stack_id = mcr_stack_id(call->returns, call->depth);
    bool run = mcr_unreleased ? mcr_replay_decide(call) : true;
    mcr_self.busy--;
    return run;
}

void mcr_call_result(struct mcr_call *call, int64_t result) {
    call->result = result;
    call->errno_at = errno;
    call->error = result == -1 ? errno : 0;
}

static uint64_t add_blob(const void *bytes, size_t size) {
    uint64_t offset = size ? mcr_blob_add(bytes, size) : 0;
    if (offset == UINT64_MAX)
        MCR_DISABLE(MCR_ERROR_TABLE_FULL, "the start-up log's bytes are too many");
    return offset;
}

/* UINT64_MAX if it could not be logged. */
static uint64_t append(const struct mcr_call *call) {
    uint64_t seq;
    struct mcr_operation *entry = mcr_table_add(&mcr_control.operations, &seq);
    if (!entry) {
        MCR_DISABLE(MCR_ERROR_TABLE_FULL, "too many operations in start-up");
        return UINT64_MAX;
    }
    *entry = (struct mcr_operation){
        .seq = (uint32_t)seq,
        .kind = call->kind,
        .flags = call->flags,
        .thread = call->thread,
        .error = call->error,
        .stack_id = call->stack_id,
        .result = call->result,
        .blob = add_blob(call->blob, call->blob ? call->blob_size : 0),
        .blob_size = call->blob ? (uint32_t)call->blob_size : 0,
        .match = call->match,
        .depth = call->depth,
        .returns = add_blob(call->returns, call->depth * sizeof *call->returns),
    };
    memcpy(entry->args, call->args, sizeof entry->args);
    if (call->flags & MCR_OPF_WITHHELD)
        __atomic_fetch_add(&mcr_control.withheld, 1, __ATOMIC_RELAXED);
    if (mcr_unreleased)
        mcr_replay_logged(call, seq);
    mcr_table_publish(&mcr_control.operations, seq);
    return seq;
}

static void take_numbers(const struct mcr_call *call, uint32_t seq) {
    uint32_t flags = call->fd_flags;
    if (call->kind == MCR_OP_SIGNALFD && call->args[0] != -1)
        return; /* another mask for a descriptor that exists */
    if (call->flags & MCR_OPF_MATCHED && !call->fresh)
        flags |= MCR_FD_INHERITED | MCR_FD_CLAIMED;
    if (mcr_kinds[call->kind].makes == 1) {
        mcr_fd_taken((int)call->result, seq, flags);
    } else if (mcr_kinds[call->kind].makes == 2) {
        mcr_fd_taken((int)call->args[0], seq, flags);
        mcr_fd_taken((int)call->args[1], seq, flags | MCR_FD_SECOND);
    }
}

/* The number that O's object of this operation has, if N's own object is to stand there. */
static void move_result(struct mcr_call *call) {
    if (call->place < 0 || call->result < 0 || call->result == call->place)
        return;
    long flags = MCR_SYS(fcntl, call->result, F_GETFD);
    int moved = mcr_fd_place((int)call->result, call->place, flags & FD_CLOEXEC);
    if (moved < 0)
        MCR_DISABLE(MCR_ERROR_INHERIT, "a descriptor could not be put at its number");
    else
        call->result = moved;
}

int64_t mcr_call_end(struct mcr_call *call) {
    if (!call->silent) {
        mcr_self.busy++;
        move_result(call);
        uint64_t seq = append(call);
        if (seq != UINT64_MAX && !call->error && !(call->flags & MCR_OPF_CONFLICT))
            take_numbers(call, (uint32_t)seq);
        mcr_self.busy--;
    }
    if (mcr_kinds[call->kind].makes == 1 && !call->error)
        mcr_fd_seen((int)call->result);
    errno = call->errno_at;
    return call->result;
}

int mcr_call_end_pair(struct mcr_call *call, bool ran, int fds[2]) {
    for (int i = 0; i < 2 && ran && call->result == 0; i++)
        call->args[i] = fds[i];
    int result = (int)mcr_call_end(call);
    for (int i = 0; i < 2 && result == 0; i++)
        fds[i] = mcr_fd_seen((int)call->args[i]);
    return result;
}

int64_t mcr_call_withhold(struct mcr_call *call, int64_t result) {
    call->flags = MCR_OPF_WITHHELD;
    call->result = result;
    call->error = 0;
    return mcr_call_end(call);
}

void mcr_note(struct mcr_call *call, struct mcr_frame frame, int64_t result) {
    int saved = errno;
    mcr_call_begin(call, frame);
    errno = saved;
    mcr_call_result(call, result);
    mcr_call_end(call);
}

void mcr_log_exec(int fd, const char *path, size_t path_size) {
    struct mcr_call call = MCR_CALL(OPEN, AT_FDCWD, MCR_SYS(fcntl, fd, F_GETFL));
    call.thread = mcr_thread_index();
    call.result = fd;
    call.blob = path;
    call.blob_size = path_size;
    if (mcr_unreleased)
        mcr_replay_exec(&call);
    uint64_t seq = append(&call);
    if (seq != UINT64_MAX)
        mcr_fd_taken(fd, (uint32_t)seq, MCR_FD_EXEC);
}
