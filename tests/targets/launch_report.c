/*
 * Reports what it was started with: one "NAME VALUE" line each to the FIFO argv[1], then waits for ever.
 * Compiled as a library to preload: -DFAILS: the constructor says "no luck" on stderr and ends the process with status
 * 3; -DHANGS: it waits for ever.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined FAILS
__attribute__((constructor)) static void fail(void) {
    fputs("no luck\n", stderr);
    _exit(3);
}
#elif defined HANGS
__attribute__((constructor)) static void hang(void) {
    for (;;)
        pause();
}
#endif

static void report_signals(FILE *out) {
    sigset_t mask;
    struct sigaction action;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&mask, number) == 1)
            fprintf(out, "blocked %d\n", number);
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            fprintf(out, "ignored %d\n", number);
    }
}

static void report_descriptors(FILE *out) {
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory) && atoi(entry->d_name) != fileno(out))
            fprintf(out, "fd %s\n", entry->d_name);
    closedir(directory);
}

static void report_limits(FILE *out) {
    struct rlimit limit;
    cpu_set_t cpus;
    getrlimit(RLIMIT_NOFILE, &limit);
    fprintf(out, "nofile %lu\n", limit.rlim_cur);
    sched_getaffinity(0, sizeof cpus, &cpus);
    fprintf(out, "cpus %d\n", CPU_COUNT(&cpus));
}

int main(int argc, char **argv) {
    static int some_global = 42;
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    char cwd[4096];
    mode_t mask = umask(0);
    FILE *out = fopen(argv[1], "we");
    if (!out)
        return 1;
    for (int i = 0; i < argc; i++)
        fprintf(out, "arg %s\n", argv[i]);
    for (char **entry = environ; *entry; entry++)
        fprintf(out, "env %s\n", *entry);
    fprintf(out, "cwd %s\numask %o\nleader %d\nglobal %p %d\n", getcwd(cwd, sizeof cwd), mask, getsid(0) == getpid(),
            (void *)&some_global, some_global);
    fputs("random ", out);
    for (int i = 0; i < 16; i++)
        fprintf(out, "%02x", random[i]);
    fprintf(out, "\nids %d %d\n", getuid(), getgid());
    report_signals(out);
    report_descriptors(out);
    report_limits(out);
    fclose(out);
    for (;;)
        pause();
}
