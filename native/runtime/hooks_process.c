/* hooks_process.c - processes, identities, libraries and bare system calls. Threads are in threads.c, exec in exec.c. */
#include "hooks.h"
#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <string.h>
#include "host_safe.h"

pid_t mcr_hook_fork(void) {
    if (MCR_SERVING)
        return mcr_real.fork();
    struct mcr_call call = MCR_CALL(FORK);
    struct mcr_birth birth;
    bool followed = mcr_call_begin(&call, MCR_CALLER()) && !call.silent && mcr_birth_prepare(&birth);
    mcr_call_result(&call, mcr_real.fork());
    if (followed && call.result == 0)
        mcr_birth_child(&birth);
    else if (followed)
        mcr_birth_parent(&birth, call.stack_id, (pid_t)call.result);
    return (pid_t)mcr_call_end(&call); /* the child's log has it, too, with the result 0 */
}

/* The log entry of a vfork, made before it: the child would write to it. Returns the real function. */
__attribute__((used)) static void *note_vfork(void) __asm__("mcr_note_vfork");
static void *note_vfork(void) {
    if (!MCR_SERVING) {
        const uint64_t *hook = *(const uint64_t **)__builtin_frame_address(0); /* mcr_hook_vfork's frame */
        struct mcr_call call = MCR_CALL(VFORK);
        mcr_note(&call, (struct mcr_frame){hook[1], (uint64_t)(hook + 2), hook[0]}, 0);
    }
    return (void *)mcr_real.vfork;
}

/* A jump, since the child comes back on its parent's stack. */
__attribute__((naked)) pid_t mcr_hook_vfork(void) {
    __asm__("push %rbp\n\t"
            "mov %rsp, %rbp\n\t"
            "call mcr_note_vfork\n\t"
            "pop %rbp\n\t"
            "jmp *%rax");
}

int mcr_hook_clone(int (*run)(void *), void *stack, int flags, void *argument, pid_t *parent_tid, void *tls,
                   pid_t *child_tid) {
    if (MCR_SERVING)
        return mcr_real.clone(run, stack, flags, argument, parent_tid, tls, child_tid);
    struct mcr_call call = MCR_CALL(CLONE, flags);
    return (int)MCR_CALL_RUN(call, mcr_real.clone(run, stack, flags, argument, parent_tid, tls, child_tid));
}

/* As daemon() does it, but each descriptor is logged, and in N what O has there stays. */
static void replace_standard(struct mcr_frame frame) {
    static const char null[] = "/dev/null";
    for (int fd = 0; fd < 3; fd++) {
        struct mcr_call call = MCR_CALL(OPEN, AT_FDCWD, O_RDWR);
        call.blob = null;
        call.blob_size = sizeof null - 1;
        if (mcr_call_begin(&call, frame)) {
            long opened = MCR_SYS(open, null, O_RDWR | O_CLOEXEC);
            mcr_fd_gone(fd);
            MCR_SYS(dup3, opened, fd, 0);
            MCR_SYS(close, opened);
            mcr_call_result(&call, fd);
        }
        mcr_call_end(&call);
    }
}

int mcr_hook_daemon(int nochdir, int noclose) {
    if (MCR_SERVING)
        return mcr_real.daemon(nochdir, noclose);
    struct mcr_frame frame = MCR_CALLER();
    struct mcr_call call = MCR_CALL(DAEMON, nochdir, noclose);
    if (mcr_call_begin(&call, frame))
        mcr_call_result(&call, mcr_real.daemon(nochdir, call.silent ? noclose : 1));
    if (!call.silent && !noclose && call.result == 0)
        replace_standard(frame);
    return (int)mcr_call_end(&call);
}

pid_t mcr_hook_getpid(void) {
    if (MCR_SERVING)
        return mcr_real.getpid();
    struct mcr_call call = MCR_CALL(GETPID);
    return (pid_t)MCR_CALL_RUN(call, mcr_real.getpid());
}

pid_t mcr_hook_getppid(void) {
    if (MCR_SERVING)
        return mcr_real.getppid();
    struct mcr_call call = MCR_CALL(GETPPID);
    return (pid_t)MCR_CALL_RUN(call, mcr_real.getppid());
}

pid_t mcr_hook_gettid(void) {
    if (MCR_SERVING)
        return mcr_real.gettid();
    struct mcr_call call = MCR_CALL(GETTID);
    return (pid_t)MCR_CALL_RUN(call, mcr_real.gettid());
}

pid_t mcr_hook_setsid(void) {
    if (MCR_SERVING)
        return mcr_real.setsid();
    struct mcr_call call = MCR_CALL(SETSID);
    return (pid_t)MCR_CALL_RUN(call, mcr_real.setsid());
}

static bool has_own_search_path(uint64_t pc) {
    Dl_info info;
    struct link_map *module;
    if (!dladdr1((void *)pc, &info, (void **)&module, RTLD_DL_LINKMAP) || !module)
        return true;
    for (const ElfW(Dyn) *entry = module->l_ld; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH)
            return true;
    return false;
}

/* The library that is found depends on who calls: then we must not stand between them. */
static bool depends_on_caller(const char *path, uint64_t pc) {
    return path && (strchr(path, '$') || (!strchr(path, '/') && has_own_search_path(pc)));
}

static bool is_on(void) {
    return mcr_settings && mcr_control.state != MCR_STATE_STARTING && mcr_control.state != MCR_STATE_DISABLED;
}

static void note_dlopen(const char *path, int flags, int64_t result, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(DLOPEN, flags);
    call.blob = path;
    call.blob_size = path ? strlen(path) : 0;
    mcr_note(&call, frame, result);
}

void *mcr_hook_dlopen(const char *path, int flags) {
    mcr_real_load();
    if (depends_on_caller(path, MCR_PC)) {
        note_dlopen(path, flags, 0, MCR_CALLER());
        mcr_modules_stale = true;
        return mcr_real.dlopen(path, flags); /* a jump, so that the caller stays the caller */
    }
    void *handle = mcr_real.dlopen(path, flags);
    int saved = errno;
    if (path && is_on()) {
        if (handle)
            mcr_stack_load_modules();
        note_dlopen(path, flags, handle ? 1 : 0, MCR_CALLER());
    }
    errno = saved;
    return handle;
}

/* Calls that go past libc, but not past us. Others are made as they are. */
static bool is_logged(long number) {
    return number == SYS_getpid || number == SYS_getppid || number == SYS_gettid || number == SYS_getrandom ||
           number == SYS_memfd_create || number == SYS_close || number == SYS_eventfd2 || number == SYS_pipe2 ||
           number == SYS_dup3 || number == SYS_epoll_create1;
}

static long call_hook(long number, long a, long b, long c) {
    switch (number) {
    case SYS_getpid:
        return mcr_hook_getpid();
    case SYS_getppid:
        return mcr_hook_getppid();
    case SYS_gettid:
        return mcr_hook_gettid();
    case SYS_getrandom:
        return mcr_hook_getrandom((void *)a, (size_t)b, (unsigned)c);
    case SYS_memfd_create:
        return mcr_hook_memfd_create((const char *)a, (unsigned)b);
    case SYS_close:
        return mcr_hook_close((int)a);
    case SYS_eventfd2:
        return mcr_hook_eventfd((unsigned)a, (int)b);
    case SYS_pipe2:
        return mcr_hook_pipe2((int *)a, (int)b);
    case SYS_dup3:
        return mcr_hook_dup3((int)a, (int)b, (int)c);
    default:
        return mcr_hook_epoll_create1((int)a);
    }
}

long mcr_hook_syscall(long number, long a, long b, long c, long d, long e, long f) {
    if (!MCR_SERVING) {
        mcr_real_load();
        if (is_logged(number))
            return call_hook(number, a, b, c);
    }
    return mcr_real.syscall(number, a, b, c, d, e, f);
}
