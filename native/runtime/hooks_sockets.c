/* hooks_sockets.c - sockets. accept, which waits, is in hooks_descriptor_waits.c. */
#include "hooks.h"
#include "host_safe.h"

int mcr_hook_socket(int domain, int type, int protocol) {
    if (MCR_SERVING)
        return mcr_fd_seen(mcr_real.socket(domain, type, protocol));
    struct mcr_call call = MCR_CALL(SOCKET, domain, type, protocol);
    return (int)MCR_CALL_RUN(call, mcr_real.socket(domain, type, protocol));
}

int mcr_hook_socketpair(int domain, int type, int protocol, int fds[2]) {
    struct mcr_call call = MCR_CALL(SOCKETPAIR, -1, -1, domain, type, protocol);
    bool run = mcr_call_begin(&call, MCR_CALLER());
    if (run)
        mcr_call_result(&call, mcr_real.socketpair(domain, type, protocol, fds));
    return mcr_call_end_pair(&call, run, fds);
}

static void set_address(struct mcr_call *call, const struct sockaddr *address, socklen_t size) {
    if (!address || size > sizeof(struct sockaddr_storage))
        return; /* the kernel will not take it either */
    call->blob = address;
    call->blob_size = size;
}

int mcr_hook_bind(int fd, const struct sockaddr *address, socklen_t size) {
    if (MCR_SERVING)
        return mcr_real.bind(fd, address, size);
    struct mcr_call call = MCR_CALL(BIND, fd);
    set_address(&call, address, size);
    return (int)MCR_CALL_RUN(call, mcr_real.bind(fd, address, size));
}

int mcr_hook_listen(int fd, int backlog) {
    if (MCR_SERVING)
        return mcr_real.listen(fd, backlog);
    struct mcr_call call = MCR_CALL(LISTEN, fd, backlog);
    return (int)MCR_CALL_RUN(call, mcr_real.listen(fd, backlog));
}

int mcr_hook_connect(int fd, const struct sockaddr *address, socklen_t size) {
    if (MCR_SERVING)
        return mcr_real.connect(fd, address, size);
    struct mcr_call call = MCR_CALL(CONNECT, fd);
    set_address(&call, address, size);
    return (int)MCR_CALL_RUN(call, mcr_real.connect(fd, address, size));
}

int mcr_hook_setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
    enum { MAX_VALUE = 4096 };
    if (MCR_SERVING)
        return mcr_real.setsockopt(fd, level, option, value, size);
    struct mcr_call call = MCR_CALL(SETSOCKOPT, fd, level, option);
    call.blob = size <= MAX_VALUE ? value : NULL;
    call.blob_size = size;
    return (int)MCR_CALL_RUN(call, mcr_real.setsockopt(fd, level, option, value, size));
}
