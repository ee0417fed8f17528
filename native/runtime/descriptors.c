/*
 * descriptors.c - what libmcr knows of each descriptor number.
 *
 * In N the numbers below settings->placeholder_end that nothing else takes are filled with placeholders (O_PATH
 * descriptors), so that the kernel itself gives N's additional descriptors numbers which O does not use.
 */
#include "hooks.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include "host_safe.h"

enum { PRIVATE_NUMBERS = 256 };

struct mcr_fd *mcr_fds;

static int placeholder_end, known_end;
static uint64_t exec_open[MCR_FD_LIMIT / 64 / 64]; /* numbers below 16384: bit = open when the program started */

static bool is_in_range(int fd) { return mcr_fds && (unsigned)fd < MCR_FD_LIMIT; }

uint32_t mcr_fd_flags(int fd) { return is_in_range(fd) ? mcr_fds[fd].flags : 0; }

int mcr_fds_end(void) { return known_end; }

static void know(int fd, struct mcr_fd what) {
    mcr_fds[fd] = what;
    int end = __atomic_load_n(&known_end, __ATOMIC_RELAXED);
    while (end <= fd &&
           !__atomic_compare_exchange_n(&known_end, &end, fd + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void mcr_fd_set_flags(int fd, uint32_t flags) {
    if (is_in_range(fd))
        know(fd, (struct mcr_fd){mcr_fds[fd].entry, flags});
}

static void mark_gone(uint32_t entry) {
    struct mcr_operation *operation = (struct mcr_operation *)mcr_control.operations.address + (entry - 1);
    __atomic_fetch_or(&operation->flags, MCR_OPF_GONE, __ATOMIC_RELAXED);
}

void mcr_fd_gone(int fd) {
    if (!is_in_range(fd) || MCR_SYS(getpid) != mcr_control.pid)
        return; /* a child of vfork closes its own descriptor, not ours */
    if (mcr_fds[fd].entry)
        mark_gone(mcr_fds[fd].entry);
    mcr_fds[fd] = (struct mcr_fd){0, 0};
}

void mcr_fd_taken(int fd, uint32_t seq, uint32_t flags) {
    if (!is_in_range(fd))
        return;
    if (mcr_fds[fd].entry && mcr_fds[fd].entry != seq + 1)
        mark_gone(mcr_fds[fd].entry); /* closed where no hook saw it */
    know(fd, (struct mcr_fd){seq + 1, flags});
}

bool mcr_fd_is_protected(int fd) {
    uint32_t flags = mcr_fd_flags(fd);
    if (flags & MCR_FD_OWN)
        return true;
    return mcr_unreleased &&
           (flags & MCR_FD_PLACEHOLDER || (flags & (MCR_FD_INHERITED | MCR_FD_CLAIMED)) == MCR_FD_INHERITED);
}

static int first_private(void) {
    struct rlimit limit = {1024, 1024};
    if (mcr_unreleased && mcr_settings->private_fd >= PRIVATE_NUMBERS)
        return mcr_settings->private_fd - PRIVATE_NUMBERS;
    MCR_SYS(prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    uint64_t top = limit.rlim_cur < MCR_FD_LIMIT ? limit.rlim_cur : MCR_FD_LIMIT;
    return top > PRIVATE_NUMBERS ? (int)(top - PRIVATE_NUMBERS) : 0;
}

int mcr_fd_private(int fd) {
    long number = MCR_SYS(fcntl, fd, F_DUPFD_CLOEXEC, first_private());
    if (number < 0)
        return (int)number;
    MCR_SYS(close, fd);
    mcr_fd_set_flags((int)number, MCR_FD_OWN);
    return (int)number;
}

void mcr_fd_close_own(int fd) {
    mcr_fd_set_flags(fd, 0);
    MCR_SYS(close, fd);
}

int mcr_fd_place(int fd, int number, bool cloexec) {
    if (fd == number) {
        MCR_SYS(fcntl, fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);
        return number;
    }
    if (number == mcr_control.channel_fd) {
        int moved = mcr_fd_private(number);
        if (moved < 0)
            return moved;
        mcr_control.channel_fd = moved;
    }
    long placed = MCR_SYS(dup3, fd, number, cloexec ? O_CLOEXEC : 0);
    if (placed < 0)
        return (int)placed;
    MCR_SYS(close, fd);
    if (mcr_fd_flags(number) & MCR_FD_PLACEHOLDER)
        mcr_fd_set_flags(number, 0);
    return number;
}

void mcr_fds_fill(int end) {
    long number = MCR_SYS(open, "/", O_PATH | O_CLOEXEC);
    if (end > MCR_FD_LIMIT)
        end = MCR_FD_LIMIT;
    if (end > placeholder_end)
        placeholder_end = end;
    long pattern = number;
    while (number >= 0 && number < end) {
        mcr_fd_set_flags((int)number, MCR_FD_PLACEHOLDER);
        number = MCR_SYS(fcntl, pattern, F_DUPFD_CLOEXEC, 0);
    }
    if (number >= 0)
        MCR_SYS(close, number);
}

static const struct mcr_inherited_fd *find_inherited(int fd) {
    const struct mcr_inherited_fd *inherited = mcr_settings_part(mcr_settings->inherited);
    for (uint64_t i = 0; i < mcr_settings->inherited_count; i++)
        if (inherited[i].number == fd)
            return &inherited[i];
    return NULL;
}

/* A number that O's descriptor is still to get must not go to another one of N's. */
void mcr_fd_closed(int fd) {
    const struct mcr_inherited_fd *late = mcr_unreleased ? find_inherited(fd) : NULL;
    if (late && late->cloexec & MCR_FD_LATE)
        mcr_fds_fill(placeholder_end);
}

/* What the parent inherited and its start-up has not asked for is the parent's business. */
void mcr_fds_follow(void) {
    for (int fd = 0; fd < known_end; fd++) {
        const struct mcr_inherited_fd *listed = find_inherited(fd);
        if ((mcr_fd_flags(fd) & (MCR_FD_INHERITED | MCR_FD_CLAIMED)) == MCR_FD_INHERITED &&
            (!listed || listed->cloexec & MCR_FD_LATE)) {
            MCR_SYS(close, fd);
            mcr_fd_set_flags(fd, 0);
        }
    }
}

void mcr_fds_clear(void) {
    for (int fd = 0; fd < placeholder_end; fd++) {
        if (!(mcr_fd_flags(fd) & MCR_FD_PLACEHOLDER))
            continue;
        mcr_fd_set_flags(fd, 0);
        long flags = MCR_SYS(fcntl, fd, F_GETFL); /* replaced by a call that no hook saw? */
        if (flags >= 0 && flags & O_PATH)
            MCR_SYS(close, fd);
    }
}

void mcr_fds_forget_highest(void) {
    while (mcr_control.highest_fd >= 0 && MCR_SYS(fcntl, mcr_control.highest_fd, F_GETFD) < 0)
        mcr_control.highest_fd--;
}

static bool was_open(int fd) { return (unsigned)fd < sizeof exec_open * 8 && exec_open[fd / 64] & (1ull << (fd % 64)); }

static int parse_number(const char *name) {
    int number = 0;
    for (; *name; name++) {
        if (*name < '0' || *name > '9')
            return -1;
        number = number * 10 + (*name - '0');
    }
    return number;
}

static void note_open(int fd, long directory) {
    if (fd < 0 || fd == directory || (mcr_settings && fd == MCR_CHANNEL_FD && mcr_settings->role > MCR_ROLE_RECORD))
        return;
    mcr_fd_seen(fd);
    if ((unsigned)fd < sizeof exec_open * 8)
        exec_open[fd / 64] |= 1ull << (fd % 64);
}

bool mcr_fds_init(void) {
    struct linux_dirent64 {
        uint64_t inode, offset;
        uint16_t size;
        uint8_t type;
        char name[];
    };
    char buffer[4096] __attribute__((aligned(8)));
    mcr_fds = mcr_map(MCR_FD_LIMIT * sizeof *mcr_fds);
    long directory = MCR_SYS(open, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), size;
    while (directory >= 0 && (size = MCR_SYS(getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < size;) {
            const struct linux_dirent64 *entry = (void *)(buffer + at);
            note_open(parse_number(entry->name), directory);
            at += entry->size;
        }
    }
    if (directory >= 0)
        MCR_SYS(close, directory);
    return mcr_fds != NULL;
}

void mcr_fd_link(int fd, char ret[32]) {
    char digits[12], *out = stpcpy(ret, "/proc/self/fd/");
    int count = 0;
    for (int rest = fd; rest || !count; rest /= 10)
        digits[count++] = (char)('0' + rest % 10);
    while (count)
        *out++ = digits[--count];
    *out = 0;
}

static void log_exec(int fd) {
    char link[32], target[512];
    mcr_fd_link(fd, link);
    long size = MCR_SYS(readlink, link, target, sizeof target);
    mcr_log_exec(fd, target, size > 0 ? (size_t)size : 0);
}

/* In N, O's object at such a number is known to the program only if O had it there since its own exec. */
void mcr_fds_log_exec(void) {
    for (int fd = 0; fd < (int)sizeof exec_open * 8; fd++) {
        bool inherited = mcr_fd_flags(fd) & MCR_FD_INHERITED;
        if (inherited ? mcr_replay_was_open(fd) : was_open(fd))
            log_exec(fd);
    }
}
