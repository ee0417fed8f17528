/*
 * hooks.h - what the hook files of libmcr.so share; the first include of each of them.
 *
 * A hook NAME is the function mcr_hook_NAME with the assembler name NAME. In the common case, a program that serves, it
 * tests one word and goes to mcr_real.NAME. In start-up (and in N until it is released) it makes a struct mcr_call:
 * mcr_call_begin() finds who calls and, in N, what O did at this point; the hook makes the real call if told to and
 * reports with mcr_call_result(); mcr_call_end() writes the log entry.
 */
#ifndef MCR_HOOKS_H
#define MCR_HOOKS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "hook_list.h"
#include "runtime.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

/* ---- real.c: the next definitions ---- */
struct mcr_real {
#define X(name, raw, type, parameters) type(*name) parameters;
    MCR_HOOKS(X)
#undef X
};
extern struct mcr_real mcr_real; /* system calls at first, libc's functions once mcr_real_load() has run */
void mcr_real_load(void);        /* any number of times, at any time */

#define X(name, raw, type, parameters)                                                                                 \
    type mcr_hook_##name parameters __asm__(#name) __attribute__((visibility("default")));
MCR_HOOKS(X)
#undef X

#define MCR_SERVING __builtin_expect(mcr_control.state == MCR_STATE_SERVING, 1)

/* ---- control.c, beyond runtime.h ---- */
void mcr_control_init(void);
void mcr_private_range(uint64_t start, uint64_t end); /* [start, end) is libmcr's own memory */
void mcr_table_fork_child(struct mcr_table *table);
void *mcr_blob_reserve(size_t size, uint64_t *offset); /* room in the blob table for the caller to fill; NULL if full */
const char *mcr_own_path(void);                        /* of libmcr.so, as the link map has it */
uint64_t mcr_now_ns(void);                             /* CLOCK_MONOTONIC */
extern struct mcr_locks { /* all locks outside the allocator; fork takes and resets them together */
    struct mcr_lock threads, replay, effects, ranges, modules, early;
} mcr_locks;

/* ---- threads.c ---- */
bool mcr_threads_init(uint64_t stack_top);
struct mcr_thread *mcr_thread_here(void); /* the caller's entry; one that nobody reads if the table is full */
struct mcr_thread *mcr_thread_initial(void);
bool mcr_thread_is_initial(void);                      /* of the process; after fork, the thread that forked */
bool mcr_threads_all_waited(void);                     /* each live thread of the table has waited once */
uint64_t mcr_thread_stack(uint64_t i, uint64_t *high); /* [low, high) of thread i's stack; 0 if unknown */

/* ---- descriptors.c: what libmcr knows of each descriptor number ---- */
#define MCR_FD_LIMIT (1 << 20)
enum mcr_fd_flag {
    MCR_FD_RANDOM = 1,      /* a random device */
    MCR_FD_PLACEHOLDER = 2, /* N: taken by libmcr, so that the kernel does not hand the number out */
    MCR_FD_INHERITED = 4,   /* N: O's object */
    MCR_FD_CLAIMED = 8,     /* N: an operation that matched O's log has returned this number */
    MCR_FD_GUARDED = 16,    /* N: a file that existed, open for writing: writes are withheld */
    MCR_FD_SECOND = 32,     /* the second number of a pair (pipe, socketpair) */
    MCR_FD_EXEC = 64,       /* open since exec: the program knows it without having made it */
    MCR_FD_OWN = 128        /* libmcr's */
};
struct mcr_fd {
    uint32_t entry; /* sequence number + 1 of the log entry that made it, 0 = none */
    uint32_t flags; /* enum mcr_fd_flag */
};
extern struct mcr_fd *mcr_fds; /* MCR_FD_LIMIT entries */
bool mcr_fds_init(void);
void mcr_fds_log_exec(void);                             /* descriptors that were open when the program started */
void mcr_fd_taken(int fd, uint32_t seq, uint32_t flags); /* the log entry `seq` made it */
void mcr_fd_gone(int fd);                                /* it is about to be closed or replaced */
uint32_t mcr_fd_flags(int fd);                           /* 0 for numbers out of range */
void mcr_fd_set_flags(int fd, uint32_t flags);
bool mcr_fd_is_protected(int fd);                   /* N: the program must take this number for closed */
int mcr_fds_end(void);                              /* all numbers of which something is known are below it */
int mcr_fd_private(int fd);                         /* moves fd to a number of libmcr's own; number or -errno */
void mcr_fd_close_own(int fd);                      /* closes such a number */
int mcr_fd_place(int fd, int number, bool cloexec); /* moves fd to number; number or -errno */
void mcr_fd_link(int fd, char ret[32]);             /* its name under /proc/self/fd */
void mcr_fds_fill(int end);                         /* N: placeholders in [0, end) */
void mcr_fds_clear(void);                           /* N: closes the placeholders that are left */
void mcr_fds_forget_highest(void);                  /* N: no number was seen that is not open now */
void mcr_fds_follow(void);                          /* a forked child: closes what its counterpart does not have */
void mcr_fd_closed(int fd);                         /* N: after the program has closed it */

static inline bool mcr_fd_known(int fd) {
    return mcr_fds && (unsigned)fd < MCR_FD_LIMIT && __builtin_expect(*(const uint64_t *)&mcr_fds[fd] != 0, 0);
}
static inline int mcr_fd_seen(int fd) {
    if (__builtin_expect(fd > mcr_control.highest_fd, 0))
        mcr_control.highest_fd = fd;
    return fd;
}

/* ---- operations.c: the start-up log ---- */
#define MCR_CALL_DEPTH 64
struct mcr_call {
    uint16_t kind;    /* enum mcr_operation_kind; set by the hook, as are args and blob */
    uint16_t flags;   /* enum mcr_operation_flag */
    bool silent;      /* not logged and not replayed */
    bool fresh;       /* N: a new object is to stand at number `place`, O's is only a pattern */
    int32_t error;    /* errno of the result */
    int32_t errno_at; /* what errno will be */
    int64_t args[6];
    int64_t result;
    const void *blob;
    size_t blob_size;
    uint32_t fd_flags;               /* for the numbers that it makes */
    int32_t place;                   /* N: the number that the result is moved to, -1 none */
    int32_t match;                   /* N: seq of O's operation, -1 none */
    int32_t peer;                    /* N: the same, also where O's object is gone */
    const struct mcr_operation *old; /* O's operation of `match` */
    uint64_t stack_id;
    uint32_t thread;
    uint32_t depth;
    uint64_t returns[MCR_CALL_DEPTH];
};
#define MCR_CALL(kind_, ...) {.kind = MCR_OP_##kind_, .args = {__VA_ARGS__}, .place = -1, .match = -1, .peer = -1}

/* What the arguments of each kind mean, for replay.c and the bookkeeping (mcr_abi.h says it in words). */
struct mcr_kind {
    uint8_t makes;     /* descriptors: 0 none, 1 the result, 2 args[0] and args[1] */
    uint8_t object;    /* 1 + the argument that is a descriptor of an object, 0 none */
    uint8_t literals;  /* bit i: args[i] must be equal */
    bool blob;         /* the blob must be equal */
    uint8_t flag_slot; /* the argument in which `ignored` bits do not count */
    uint32_t ignored;
};
extern const struct mcr_kind mcr_kinds[MCR_OPERATION_KINDS];

extern volatile bool mcr_unreleased; /* N (REPLAY, REHEARSE) before commit */
bool mcr_operations_init(void);
bool mcr_call_begin(struct mcr_call *call, struct mcr_frame frame); /* true: make the real call */
void mcr_call_result(struct mcr_call *call, int64_t result);        /* -1 means that errno says why */
int64_t mcr_call_end(struct mcr_call *call);                        /* logs it, sets errno, returns the result */
int mcr_call_end_pair(struct mcr_call *call, bool ran, int fds[2]); /* the same for calls that make two descriptors */
int64_t mcr_call_withhold(struct mcr_call *call, int64_t result);   /* instead of the real call; the same otherwise */
void mcr_note(struct mcr_call *call, struct mcr_frame frame, int64_t result); /* a call that ran anyway */
/* N: what this call does to the outside may have to wait for commit. */
static inline bool mcr_call_is_early(const struct mcr_call *call) { return mcr_unreleased && !call->silent; }
/* A whole hook: `real` is evaluated unless replay has the answer. */
#define MCR_CALL_RUN(call, real)                                                                                       \
    (mcr_call_begin(&(call), MCR_CALLER()) ? mcr_call_result(&(call), (real)) : (void)0, mcr_call_end(&(call)))
void mcr_log_exec(int fd, const char *path, size_t path_size); /* open since exec */

/* ---- replay.c: N follows O's log ---- */
bool mcr_replay_init(void);
bool mcr_replay_decide(struct mcr_call *call); /* true: make the real call */
void mcr_replay_logged(const struct mcr_call *call, uint64_t seq);
void mcr_replay_exec(struct mcr_call *call);                     /* finds O's entry for a descriptor open since exec */
bool mcr_replay_switch(void);                                    /* a forked child: O's log is its counterpart's now */
bool mcr_replay_was_missing(const char *path);                   /* O's start-up did not find this file */
bool mcr_replay_was_open(int fd);                                /* O had this number open since exec, and still has */
const void *mcr_old_blob(const struct mcr_operation *operation); /* its bytes in O's blob table */

/* ---- effects.c: what N does to the outside before commit ---- */
struct mcr_opening {   /* how N opens a file for which there is no replay */
    int flags;         /* for the real open */
    uint32_t fd_flags; /* enum mcr_fd_flag */
    bool withheld, creates;
    char path[32]; /* instead of the program's path, if not empty */
};
bool mcr_effects_init(void);
int mcr_effect_open(int dirfd, const char *path, int flags, struct mcr_opening *ret); /* 0 or the errno to fail with */
void mcr_effect_created(int dirfd, const char *path);
bool mcr_effect_unlink(int dirfd, const char *path); /* true: withhold it; so do all below */
bool mcr_effect_rename(int from_dir, const char *from, int to_dir, const char *to);
bool mcr_effect_truncate(int fd, const char *path, off_t size); /* fd -1: the path counts */
bool mcr_effect_kill(pid_t pid);
bool mcr_effect_write(int fd);
bool mcr_effect_send(int fd);
void mcr_effect_lock(int fd, int operation, const struct flock *lock); /* lock NULL: flock(fd, operation) */
void mcr_effect_option(const struct mcr_call *call); /* setsockopt, fcntl, listen on O's object: done at commit */
void mcr_effect_park(int fd);                        /* O's descriptor comes back to this number at commit */
bool mcr_effects_have_locks(void);                   /* some that O must have let go of first */
void mcr_effects_apply(void);                        /* at commit, after O's end */
void mcr_effects_undo(void);                         /* N is about to die: removes the files that it created */

void mcr_effects_fork_child(void); /* N: what the parent withheld is the parent's to do */

/* ---- births.c: children that N forks in its start-up ---- */
struct mcr_birth {
    int ours, theirs; /* ends of the child's channel */
};
bool mcr_births_init(void);
bool mcr_birth_prepare(struct mcr_birth *birth); /* before the fork; false: there is no channel, or no descriptor */
void mcr_birth_parent(struct mcr_birth *birth, uint64_t stack_id, pid_t child);
void mcr_birth_child(struct mcr_birth *birth); /* takes over from the counterpart */
void mcr_births_commit(void);                  /* the first process: O is ended, all of N serves */
void mcr_births_give_up(void);                 /* the first process: it is about to end */
bool mcr_births_may_commit(void);              /* a child: the first process has committed */
bool mcr_births_committed(void);               /* a child without a channel: waits for the first process's decision */
void mcr_births_release(void);

/* ---- inputs.c ---- */
bool mcr_inputs_init(void);
void mcr_input_note(int fd); /* a file was opened for reading in start-up */
void mcr_inputs_finish(void);

/* ---- entropy.c ---- */
bool mcr_is_random_device(const char *path);
bool mcr_random_read(int fd, void *bytes, size_t size, struct mcr_frame frame, ssize_t *ret); /* false: no such fd */

/* ---- startup.c: the end of start-up ---- */
void mcr_startup_begin(void);
void mcr_startup_arrives(uint32_t kind, bool external); /* the caller is about to wait */
bool mcr_startup_is_over(void);
uint64_t mcr_startup_deadline(void); /* CLOCK_MONOTONIC, ns; UINT64_MAX while there is none */
void mcr_startup_end(void);

/* ---- waits.c: wait wrappers and the hold ---- */
enum mcr_verdict {
    MCR_GO,          /* make the real wait */
    MCR_EMPTY,       /* N in start-up: a look without waiting finds nothing */
    MCR_INTERRUPTED, /* a signal came while the thread was held in O */
    MCR_RELEASED     /* N was released: see waits.c for what each call does now */
};
struct mcr_wait {
    uint32_t kind;      /* enum mcr_wait_kind */
    bool polling;       /* does not wait: zero timeout or a descriptor that does not block */
    bool for_signal;    /* waits for signals: counts as external for the initial thread */
    bool no_hold;       /* its caller has prepared for no hold (a locked mutex) */
    uint64_t pc;        /* the program's return address */
    struct pollfd *fds; /* what it waits for, if poll can tell; else NULL */
    uint32_t fd_count;
    int64_t timeout_ns;        /* -1 = for ever */
    uint64_t entered_ns;       /* when it arrived, 0 if no time was spent in libmcr */
    struct mcr_thread *thread; /* NULL if nobody is to be told */
};
#define MCR_PC ((uint64_t)__builtin_return_address(0))
enum mcr_verdict mcr_wait_arrive(struct mcr_wait *wait);
bool mcr_wait_is_probe(const struct mcr_wait *wait); /* probes.c: in start-up: it waits for nothing but itself */
void mcr_tracker_serve(void);                        /* tracker.c: does what the controller has asked for, if it has */
void mcr_unblock_serve(void);                        /* unblock.c: the same */
int64_t mcr_wait_left(const struct mcr_wait *wait);  /* of timeout_ns, after the time held; -1 = for ever */
void mcr_wait_park(void);                            /* N: the update is lost; waits for its end */
void mcr_release(void);                              /* N: everything held goes on */
bool mcr_conditions_init(void);                      /* N: what threads wait for is noted */
void mcr_conditions_nudge(const uint64_t *threads, uint32_t count); /* N: these look again when N is released */
void mcr_conditions_release(void);
bool mcr_wait_holds(uint32_t kind); /* a wait of the caller would be held now */

static inline struct mcr_thread *mcr_wait_quick(uint32_t kind, uint64_t pc) {
    if (__builtin_expect(
            mcr_control.state != MCR_STATE_SERVING || mcr_control.hold || mcr_control.tracker || !mcr_self.thread, 0))
        return NULL;
    struct mcr_thread *thread = (struct mcr_thread *)mcr_control.threads.address + (mcr_self.thread - 1);
    thread->wait_pc = pc;
    thread->wait = kind;
    return thread;
}
/* After a hold, into the real wait. */
static inline void mcr_wait_enter(struct mcr_thread *thread, uint32_t kind) {
    if (thread)
        thread->wait = kind;
}
static inline void mcr_wait_leave(struct mcr_thread *thread) {
    if (thread)
        thread->wait = MCR_WAIT_NONE;
}

/* ---- facts.c, settings.c, exec.c, channel.c, watchdog.c ---- */
void mcr_facts_fill(int argc, char **argv, char **envp);
bool mcr_settings_open(void);                                   /* false: no settings, or unusable ones */
const struct mcr_settings *mcr_settings_map(int fd);            /* closes fd; NULL if they are unusable */
void mcr_settings_forget_preload(char **envp, const char *own); /* takes libmcr out of LD_PRELOAD */
void mcr_exec_init(void);
void mcr_watchdog_start(void);
void mcr_watchdog_stop(void);
void mcr_die(void);                                   /* N before commit only: the end of the whole process */
bool mcr_channel_open(void);                          /* N: false if no channel came with the exec */
void mcr_channel_send(uint32_t kind, int64_t status); /* unasked; never waits */
void mcr_channel_send_birth(uint64_t stack_id, pid_t child, int channel);
bool mcr_channel_take_settings(const struct mcr_settings **ret); /* a forked child; false: it cannot go on */

#endif
