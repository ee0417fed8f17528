/*
 * main.c - mcr_launch PLAN-FD: tries until the new process stands at its entry with everything at its place.
 *
 * Its answer is one line on stdout. If its stdin is a pipe that stays open, it waits as the new process's parent, and a
 * second line says how that one ended.
 */
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOG_TAIL = 600 };

/* ---- failures ---- */

static void describe(struct failure *ret, enum failure_kind kind, bool is_final, const char *format, va_list values) {
    ret->kind = kind;
    ret->is_final = is_final;
    vsnprintf(ret->text, sizeof ret->text, format, values);
}

bool fail(struct failure *ret, enum failure_kind kind, const char *format, ...) {
    va_list values;
    va_start(values, format);
    describe(ret, kind, false, format, values);
    va_end(values);
    return false;
}

bool fail_finally(struct failure *ret, enum failure_kind kind, const char *format, ...) {
    va_list values;
    va_start(values, format);
    describe(ret, kind, true, format, values);
    va_end(values);
    return false;
}

bool fail_errno(struct failure *ret, const char *what) {
    return fail(ret, FAILURE_TRACE, "%s: %s", what, strerror(errno));
}

/* What N wrote to stderr before its entry, mostly ld.so's complaint: the end of it, behind the failure's text. */
static void append_log(struct failure *failure, int log) {
    char tail[LOG_TAIL + 1];
    off_t size = lseek(log, 0, SEEK_END);
    ssize_t got = size > 0 ? pread(log, tail, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0) : 0;
    size_t used = strlen(failure->text);
    if (got > 0)
        snprintf(failure->text + used, sizeof failure->text - used, ": %.*s", (int)got, tail);
}

/* ---- one try ---- */

struct attempt {
    struct plan *plan;
    struct tracee tracee;
    struct image image;
    int log, report; /* memfd that is N's stderr until its entry; read end of the child's report */
};

static bool start_child(struct attempt *attempt, struct failure *failure) {
    int go[2], report[2];
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0 || ftruncate(attempt->log, 0) < 0)
        return fail_errno(failure, "pipe2");
    attempt->tracee.pid = fork();
    if (attempt->tracee.pid == 0) {
        close(go[1]); /* so that the launcher's end ends the wait */
        child_run(attempt->plan, go[0], report[1], attempt->log);
    }
    close(go[0]);
    close(report[1]);
    attempt->report = report[0];
    bool is_seized = attempt->tracee.pid > 0 ? tracee_seize(&attempt->tracee, failure) : fail_errno(failure, "fork");
    if (is_seized && write(go[1], "", 1) != 1)
        is_seized = fail_errno(failure, "write");
    close(go[1]);
    return is_seized;
}

/* The child's own account of why it ended, if it gave one. */
static bool explain_end(const struct attempt *attempt, struct failure *failure) {
    struct child_report report;
    if (read(attempt->report, &report, sizeof report) == sizeof report)
        fail_finally(failure, report.kind, "%s: %s", report.what, strerror(report.error));
    return false;
}

static bool run_to_exec(struct attempt *attempt, struct failure *failure) {
    int status = 0, signal = 0;
    do {
        /* Seized, not stopped: at first there is nothing to resume. */
        bool is_running = status ? tracee_step(&attempt->tracee, PTRACE_CONT, signal, failure, &status)
                                 : tracee_wait(&attempt->tracee, failure, &status);
        if (!is_running)
            return explain_end(attempt, failure);
        signal = tracee_signal(status);
    } while (!stop_is_event(status, PTRACE_EVENT_EXEC));
    /* To the end of execve, which still writes its result into a register. */
    if (!tracee_step(&attempt->tracee, PTRACE_SYSCALL, 0, failure, &status))
        return false;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", attempt->tracee.pid);
    attempt->tracee.memory = open(path, O_RDWR | O_CLOEXEC);
    return attempt->tracee.memory >= 0 || fail_errno(failure, path);
}

static bool write_random(struct attempt *attempt, struct failure *failure) {
    const struct mcr_launch_plan *plan = attempt->plan->bytes;
    if (!(plan->apply & MCR_LAUNCH_AT_RANDOM) || !attempt->image.at_random)
        return true;
    return tracee_write(&attempt->tracee, attempt->image.at_random, plan->facts.at_random,
                        sizeof plan->facts.at_random) ||
           fail_errno(failure, "writing the bytes of AT_RANDOM");
}

/* A breakpoint is harmless here: this process is nobody's server yet. */
static bool run_to_entry(struct attempt *attempt, struct failure *failure) {
    static const unsigned char trap = 0xcc;
    struct tracee *tracee = &attempt->tracee;
    struct user_regs_struct registers;
    unsigned char saved;
    int status, signal = 0;
    uint64_t entry = attempt->image.entry;
    if (!tracee_read(tracee, entry, &saved, 1) || !tracee_write(tracee, entry, &trap, 1))
        return fail_errno(failure, "breakpoint at the entry");
    for (;;) {
        if (!tracee_step(tracee, PTRACE_CONT, signal, failure, &status))
            return false;
        signal = tracee_signal(status);
        if (!tracee_registers(tracee, &registers))
            return fail_errno(failure, "PTRACE_GETREGS");
        if (signal == SIGTRAP && registers.rip == entry + 1)
            break;
    }
    registers.rip = entry;
    return (tracee_write(tracee, entry, &saved, 1) && tracee_set_registers(tracee, &registers)) ||
           fail_errno(failure, "breakpoint at the entry");
}

/* libmcr has put O's stderr in place; without it N gets /dev/null instead of a log that nobody reads. */
static bool take_log_away(struct attempt *attempt, struct failure *failure) {
    static const uint64_t args[6] = {STDOUT_FILENO, STDERR_FILENO};
    char path[64];
    struct stat log, now;
    int64_t ignored;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", attempt->tracee.pid, STDERR_FILENO);
    if (fstat(attempt->log, &log) < 0 || stat(path, &now) < 0 || log.st_ino != now.st_ino || log.st_dev != now.st_dev)
        return true;
    return tracee_syscall(&attempt->tracee, SYS_dup2, args, failure, &ignored);
}

static bool try_once(struct attempt *attempt, struct failure *failure) {
    struct tracee *tracee = &attempt->tracee;
    struct image *image = &attempt->image;
    return start_child(attempt, failure) && run_to_exec(attempt, failure) &&
           image_read(tracee, attempt->plan, failure, image) && write_random(attempt, failure) &&
           reserve_ranges(tracee, attempt->plan, failure, image) &&
           (!image->has_interpreter || steer_libraries(tracee, attempt->plan, failure)) &&
           run_to_entry(attempt, failure) && take_log_away(attempt, failure) &&
           (ptrace(PTRACE_DETACH, tracee->pid, NULL, 0L) == 0 || fail_errno(failure, "PTRACE_DETACH"));
}

/* ---- all tries ---- */

static void ignore_alarm(int signal) { (void)signal; }

/* After the deadline SIGALRM interrupts waitpid, again and again. */
static uint64_t set_deadline(uint32_t timeout_ms) {
    struct sigaction action = {.sa_handler = ignore_alarm};
    struct itimerval timer = {{0, 20000}, {timeout_ms / 1000, (timeout_ms % 1000) * 1000 + 1}};
    struct timespec now;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + timeout_ms * 1000000ull;
}

/* The process's pid, or 0. */
static pid_t launch(struct plan *plan, struct failure *failure, uint32_t *ret_tries) {
    struct attempt attempt = {.plan = plan, .tracee = {0, -1, set_deadline(plan->bytes->timeout_ms)}, .report = -1};
    attempt.log = memfd_create("mcr_launch log", MFD_CLOEXEC);
    if (attempt.log < 0)
        return fail_errno(failure, "memfd_create");
    for (*ret_tries = 1;; ++*ret_tries) {
        if (try_once(&attempt, failure))
            return attempt.tracee.pid;
        tracee_kill(&attempt.tracee);
        close(attempt.report);
        if (failure->is_final || failure->kind != FAILURE_CLASH || *ret_tries >= plan->bytes->tries)
            break;
    }
    if (failure->kind == FAILURE_EXITED || failure->kind == FAILURE_SIGNAL || failure->kind == FAILURE_TIMEOUT)
        append_log(failure, attempt.log);
    return 0;
}

static int report(pid_t pid, uint32_t tries, struct failure *failure) {
    static const char *const kinds[] = {"",       "plan",   "exec",    "permission", "clash",
                                        "exited", "signal", "timeout", "trace"};
    if (pid > 0)
        return printf("ok %d %u\n", pid, tries) < 0 || fflush(stdout) != 0;
    for (char *at = failure->text; *at; at++) /* the answer is one line */
        *at = (unsigned char)*at < ' ' ? ' ' : *at;
    printf("error %s %s\n", kinds[failure->kind], failure->text);
    return 1;
}

static bool is_pipe(int fd) {
    struct stat file;
    return fstat(fd, &file) == 0 && S_ISFIFO(file.st_mode);
}

/* N's end of the channel must not stay open here: its end tells the controller that N is gone. */
static void report_end(pid_t pid) {
    const struct itimerval never = {{0, 0}, {0, 0}};
    int status;
    setitimer(ITIMER_REAL, &never, NULL);
    syscall(SYS_close_range, 3u, ~0u, 0);
    struct pollfd watched[] = {{STDIN_FILENO, 0, 0}, {(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0}};
    while (poll(watched, 2, -1) < 0 && errno == EINTR)
        ;
    if (waitpid(pid, &status, WNOHANG) != pid)
        return;
    if (WIFSIGNALED(status))
        printf("signal %d\n", WTERMSIG(status));
    else
        printf("exit %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv) {
    struct failure failure = {FAILURE_NONE, false, ""};
    struct plan plan;
    uint32_t tries = 0;
    pid_t pid = 0;
    if (argc != 2)
        fail_finally(&failure, FAILURE_PLAN, "usage: mcr_launch PLAN-FD");
    else if (plan_open(atoi(argv[1]), &failure, &plan))
        pid = launch(&plan, &failure, &tries);
    int result = report(pid, tries, &failure);
    if (result == 0 && is_pipe(STDIN_FILENO))
        report_end(pid);
    return result;
}
