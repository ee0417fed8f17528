/*
 * deep_calls.c - calls whose stacks libmcr's tables must walk: through frames of unknown size, through libc, in a thread.
 *
 * Each stack ends in a call of socket(). Prints, for each, the return addresses above that call as backtrace() finds
 * them with the full unwinder, in hexadecimal, outermost last; then waits for ever.
 */
#include <alloca.h>
#include <execinfo.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { DEPTH = 60 };

static void __attribute__((noinline)) leaf(void) {
    void *addresses[DEPTH];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), depth = backtrace(addresses, DEPTH);
    for (int i = 1; i < depth; i++)
        printf("%lx%c", (unsigned long)addresses[i], i + 1 < depth ? ' ' : '\n');
    fflush(stdout);
    if (fd < 0)
        exit(1);
}

static int __attribute__((noinline)) compare(const void *a, const void *b) {
    static int calls;
    if (!calls++)
        leaf();
    return memcmp(a, b, 1);
}

static void __attribute__((noinline)) sort(size_t size) {
    char *room = alloca(size);
    memset(room, 7, size);
    qsort(room, 2, 1, compare);
}

static int __attribute__((noinline)) recurse(int depth) {
    volatile char room[100] = {(char)depth};
    if (depth)
        return recurse(depth - 1) + room[0];
    leaf();
    return room[1];
}

static void *run(void *argument) {
    recurse(10);
    return argument;
}

int main(void) {
    pthread_t thread;
    sort(1000);
    recurse(20);
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
    poll(NULL, 0, -1);
}
