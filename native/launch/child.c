/*
 * child.c - the child between fork and exec: it gives itself what O had at its start.
 *
 * The order matters: the limits after the descriptors, directories while still privileged, ids after everything that
 * needs privileges. The first failure is reported and ends the child.
 * Source: credentials(7), capabilities(7), personality(2), signal(7).
 */
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REPORT_FD = MCR_CHANNEL_FD + 1, FIRST_SPARE_FD = REPORT_FD + 1 };

struct child {
    const struct plan *plan;
    const struct mcr_launch_facts *facts;
    int report;
};

static _Noreturn void give_up(const struct child *child, enum failure_kind kind, const char *what, const char *detail) {
    struct child_report report = {kind, errno, ""};
    snprintf(report.what, sizeof report.what, "%s%s", what, detail);
    ssize_t written = write(child->report, &report, sizeof report);
    _exit(written == sizeof report ? 127 : 126);
}

static _Noreturn void not_permitted(const struct child *child, const char *what, const char *detail) {
    give_up(child, FAILURE_PERMISSION, what, detail);
}

static bool applies(const struct child *child, uint32_t which) { return child->plan->bytes->apply & which; }

/* ---- descriptors ---- */

static int spare(const struct child *child, int fd) {
    int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_SPARE_FD);
    if (fd >= 0 && moved < 0)
        give_up(child, FAILURE_TRACE, "a descriptor cannot be moved", "");
    return moved;
}

static void put(const struct child *child, int fd, int number) {
    if (fd >= 0 && dup2(fd, number) < 0)
        give_up(child, FAILURE_TRACE, "a descriptor cannot be put at its number", "");
}

/* A low limit would forbid our fixed numbers; descriptors that exist outlive a lower limit. */
static struct rlimit raise_descriptor_limit(void) {
    struct rlimit old = {0, 0}, raised;
    getrlimit(RLIMIT_NOFILE, &old);
    raised = old;
    if (raised.rlim_cur < 2 * FIRST_SPARE_FD) {
        raised.rlim_cur = raised.rlim_max < 2 * FIRST_SPARE_FD ? raised.rlim_max : 2 * FIRST_SPARE_FD;
        setrlimit(RLIMIT_NOFILE, &raised);
    }
    return old;
}

/* Exactly these stay open: /dev/null twice, the log, settings and channel; and the report until the exec. */
static void place_descriptors(struct child *child, int log) {
    struct rlimit limit = raise_descriptor_limit();
    int settings = spare(child, child->plan->bytes->settings_fd);
    int channel = spare(child, child->plan->bytes->channel_fd);
    int report = spare(child, child->report), spare_log = spare(child, log);
    int null = spare(child, open("/dev/null", O_RDWR));
    child->report = report;
    if (null < 0)
        give_up(child, FAILURE_TRACE, "/dev/null cannot be opened", "");
    if (syscall(SYS_close_range, 0u, FIRST_SPARE_FD - 1u, 0) < 0)
        give_up(child, FAILURE_TRACE, "close_range", "");
    put(child, null, STDIN_FILENO);
    put(child, null, STDOUT_FILENO);
    put(child, spare_log, STDERR_FILENO);
    put(child, settings, MCR_SETTINGS_FD);
    put(child, channel, MCR_CHANNEL_FD);
    if (dup3(report, REPORT_FD, O_CLOEXEC) < 0 || syscall(SYS_close_range, (unsigned)FIRST_SPARE_FD, ~0u, 0) < 0)
        give_up(child, FAILURE_TRACE, "close_range", "");
    child->report = REPORT_FD;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- directories, limits, scheduling ---- */

static bool is_same_directory(const char *left, const char *right) {
    struct stat a, b;
    return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void set_directories(const struct child *child) {
    const struct mcr_launch_facts *facts = child->facts;
    if (applies(child, MCR_LAUNCH_ROOT) && !is_same_directory(facts->root, "/") && chroot(facts->root) < 0)
        not_permitted(child, "chroot to ", facts->root);
    if (applies(child, MCR_LAUNCH_CWD) && chdir(facts->cwd) < 0)
        give_up(child, FAILURE_EXEC, "chdir to the old process's working directory ", facts->cwd);
    if (applies(child, MCR_LAUNCH_UMASK))
        umask((mode_t)facts->umask);
}

static void set_limits(const struct child *child) {
    if (!applies(child, MCR_LAUNCH_RLIMITS))
        return;
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit now, want = {child->facts->rlimits[i][0], child->facts->rlimits[i][1]};
        bool is_equal = getrlimit((__rlimit_resource_t)i, &now) == 0 && now.rlim_cur == want.rlim_cur &&
                        now.rlim_max == want.rlim_max;
        if (!is_equal && setrlimit((__rlimit_resource_t)i, &want) < 0) {
            char number[16];
            snprintf(number, sizeof number, "%d", i);
            not_permitted(child, "setrlimit of the old process's limit number ", number);
        }
    }
}

static void set_affinity(const struct child *child) {
    cpu_set_t now = {0}, want = {0};
    memcpy(&want, child->facts->affinity, sizeof want);
    if (!applies(child, MCR_LAUNCH_AFFINITY) || CPU_COUNT(&want) == 0)
        return;
    if (sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &want))
        return;
    if (sched_setaffinity(0, sizeof want, &want) < 0)
        not_permitted(child, "sched_setaffinity to the old process's CPUs", "");
}

/* ---- ids and capabilities ---- */

static bool has_ids(const struct mcr_launch_facts *facts) {
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid, groups[64];
    getresuid(&ruid, &euid, &suid);
    getresgid(&rgid, &egid, &sgid);
    int count = getgroups(64, groups);
    return ruid == facts->ruid && euid == facts->euid && suid == facts->suid && rgid == facts->rgid &&
           egid == facts->egid && sgid == facts->sgid && count == (int)facts->ngroups &&
           memcmp(groups, facts->groups, sizeof(gid_t) * facts->ngroups) == 0;
}

static void set_ids(const struct child *child) {
    const struct mcr_launch_facts *facts = child->facts;
    if (!applies(child, MCR_LAUNCH_IDS) || has_ids(facts))
        return;
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0); /* set_capabilities() decides; exec clears it */
    if (setgroups(facts->ngroups, facts->groups) < 0)
        not_permitted(child, "setgroups", "");
    if (setresgid(facts->rgid, facts->egid, facts->sgid) < 0)
        not_permitted(child, "setresgid", "");
    if (setresuid(facts->ruid, facts->euid, facts->suid) < 0)
        not_permitted(child, "setresuid", "");
}

static void drop_bounding(const struct child *child) {
    for (unsigned long i = 0; i < 64; i++)
        if (!(child->facts->capabilities[3] >> i & 1) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 &&
            prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
            not_permitted(child, "dropping what the old process may never have", "");
}

static void raise_ambient(const struct child *child) {
    for (unsigned long i = 0; i < 64; i++)
        if (child->facts->capabilities[4] >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            not_permitted(child, "raising the old process's ambient capabilities", "");
}

/* The exec computes the permitted and effective sets anew from inheritable, ambient and bounding ones. */
static void set_capabilities(const struct child *child) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (!applies(child, MCR_LAUNCH_CAPABILITIES) || syscall(SYS_capget, &header, data) < 0)
        return;
    uint64_t inheritable = child->facts->capabilities[0];
    bool is_equal = data[0].inheritable == (uint32_t)inheritable && data[1].inheritable == inheritable >> 32;
    for (int i = 0; i < 2; i++)
        data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
    if (!is_equal && syscall(SYS_capset, &header, data) < 0)
        not_permitted(child, "capset", "");
    raise_ambient(child);
}

/* ---- signals ---- */

static void set_signals(const struct child *child) {
    uint64_t ignored = child->facts->signals_ignored, mask = child->facts->signal_mask;
    if (!applies(child, MCR_LAUNCH_SIGNALS))
        return;
    for (int number = 1; number <= 64; number++)
        if (number != SIGKILL && number != SIGSTOP) { /* of the kernel's struct only the handler counts */
            uint64_t action[4] = {(uint64_t)(ignored >> (number - 1) & 1 ? SIG_IGN : SIG_DFL)};
            syscall(SYS_rt_sigaction, number, action, NULL, 8);
        }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

_Noreturn void child_run(const struct plan *plan, int go, int report, int log) {
    struct child child = {plan, &plan->bytes->facts, report};
    char byte;
    if (read(go, &byte, 1) != 1)
        _exit(126); /* the launcher has died */
    setsid();
    personality(personality(0xffffffff) & ~ADDR_NO_RANDOMIZE); /* two processes at the same addresses would clash */
    place_descriptors(&child, log);
    set_directories(&child);
    set_affinity(&child);
    set_limits(&child);
    if (applies(&child, MCR_LAUNCH_CAPABILITIES))
        drop_bounding(&child);
    set_ids(&child);
    set_capabilities(&child);
    set_signals(&child);
    execve(plan->executable, plan->argv, plan->envp);
    give_up(&child, FAILURE_EXEC, plan->executable, "");
}
