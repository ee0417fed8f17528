/*
 * facts.c - how this process was started, before its program can change any of it.
 *
 * N gets the same: /proc shows the command line and directories of today, which the program may have overwritten.
 */
#include "hooks.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include "host_safe.h"

static void fill_strings(struct mcr_launch_facts *facts, char **argv, char **envp) {
    size_t size = 0;
    char **lists[] = {argv, envp};
    for (int i = 0; i < 2; i++)
        for (char **entry = lists[i]; *entry; entry++)
            size += strlen(*entry) + 1;
    char *out = mcr_blob_reserve(size, &facts->strings);
    if (!out)
        return;
    for (int i = 0; i < 2; i++)
        for (char **entry = lists[i]; *entry; entry++)
            out = stpcpy(out, *entry) + 1;
    facts->strings_size = size;
}

static void fill_ids(struct mcr_launch_facts *facts) {
    MCR_SYS(getresuid, &facts->ruid, &facts->euid, &facts->suid);
    MCR_SYS(getresgid, &facts->rgid, &facts->egid, &facts->sgid);
    long groups = MCR_SYS(getgroups, 0, NULL); /* more than there is room for: the number alone tells */
    facts->ngroups = groups > 0 ? (uint32_t)groups : 0;
    MCR_SYS(getgroups, sizeof facts->groups / sizeof *facts->groups, facts->groups);
    facts->umask = (uint32_t)MCR_SYS(umask, 0);
    MCR_SYS(umask, facts->umask);
}

static void fill_capabilities(struct mcr_launch_facts *facts) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    MCR_SYS(capget, &header, data);
    for (int i = 0; i < 2; i++) {
        facts->capabilities[0] |= (uint64_t)data[i].inheritable << (32 * i);
        facts->capabilities[1] |= (uint64_t)data[i].permitted << (32 * i);
        facts->capabilities[2] |= (uint64_t)data[i].effective << (32 * i);
    }
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (MCR_SYS(prctl, PR_CAPBSET_READ, capability) == 1)
            facts->capabilities[3] |= 1ull << capability;
        if (MCR_SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability) == 1)
            facts->capabilities[4] |= 1ull << capability;
    }
}

static void fill_signals(struct mcr_launch_facts *facts) {
    MCR_SYS(rt_sigprocmask, SIG_BLOCK, NULL, &facts->signal_mask, 8);
    for (int signal = 1; signal <= 64; signal++) {
        uint64_t action[4] = {0}; /* the kernel's struct: handler, flags, restorer, mask */
        if (MCR_SYS(rt_sigaction, signal, NULL, action, 8) == 0 && action[0] == (uint64_t)SIG_IGN)
            facts->signals_ignored |= 1ull << (signal - 1);
    }
}

static void fill_limits(struct mcr_launch_facts *facts) {
    for (int i = 0; i < 16; i++)
        MCR_SYS(prlimit64, 0, i, NULL, facts->rlimits[i]);
    MCR_SYS(sched_getaffinity, 0, sizeof facts->affinity, facts->affinity);
}

static void fill_namespaces(struct mcr_launch_facts *facts) {
    static const char *const paths[8] = {"/proc/self/ns/cgroup", "/proc/self/ns/ipc", "/proc/self/ns/mnt",
                                         "/proc/self/ns/net",    "/proc/self/ns/pid", "/proc/self/ns/time",
                                         "/proc/self/ns/user",   "/proc/self/ns/uts"};
    for (int i = 0; i < 8; i++) {
        struct stat status;
        if (MCR_SYS(newfstatat, AT_FDCWD, paths[i], &status, 0) == 0)
            facts->namespaces[i] = status.st_ino;
    }
}

static void fill_link(const char *path, char *ret, size_t size) {
    long length = MCR_SYS(readlink, path, ret, size - 1);
    ret[length > 0 ? length : 0] = 0;
}

void mcr_facts_fill(int argc, char **argv, char **envp) {
    struct mcr_launch_facts *facts = &mcr_control.facts;
    facts->argc = (uint32_t)argc;
    for (char **entry = envp; *entry; entry++)
        facts->envc++;
    fill_strings(facts, argv, envp);
    fill_ids(facts);
    fill_capabilities(facts);
    fill_signals(facts);
    fill_limits(facts);
    fill_namespaces(facts);
    const void *random = (const void *)getauxval(AT_RANDOM);
    if (random)
        memcpy(facts->at_random, random, sizeof facts->at_random);
    fill_link("/proc/self/cwd", facts->cwd, sizeof facts->cwd);
    fill_link("/proc/self/root", facts->root, sizeof facts->root);
    fill_link("/proc/self/exe", facts->exe, sizeof facts->exe);
}
