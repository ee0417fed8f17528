/*
 * channel.c - N's end of the channel to the controller. The protocol is in mcr_abi.h.
 *
 * The constructor takes what O's processes hand over (greet); afterwards the held initial thread serves commands
 * until COMMIT. The controller's end closed before that means that there will be no update: N is gone then.
 */
#include "hooks.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "host_safe.h"

enum {
    KILL_WAIT_MS = 10, /* a tracer that does not reap O's threads keeps a pidfd silent, though they are gone */
    ENTRY_MAX = MCR_CHANNEL_PAYLOAD / sizeof(uint64_t),
};

static struct packet {
    struct mcr_message head;
    char payload[MCR_CHANNEL_PAYLOAD];
    size_t size; /* of the payload received or to be sent */
    int fds[MCR_CHANNEL_FDS];
    uint32_t fd_count;
    bool committed;
} *packet; /* mapped in N only */

bool mcr_channel_open(void) {
    int type = 0, size = sizeof type;
    if (MCR_SYS(getsockopt, MCR_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
        return false;
    packet = mcr_map(sizeof *packet);
    mcr_control.channel_fd = mcr_fd_private(MCR_CHANNEL_FD);
    return packet && mcr_control.channel_fd >= 0;
}

static void send_bytes(const void *bytes, size_t size, int flags) {
    while (MCR_SYS(sendto, mcr_control.channel_fd, bytes, size, flags | MSG_NOSIGNAL, NULL, 0) == -EINTR)
        ;
}

void mcr_channel_send(uint32_t kind, int64_t status) {
    struct mcr_message message = {.kind = kind, .status = status};
    if (mcr_control.channel_fd >= 0)
        send_bytes(&message, sizeof message, MSG_DONTWAIT);
}

void mcr_channel_send_birth(uint64_t stack_id, pid_t child, int channel) {
    struct {
        struct mcr_message head;
        uint64_t words[2];
    } birth = {{.kind = MCR_CMD_BORN, .count = 1}, {stack_id, (uint64_t)child}};
    char control[CMSG_SPACE(sizeof channel)] __attribute__((aligned(8))) = {0};
    struct iovec part = {&birth, sizeof birth};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof channel), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(rights), &channel, sizeof channel);
    while (MCR_SYS(sendmsg, mcr_control.channel_fd, &message, MSG_NOSIGNAL) == -EINTR)
        ;
}

/* ---------------------------------------------------------------- receiving */

static void take_descriptors(struct packet *into, struct msghdr *message) {
    into->fd_count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        into->fd_count = (uint32_t)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(into->fds, CMSG_DATA(part), into->fd_count * sizeof(int));
    }
}

/* The next message; 0, or -errno (-EPIPE: the other end is closed). */
static int64_t receive(void) {
    char control[CMSG_SPACE(sizeof packet->fds)] __attribute__((aligned(8)));
    struct iovec parts[] = {{&packet->head, sizeof packet->head}, {packet->payload, sizeof packet->payload}};
    struct msghdr message = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control};
    long size;
    do
        size = MCR_SYS(recvmsg, mcr_control.channel_fd, &message, MSG_CMSG_CLOEXEC);
    while (size == -EINTR);
    if (size <= 0)
        return size ? size : -EPIPE;
    take_descriptors(packet, &message);
    packet->size = size >= (long)sizeof packet->head ? (size_t)size - sizeof packet->head : 0;
    if (size < (long)sizeof packet->head || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return -EMSGSIZE;
    return 0;
}

static void close_left(void) {
    for (uint32_t i = 0; i < packet->fd_count; i++)
        if (packet->fds[i] >= 0)
            MCR_SYS(close, packet->fds[i]);
    packet->fd_count = 0;
}

static bool has_entries(size_t entry_size) { return packet->head.count <= packet->size / entry_size; }

/* ---------------------------------------------------------------- commands */

/* Received descriptors stand anywhere, also at a number that another of them is meant for. */
static int64_t step_aside(uint32_t first, int number) {
    for (uint32_t i = first; i < packet->fd_count; i++) {
        if (packet->fds[i] != number)
            continue;
        long moved = MCR_SYS(fcntl, number, F_DUPFD_CLOEXEC, 0);
        if (moved < 0)
            return moved;
        packet->fds[i] = (int)moved;
    }
    return 0;
}

/* The program's start-up put an object of its own there. */
static bool is_taken(int number) {
    const uint32_t replaceable = MCR_FD_INHERITED | MCR_FD_PLACEHOLDER | MCR_FD_EXEC;
    return mcr_fds[number].entry && !(mcr_fds[number].flags & replaceable);
}

static int64_t place(uint32_t i, const struct mcr_inherited_fd *wanted) {
    int number = wanted->number;
    if ((unsigned)number >= MCR_FD_LIMIT)
        return -EBADF;
    if (is_taken(number))
        return -EEXIST;
    int64_t placed = step_aside(i + 1, number);
    if (placed == 0)
        placed = mcr_fd_place(packet->fds[i], number, wanted->cloexec);
    if (placed < 0)
        return placed;
    packet->fds[i] = -1;
    mcr_fd_set_flags(number, mcr_fd_flags(number) | MCR_FD_INHERITED);
    mcr_fd_seen(number);
    return 0;
}

static int64_t run_fds(void) {
    const struct mcr_inherited_fd *wanted = (const void *)packet->payload;
    if (!has_entries(sizeof *wanted) || packet->head.count != packet->fd_count)
        return -EINVAL;
    int64_t status = 0;
    for (uint32_t i = 0; i < packet->fd_count && status == 0; i++)
        status = place(i, &wanted[i]);
    packet->size = 0;
    return status;
}

static int64_t run_call(struct mcr_remote_syscall *call, char *data, size_t size) {
    uint64_t args[6];
    for (int i = 0; i < 6; i++) {
        args[i] = call->args[i];
        if (!(call->pointers & (1u << i)))
            continue;
        if (args[i] > size)
            return -EFAULT;
        args[i] += (uint64_t)data;
    }
    return mcr_syscall(call->number, (long)args[0], (long)args[1], (long)args[2], (long)args[3], (long)args[4],
                       (long)args[5]);
}

static int64_t run_syscalls(void) {
    struct mcr_remote_syscall *calls = (void *)packet->payload;
    if (!has_entries(sizeof *calls))
        return -EINVAL;
    char *data = (char *)(calls + packet->head.count);
    size_t size = packet->size - packet->head.count * sizeof *calls;
    int64_t status = 0;
    for (uint32_t i = 0; i < packet->head.count; i++) {
        calls[i].result = status ? -ECANCELED : run_call(&calls[i], data, size);
        if (!status && calls[i].stop_on_error && calls[i].result < 0 && calls[i].result >= -4095)
            status = calls[i].result;
    }
    return status;
}

static int64_t run_adopt(void) {
    struct stat file;
    packet->size = 0;
    if (packet->fd_count != 1 || MCR_SYS(fstat, packet->fds[0], &file) < 0 ||
        file.st_size < (off_t)sizeof(struct mcr_adoption))
        return -EINVAL;
    long mapped = MCR_SYS(mmap, NULL, file.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, packet->fds[0], 0);
    if (mapped < 0 && mapped >= -4095)
        return mapped;
    struct mcr_adoption *adoption = (void *)mapped;
    uint64_t size = (uint64_t)file.st_size;
    int64_t status = -EINVAL;
    if (adoption->modules <= size && adoption->module_count <= (size - adoption->modules) / sizeof(struct mcr_module))
        status = mcr_heap_adopt(adoption);
    if (status == 0 && !mcr_stack_adopt((const void *)(mapped + (long)adoption->modules), adoption->module_count))
        status = -ENOSPC;
    MCR_SYS(munmap, mapped, size);
    return status;
}

static int64_t run_allocate(void) {
    uint64_t *words = (void *)packet->payload;
    if (!has_entries(sizeof *words))
        return -EINVAL;
    for (uint32_t i = 0; i < packet->head.count; i++)
        words[i] = mcr_heap_allocate(words[i]);
    return 0;
}

static int64_t run_forget(void) {
    if (!has_entries(sizeof(uint64_t)))
        return -EINVAL;
    packet->size = 0;
    return mcr_heap_forget((const void *)packet->payload, packet->head.count);
}

static int64_t run_nudge(void) {
    if (!has_entries(sizeof(uint64_t)))
        return -EINVAL;
    packet->size = 0;
    mcr_conditions_nudge((const void *)packet->payload, packet->head.count);
    return 0;
}

/* ---------------------------------------------------------------- commit */

static int64_t signal_all(int signal) {
    for (uint32_t i = 0; i < packet->fd_count; i++) {
        long result = MCR_SYS(pidfd_send_signal, packet->fds[i], signal, NULL, 0);
        if (result < 0 && result != -ESRCH)
            return result;
    }
    return 0;
}

static void wait_for_ends(void) {
    uint64_t deadline = mcr_now_ns() + KILL_WAIT_MS * 1000000ull;
    for (uint32_t i = 0; i < packet->fd_count; i++) {
        struct pollfd watched = {packet->fds[i], POLLIN, 0};
        for (uint64_t now; (now = mcr_now_ns()) < deadline;) {
            long ready = MCR_SYS(poll, &watched, 1, (deadline - now) / 1000000 + 1);
            if (ready > 0)
                break;
        }
    }
}

static void take_over(void) {
    mcr_effects_apply();
    mcr_fds_clear();
    mcr_births_release();
    mcr_watchdog_stop();
    packet->committed = true;
}

static int64_t run_commit(void) {
    packet->size = 0;
    if (packet->head.count != packet->fd_count || mcr_control.state == MCR_STATE_DISABLED)
        return -EINVAL;
    int64_t status = mcr_births_may_commit() ? signal_all(0) : -EPERM; /* may we? */
    if (status < 0)
        return status;
    signal_all(SIGKILL);
    mcr_births_commit();
    if (mcr_effects_have_locks())
        wait_for_ends();
    take_over();
    return 0;
}

static int64_t run_command(void) {
    switch (packet->head.kind) {
    case MCR_CMD_FDS:
        return run_fds();
    case MCR_CMD_SYSCALLS:
        return run_syscalls();
    case MCR_CMD_SNAPSHOT:
        packet->size = 0;
        return mcr_snapshot_take();
    case MCR_CMD_ADOPT:
        return run_adopt();
    case MCR_CMD_ALLOCATE:
        return run_allocate();
    case MCR_CMD_FORGET:
        return run_forget();
    case MCR_CMD_NUDGE:
        return run_nudge();
    case MCR_CMD_COMMIT:
        return run_commit();
    default:
        return -ENOSYS;
    }
}

static void answer(int64_t status) {
    if (status && packet->head.kind != MCR_CMD_SYSCALLS)
        packet->size = 0;
    packet->head.status = status;
    packet->head.count = packet->size ? packet->head.count : 0;
    send_bytes(packet, sizeof packet->head + packet->size, 0);
}

/* ---------------------------------------------------------------- what main.c and waits.c call */

static void give_up(void) {
    mcr_births_give_up();
    mcr_effects_undo();
    mcr_die();
}

int mcr_channel_greet(void) {
    const struct mcr_inherited_fd *inherited = mcr_settings_part(mcr_settings->inherited);
    uint64_t expected = 0;
    for (uint64_t i = 0; i < mcr_settings->inherited_count; i++)
        expected += !(inherited[i].cloexec & (MCR_FD_HANDED_DOWN | MCR_FD_LATE));
    while (expected) {
        int64_t status = receive();
        if (status == -EPIPE)
            give_up();
        uint32_t count = packet->head.count;
        if (status == 0)
            status = packet->head.kind == MCR_CMD_FDS && count && count <= expected ? run_fds() : -EPROTO;
        close_left();
        answer(status);
        if (status)
            return (int)status;
        expected -= count;
    }
    mcr_channel_send(MCR_CMD_HELLO, 0);
    return 0;
}

bool mcr_channel_take_settings(const struct mcr_settings **ret) {
    int64_t status = receive();
    if (status == -EPIPE || status == -ECONNRESET)
        give_up();
    bool told = status == 0 && packet->head.kind == MCR_CMD_SETTINGS && packet->head.count == packet->fd_count;
    if (told && packet->fd_count == 1) {
        *ret = mcr_settings_map(packet->fds[0]);
        packet->fds[0] = -1;
        told = *ret != NULL;
    }
    close_left();
    packet->size = 0;
    answer(told ? 0 : -EINVAL);
    return told;
}

static void wait_for_end(void) {
    static volatile uint32_t never;
    for (;;)
        MCR_SYS(futex, &never, 0 /* FUTEX_WAIT */, 0, NULL);
}

void mcr_channel_serve(void) {
    if (mcr_control.channel_fd < 0)
        wait_for_end(); /* a rehearsal: killed by whoever reads it, or by the watchdog */
    while (!packet->committed) {
        int64_t status = receive();
        if (status == -EPIPE || status == -ECONNRESET) {
            if (!mcr_births_committed())
                give_up();
            take_over();
            break;
        }
        if (status == 0)
            status = run_command();
        close_left();
        answer(status);
    }
    mcr_fd_close_own(mcr_control.channel_fd);
    mcr_control.channel_fd = -1;
    mcr_fds_forget_highest(); /* those of its start-up stood above all of O's, and would do so with each update */
    mcr_release();
}
