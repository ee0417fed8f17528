/*
 * zoo.h - what the programs of the zoo share. Each is a known trap for the detection of quiescence.
 *
 * A program is started as `PROGRAM MODE PEER`: which trap to set, and the descriptor of a socket whose other end the
 * test has. Its initial thread serves commands on descriptor 0, a socket: `g` opens the gate at which all threads of the
 * trap stand at first, `r` asks for the report "work N eintr N wrong N busy N". The end of descriptor 0 ends it.
 *
 * It checks itself: `eintr` counts interrupted calls that nothing in the program explains, `wrong` broken invariants.
 */
#ifndef ZOO_H
#define ZOO_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_ulong zoo_work, zoo_eintr, zoo_wrong;
atomic_long zoo_busy; /* pieces of work that have begun and not ended; the test reads it where all stands still */

static const char *zoo_mode;
static int zoo_peer;

static pthread_mutex_t zoo_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t zoo_open = PTHREAD_COND_INITIALIZER;
static bool zoo_is_open;

struct zoo_start {
    void (*run)(void);
    const char *name;
};

/* Of a call that may fail with EINTR only if somebody disturbs it. */
#define ZOO_CALL(call)                                                                                                 \
    ({                                                                                                                 \
        long zoo_result = (call);                                                                                      \
        if (zoo_result < 0 && errno == EINTR)                                                                          \
            zoo_eintr++;                                                                                               \
        zoo_result;                                                                                                    \
    })

#define ZOO_REQUIRE(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            zoo_wrong++;                                                                                               \
    } while (0)

static inline bool zoo_is(const char *mode) { return strcmp(zoo_mode, mode) == 0; }

static inline void zoo_begin(void) { zoo_busy++; }

static inline void zoo_end(void) {
    zoo_work++;
    zoo_busy--;
}

static inline int64_t zoo_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static inline void zoo_compute(int64_t us) {
    int64_t end = zoo_now_us() + us;
    volatile unsigned steps = 0;
    while (zoo_now_us() < end)
        for (int i = 0; i < 2000; i++)
            steps += (unsigned)i;
}

static inline void zoo_sleep(int64_t us) {
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    ZOO_CALL(nanosleep(&time, NULL));
}

static void zoo_wait_for_gate(void) {
    pthread_mutex_lock(&zoo_lock);
    while (!zoo_is_open)
        pthread_cond_wait(&zoo_open, &zoo_lock);
    pthread_mutex_unlock(&zoo_lock);
}

static void *zoo_run(void *argument) {
    struct zoo_start *start = argument;
    pthread_setname_np(pthread_self(), start->name);
    zoo_wait_for_gate();
    for (;;)
        start->run();
    return NULL;
}

/* A thread that calls `run` again and again once the gate is open. */
static inline void zoo_thread(const char *name, void (*run)(void)) {
    struct zoo_start *start = malloc(sizeof *start);
    pthread_t thread;
    *start = (struct zoo_start){run, name};
    if (pthread_create(&thread, NULL, zoo_run, start) != 0)
        exit(3);
    pthread_detach(thread);
}

static inline void zoo_prepare(int argc, char **argv) {
    zoo_mode = argc > 1 ? argv[1] : "";
    zoo_peer = argc > 2 ? atoi(argv[2]) : -1;
}

static void zoo_answer(void) {
    char line[160];
    int size = snprintf(line, sizeof line, "work %lu eintr %lu wrong %lu busy %ld\n", zoo_work, zoo_eintr, zoo_wrong,
                        zoo_busy);
    if (send(0, line, (size_t)size, MSG_NOSIGNAL) != size)
        _exit(1);
}

/* Until the test closes its end. */
static inline int zoo_serve(void) {
    char command;
    while (ZOO_CALL(recv(0, &command, 1, 0)) == 1) {
        if (command == 'g') {
            pthread_mutex_lock(&zoo_lock);
            zoo_is_open = true;
            pthread_cond_broadcast(&zoo_open);
            pthread_mutex_unlock(&zoo_lock);
        }
        zoo_answer();
    }
    return 0;
}

#endif
