/*
 * probes.c - waits in which a program only tries out what the kernel can do.
 *
 * A program that looks in its start-up whether epoll reports a closed peer (nginx) waits for a pair of its own, one end
 * of which it has closed. That is no wait for events: start-up goes on behind it, and N need not be held there.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include "host_safe.h"

enum { MOST_WATCHED = 64, INFO_ROOM = 8192 };

static bool is_of_kind(int fd, uint16_t first, uint16_t second) {
    const struct mcr_operation *operations = (const struct mcr_operation *)mcr_control.operations.address;
    if (!mcr_fds || (unsigned)fd >= MCR_FD_LIMIT || !mcr_fds[fd].entry)
        return false;
    uint16_t kind = operations[mcr_fds[fd].entry - 1].kind;
    return kind == first || kind == second;
}

/* One end of a pair whose other end the program has closed. */
static bool is_alone(int fd) {
    const struct mcr_operation *operations = (const struct mcr_operation *)mcr_control.operations.address;
    return is_of_kind(fd, MCR_OP_SOCKETPAIR, MCR_OP_PIPE) && operations[mcr_fds[fd].entry - 1].flags & MCR_OPF_GONE;
}

/* The descriptors that an epoll instance watches, by its fdinfo (proc_pid_fdinfo(5)); 0 also if there are too many. */
static uint32_t find_watched(int epoll, struct pollfd ret[MOST_WATCHED]) {
    static const char key[] = "tfd:";
    char link[32], path[48] = "/proc/self/fdinfo/", info[INFO_ROOM];
    mcr_fd_link(epoll, link);
    strcpy(path + strlen(path), strrchr(link, '/') + 1);
    long file = MCR_SYS(open, path, O_RDONLY | O_CLOEXEC), size = 0, got;
    while (file >= 0 && size < INFO_ROOM - 1 && (got = MCR_SYS(read, file, info + size, INFO_ROOM - 1 - size)) > 0)
        size += got;
    if (file >= 0)
        MCR_SYS(close, file);
    if (file < 0 || size == INFO_ROOM - 1)
        return 0;
    info[size] = 0;
    uint32_t count = 0;
    for (const char *at = info; (at = strstr(at, key)) && count < MOST_WATCHED; count++) {
        int number = 0;
        for (at += sizeof key - 1; *at == ' '; at++)
            ;
        for (; *at >= '0' && *at <= '9'; at++)
            number = number * 10 + (*at - '0');
        ret[count] = (struct pollfd){number, POLLIN | POLLRDHUP, 0};
    }
    return count == MOST_WATCHED ? 0 : count;
}

/* Something has come, and all of it from pairs that are closed at their other end. */
static bool only_alone(const struct pollfd *fds, uint32_t count) {
    uint32_t alone = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pollfd one = {fds[i].fd, fds[i].events, 0};
        if (MCR_SYS(poll, &one, 1, 0) <= 0)
            continue;
        if (!is_alone(one.fd))
            return false;
        alone++;
    }
    return alone > 0;
}

bool mcr_wait_is_probe(const struct mcr_wait *wait) {
    struct pollfd watched[MOST_WATCHED];
    if (wait->kind != MCR_WAIT_EXTERNAL || !wait->fds || wait->fd_count > MOST_WATCHED)
        return false;
    if (wait->fd_count == 1 && is_of_kind(wait->fds[0].fd, MCR_OP_EPOLL_CREATE, MCR_OP_EPOLL_CREATE))
        return only_alone(watched, find_watched(wait->fds[0].fd, watched));
    return only_alone(wait->fds, wait->fd_count);
}
