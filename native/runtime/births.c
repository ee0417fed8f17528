/*
 * births.c - the children that N forks in its start-up: each meets the controller as its parent did at its exec.
 *
 * Before the fork N makes a pair of sockets. The parent hands the controller's end over, with the call stack ID of the
 * fork, by which the controller finds the child of O that is the counterpart. The child waits for the settings made for
 * it (O's log is that of its counterpart from now on) and for the descriptors that its parent does not have; then its
 * start-up goes on, followed, held and served like that of the first process. Settings that do not come with the message
 * mean that O has no such child: it runs on as it is.
 *
 * All processes of N are committed by one store: the first one ends O and sets a word in memory that all share. A child
 * whose channel ends without an order looks at the word, so that a controller that dies in the middle of a commit leaves
 * either all of N or nothing of it.
 */
#include "hooks.h"
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include "host_safe.h"

enum verdict { UNDECIDED = 0, COMMITTED = 1, GIVEN_UP = 2 };
enum { LOOK_NS = 10000000 };

static volatile uint32_t *verdict; /* shared by all processes of N; a futex */
static int first_process = -1;     /* a pidfd, in children only */
static pid_t first_pid;

bool mcr_births_init(void) {
    long mapped = MCR_SYS(mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped < 0 && mapped >= -4095)
        return false;
    mcr_private_range((uint64_t)mapped, (uint64_t)mapped + 4096);
    verdict = (volatile uint32_t *)mapped;
    first_pid = mcr_control.pid;
    return true;
}

static bool is_child(void) { return verdict && first_pid != mcr_control.pid; }

static void decide(uint32_t what) {
    if (!verdict || is_child())
        return;
    __atomic_store_n(verdict, what, __ATOMIC_SEQ_CST);
    MCR_SYS(futex, verdict, FUTEX_WAKE, INT32_MAX);
}

void mcr_births_commit(void) { decide(COMMITTED); }

void mcr_births_give_up(void) { decide(GIVEN_UP); }

bool mcr_births_may_commit(void) { return !is_child() || *verdict == COMMITTED; }

/* The first process may still have the order to commit before it, or be gone without a word. */
bool mcr_births_committed(void) {
    const struct timespec look = {0, LOOK_NS};
    while (is_child() && *verdict == UNDECIDED) {
        struct pollfd end = {first_process, POLLIN, 0};
        if (first_process < 0 || (MCR_SYS(poll, &end, 1, 0) > 0 && *verdict == UNDECIDED))
            return false;
        MCR_SYS(futex, verdict, FUTEX_WAIT, UNDECIDED, &look);
    }
    return is_child() && *verdict == COMMITTED;
}

bool mcr_birth_prepare(struct mcr_birth *birth) {
    int ends[2];
    *birth = (struct mcr_birth){-1, -1};
    if (!mcr_unreleased || mcr_control.channel_fd < 0 || MCR_SYS(getpid) != mcr_control.pid ||
        MCR_SYS(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    birth->ours = mcr_fd_private(ends[0]);
    birth->theirs = mcr_fd_private(ends[1]);
    return birth->ours >= 0 && birth->theirs >= 0;
}

void mcr_birth_parent(struct mcr_birth *birth, uint64_t stack_id, pid_t child) {
    if (child > 0)
        mcr_channel_send_birth(stack_id, child, birth->theirs);
    mcr_fd_close_own(birth->ours);
    mcr_fd_close_own(birth->theirs);
}

static bool meet(const struct mcr_settings *settings) {
    mcr_settings = settings;
    mcr_effects_fork_child();
    if (!mcr_replay_switch() || !mcr_adopt_counterpart())
        return false;
    mcr_fds_follow();
    if (mcr_channel_greet() != 0)
        return false;
    mcr_fds_fill(settings->placeholder_end);
    return true;
}

void mcr_birth_child(struct mcr_birth *birth) {
    const struct mcr_settings *settings = NULL;
    int parent_channel = mcr_control.channel_fd;
    mcr_self.busy++;
    mcr_fd_close_own(birth->theirs);
    mcr_control.channel_fd = birth->ours;
    bool told = mcr_channel_take_settings(&settings);
    if (told && !settings) { /* O has no such child */
        mcr_fd_close_own(birth->ours);
        mcr_control.channel_fd = parent_channel;
    } else {
        mcr_fd_close_own(parent_channel);
        long end = MCR_SYS(pidfd_open, first_pid, 0);
        first_process = end < 0 ? -1 : mcr_fd_private((int)end);
        if (!told || !meet(settings))
            MCR_DISABLE(MCR_ERROR_INHERIT, "a forked child could not take over from its counterpart");
    }
    mcr_self.busy--;
}

void mcr_births_release(void) {
    if (first_process >= 0)
        mcr_fd_close_own(first_process);
    first_process = -1;
}
