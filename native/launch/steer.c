/*
 * steer.c - puts libraries at O's addresses by changing the arguments of ld.so's mmap calls.
 *
 * ld.so maps a library's whole length with one mmap(NULL, length, ..., fd) and its other segments into that. For
 * segments aligned to more than a page it first maps PROT_NONE memory with room to align, and unmaps what is too much.
 * Our reservation of the range lets MAP_FIXED replace nothing but itself. Once ld.so sets up the thread pointer all
 * libraries that the program needs are mapped.
 * Source: glibc elf/dl-map-segments.h, elf/rtld.c.
 */
#define _GNU_SOURCE
#include "launch.h"
#include <asm/prctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { SYSCALL_STOP = SIGTRAP | 0x80, LD_SO_FDS = 16 };

struct steering {
    struct tracee *tracee;
    struct plan *plan;
    uint64_t surplus; /* start of what ld.so will unmap behind an aligned library, 0 none */
    bool ends;        /* the thread pointer is being set */
};

static struct library *library_of_fd(const struct steering *steering, int fd) {
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", steering->tracee->pid, fd);
    return stat(path, &status) == 0 ? plan_library(steering->plan, status.st_dev, status.st_ino) : NULL;
}

/* ld.so has one library open at a time, at the lowest free number. */
static struct library *open_library(const struct steering *steering) {
    for (int fd = 0; fd < LD_SO_FDS; fd++) {
        struct library *library = library_of_fd(steering, fd);
        if (library)
            return library;
    }
    return NULL;
}

static bool redirect(struct steering *steering, struct library *library, uint64_t length, struct failure *failure) {
    struct user_regs_struct registers;
    if (!tracee_registers(steering->tracee, &registers))
        return fail_errno(failure, "PTRACE_GETREGS");
    registers.rdi = library->range.start;
    registers.rsi = length;
    registers.r10 = (registers.r10 & ~(uint64_t)MAP_FIXED_NOREPLACE) | MAP_FIXED;
    if (!tracee_set_registers(steering->tracee, &registers))
        return fail_errno(failure, "PTRACE_SETREGS");
    library->mapped = true;
    return true;
}

static bool steer_file(struct steering *steering, const uint64_t *args, struct failure *failure) {
    struct library *library = library_of_fd(steering, (int)args[4]);
    if (!library)
        return true;
    if (page_up(args[1]) > library->range.end - library->range.start)
        return fail_finally(failure, FAILURE_CLASH, "%s is mapped with %#lx bytes, more than its segments need",
                            library->path, args[1]);
    return redirect(steering, library, args[1], failure);
}

static bool steer_aligned(struct steering *steering, struct failure *failure) {
    struct library *library = open_library(steering);
    if (!library)
        return true;
    steering->surplus = library->range.end;
    return redirect(steering, library, library->range.end - library->range.start, failure);
}

/* Turns the call into none: ld.so does not look at munmap's result. */
static bool skip(struct steering *steering, struct failure *failure) {
    struct user_regs_struct registers;
    steering->surplus = 0;
    if (!tracee_registers(steering->tracee, &registers))
        return fail_errno(failure, "PTRACE_GETREGS");
    registers.orig_rax = -1ull;
    return tracee_set_registers(steering->tracee, &registers) || fail_errno(failure, "PTRACE_SETREGS");
}

static bool enter(struct steering *steering, uint64_t number, const uint64_t *args, struct failure *failure) {
    bool is_anywhere = number == SYS_mmap && args[0] == 0;
    if (is_anywhere && (int)args[4] >= 0)
        return steer_file(steering, args, failure);
    if (is_anywhere && args[2] == PROT_NONE && args[3] & MAP_ANONYMOUS)
        return steer_aligned(steering, failure);
    if (number == SYS_munmap && steering->surplus && args[0] == steering->surplus)
        return skip(steering, failure);
    steering->ends = number == SYS_arch_prctl && args[0] == ARCH_SET_FS;
    return true;
}

bool steer_libraries(struct tracee *tracee, struct plan *plan, struct failure *failure) {
    struct steering steering = {.tracee = tracee, .plan = plan};
    struct __ptrace_syscall_info info;
    int status, signal = 0;
    for (uint32_t i = 0; i < plan->library_count; i++)
        plan->libraries[i].mapped = false;
    for (;;) {
        if (!tracee_step(tracee, PTRACE_SYSCALL, signal, failure, &status))
            return false;
        signal = tracee_signal(status);
        if (WSTOPSIG(status) != SYSCALL_STOP)
            continue;
        if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof info, &info) <= 0)
            return fail_errno(failure, "PTRACE_GET_SYSCALL_INFO");
        if (info.op == PTRACE_SYSCALL_INFO_EXIT && steering.ends)
            return true;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY && !enter(&steering, info.entry.nr, info.entry.args, failure))
            return false;
    }
}
