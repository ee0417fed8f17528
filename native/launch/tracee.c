/*
 * tracee.c - ptrace: seize, run to the next stop, memory, registers, one system call in N's name.
 */
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

bool stop_is_event(int status, int event) { return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | event << 8); }

int tracee_signal(int status) {
    bool is_ptrace_stop = status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80);
    return is_ptrace_stop ? 0 : WSTOPSIG(status);
}

bool tracee_seize(struct tracee *tracee, struct failure *failure) {
    long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SEIZE, tracee->pid, NULL, options) < 0)
        return fail(failure, errno == EPERM ? FAILURE_PERMISSION : FAILURE_TRACE, "ptrace of the new process: %s",
                    strerror(errno));
    return true;
}

static bool is_late(const struct tracee *tracee) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec >= tracee->deadline_ns;
}

/* The launcher's interval timer interrupts waitpid once the time is over (main.c). */
bool tracee_wait(struct tracee *tracee, struct failure *failure, int *ret_status) {
    while (waitpid(tracee->pid, ret_status, __WALL) < 0) {
        if (errno != EINTR)
            return fail_errno(failure, "waitpid");
        if (is_late(tracee))
            return fail_finally(failure, FAILURE_TIMEOUT, "the new process did not reach its entry in time");
    }
    if (WIFSTOPPED(*ret_status))
        return true;
    tracee->pid = 0;
    if (WIFSIGNALED(*ret_status))
        return fail_finally(failure, FAILURE_SIGNAL, "killed by signal %d (%s) before its entry", WTERMSIG(*ret_status),
                            strsignal(WTERMSIG(*ret_status)));
    return fail_finally(failure, FAILURE_EXITED, "exit status %d before its entry", WEXITSTATUS(*ret_status));
}

bool tracee_step(struct tracee *tracee, int request, int signal, struct failure *failure, int *ret_status) {
    /* ESRCH: it was killed while stopped; waitpid says how. */
    if (ptrace((enum __ptrace_request)request, tracee->pid, NULL, (long)signal) < 0 && errno != ESRCH)
        return fail_errno(failure, "ptrace");
    return tracee_wait(tracee, failure, ret_status);
}

bool tracee_read(const struct tracee *tracee, uint64_t address, void *ret, size_t size) {
    return pread(tracee->memory, ret, size, (off_t)address) == (ssize_t)size;
}

bool tracee_write(const struct tracee *tracee, uint64_t address, const void *bytes, size_t size) {
    return pwrite(tracee->memory, bytes, size, (off_t)address) == (ssize_t)size;
}

bool tracee_registers(const struct tracee *tracee, struct user_regs_struct *ret) {
    return ptrace(PTRACE_GETREGS, tracee->pid, NULL, ret) == 0;
}

bool tracee_set_registers(const struct tracee *tracee, const struct user_regs_struct *registers) {
    return ptrace(PTRACE_SETREGS, tracee->pid, NULL, registers) == 0;
}

/* Steps over the `syscall` at `pc`. A signal for N that comes in between is sent again. */
static bool step_over(struct tracee *tracee, uint64_t pc, struct failure *failure, struct user_regs_struct *ret) {
    int status, signal = 0;
    do {
        if (!tracee_step(tracee, PTRACE_SINGLESTEP, 0, failure, &status))
            return false;
        if (!tracee_registers(tracee, ret))
            return fail_errno(failure, "PTRACE_GETREGS");
        signal = WSTOPSIG(status) == SIGTRAP ? signal : WSTOPSIG(status);
    } while (ret->rip == pc);
    if (signal)
        kill(tracee->pid, signal);
    if (ret->rip != pc + 2)
        return fail(failure, FAILURE_TRACE, "a system call in the new process ended at %#llx", ret->rip);
    return true;
}

bool tracee_syscall(struct tracee *tracee, long number, const uint64_t args[6], struct failure *failure, int64_t *ret) {
    static const unsigned char instruction[2] = {0x0f, 0x05};
    unsigned char saved_text[2];
    struct user_regs_struct saved, now;
    if (!tracee_registers(tracee, &saved) || !tracee_read(tracee, saved.rip, saved_text, sizeof saved_text) ||
        !tracee_write(tracee, saved.rip, instruction, sizeof instruction))
        return fail_errno(failure, "placing a system call in the new process");
    now = saved;
    now.rax = (unsigned long long)number;
    now.orig_rax = -1ull; /* nothing to restart */
    now.rdi = args[0], now.rsi = args[1], now.rdx = args[2];
    now.r10 = args[3], now.r8 = args[4], now.r9 = args[5];
    if (!tracee_set_registers(tracee, &now))
        return fail_errno(failure, "PTRACE_SETREGS");
    if (!step_over(tracee, saved.rip, failure, &now))
        return false;
    *ret = (int64_t)now.rax;
    saved.orig_rax = -1ull;
    if (!tracee_write(tracee, saved.rip, saved_text, sizeof saved_text) || !tracee_set_registers(tracee, &saved))
        return fail_errno(failure, "undoing a system call in the new process");
    return true;
}

void tracee_kill(struct tracee *tracee) {
    int status;
    if (tracee->pid > 0) {
        kill(tracee->pid, SIGKILL);
        while (waitpid(tracee->pid, &status, __WALL) >= 0 ? WIFSTOPPED(status) : errno == EINTR)
            ;
    }
    if (tracee->memory >= 0)
        close(tracee->memory);
    *tracee = (struct tracee){0, -1, tracee->deadline_ns};
}
