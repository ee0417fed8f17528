/*
 * launch.h - what the parts of mcr_launch know of one another.
 *
 * mcr_launch starts a new server (N) as its first tracer: N's kernel state before exec as O's was at its start, O's
 * address ranges reserved, O's libraries at O's addresses. It lets N go at the program's entry and says so on stdout:
 * "ok PID TRIES", or "error KIND TEXT" with the exit status 1. If it dies, N dies with it.
 * Source: DESIGN section 2; ptrace(2), ld.so(8), elf(5); FACTS-GDB sections 11 and 12.
 */
#ifndef MCR_LAUNCH_H
#define MCR_LAUNCH_H

#include "../mcr_abi.h"
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/user.h>

enum failure_kind {
    FAILURE_NONE = 0,
    FAILURE_PLAN,       /* the plan is damaged or of another version */
    FAILURE_EXEC,       /* the executable cannot be executed */
    FAILURE_PERMISSION, /* one of O's launch facts cannot be given to N */
    FAILURE_CLASH,      /* something of N stands where O's memory must go; another try may help */
    FAILURE_EXITED,     /* N ended before its entry */
    FAILURE_SIGNAL,     /* N was killed before its entry */
    FAILURE_TIMEOUT,
    FAILURE_TRACE /* a system call of the launcher's own failed */
};

struct failure {
    enum failure_kind kind;
    bool is_final; /* no other try can help */
    char text[1024];
};

/* All of these answer false, so that callers can return what they return. */
bool fail(struct failure *ret, enum failure_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool fail_finally(struct failure *ret, enum failure_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool fail_errno(struct failure *ret, const char *what); /* FAILURE_TRACE with errno */

/* ---- plan.c ---- */
struct library {
    struct mcr_launch_range range; /* whole pages */
    const char *path;
    dev_t device;
    ino_t inode;
    bool mapped; /* in N, in this try */
};

struct plan {
    const struct mcr_launch_plan *bytes; /* the mapped file */
    const char *executable;
    char **argv, **envp;
    struct library *libraries;
    uint32_t library_count;
    struct mcr_launch_range *wanted; /* reserved ranges and libraries: whole pages, sorted, disjoint */
    uint32_t wanted_count;
};

bool plan_open(int fd, struct failure *failure, struct plan *ret); /* what it allocates lives as long as the launcher */
/* The plan's library that this file is, NULL if none. */
struct library *plan_library(const struct plan *plan, dev_t device, ino_t inode);

/* ---- child.c: between fork and exec ---- */
struct child_report { /* one write on a close-on-exec pipe if the exec is not reached */
    enum failure_kind kind;
    int error;
    char what[256];
};
/* Waits for a byte on `go`, becomes the program, or reports and ends. `log` becomes its stderr. */
_Noreturn void child_run(const struct plan *plan, int go, int report, int log);

/* ---- tracee.c: ptrace ---- */
struct tracee {
    pid_t pid;
    int memory;           /* /proc/PID/mem after exec, -1 before */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC */
};

bool tracee_seize(struct tracee *tracee, struct failure *failure);
/* Waits for the next stop. False if it ended or time is over. */
bool tracee_wait(struct tracee *tracee, struct failure *failure, int *ret_status);
/* Resumes with `request` and a signal, then waits so. */
bool tracee_step(struct tracee *tracee, int request, int signal, struct failure *failure, int *ret_status);
bool tracee_read(const struct tracee *tracee, uint64_t address, void *ret, size_t size);
bool tracee_write(const struct tracee *tracee, uint64_t address, const void *bytes, size_t size); /* text, too */
bool tracee_registers(const struct tracee *tracee, struct user_regs_struct *ret);
bool tracee_set_registers(const struct tracee *tracee, const struct user_regs_struct *registers);
/* Lets the stopped N run one system call as if it were none of its own. -errno in *ret if the kernel refuses. */
bool tracee_syscall(struct tracee *tracee, long number, const uint64_t args[6], struct failure *failure, int64_t *ret);
void tracee_kill(struct tracee *tracee);
bool stop_is_event(int status, int event); /* PTRACE_EVENT_* */
int tracee_signal(int status);             /* the signal that stopped it on its way to N; 0 for stops of ptrace's own */

/* ---- image.c: N's memory at the exec stop ---- */
enum { MAX_MAPPINGS = 64 };
struct mapping {
    struct mcr_launch_range range;
    bool is_executable_file; /* part of the program's image */
    char name[64];
};

struct image { /* the executable as loaded */
    struct mcr_launch_range range;
    uint64_t bias, alignment, entry;
    uint64_t auxv; /* address of the vector on the stack */
    uint64_t auxv_size;
    uint64_t at_phdr, at_random;
    bool is_movable, has_interpreter;
    struct mapping mappings[MAX_MAPPINGS];
    uint32_t mapping_count;
};

bool image_read(struct tracee *tracee, const struct plan *plan, struct failure *failure, struct image *ret);

/* ---- move.c ---- */
/* Moves the executable to `base`, the new address of its lowest byte. */
bool image_move(struct tracee *tracee, uint64_t base, struct failure *failure, struct image *image);

/* ---- reserve.c ---- */
bool reserve_ranges(struct tracee *tracee, const struct plan *plan, struct failure *failure, struct image *image);

/* ---- steer.c ---- */
/* Runs N through ld.so's mapping of libraries, each known one to its place. */
bool steer_libraries(struct tracee *tracee, struct plan *plan, struct failure *failure);

static inline bool ranges_overlap(struct mcr_launch_range a, struct mcr_launch_range b) {
    return a.start < b.end && b.start < a.end;
}

#define PAGE_BYTES ((uint64_t)4096)
static inline uint64_t page_down(uint64_t value) { return value & ~(PAGE_BYTES - 1); }
static inline uint64_t page_up(uint64_t value) { return page_down(value + PAGE_BYTES - 1); }

#endif
