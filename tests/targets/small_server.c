/*
 * small_server.c SOCKET FILE - a server with three threads for tests of libmcr.
 *
 * Start-up creates FILE, listens on the UNIX socket SOCKET and starts two threads: one sleeps over and over and counts,
 * one waits on a condition. Then it prints "ready" and answers each line that a client sends:
 *   who      "PID ANSWERS", where ANSWERS counts the lines answered before this one
 *   tick     the sleeper's count
 *   signal   wakes the other thread, which sends itself SIGUSR1; "handled N" with the number of signals so far
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 8 };

static long answers = 41; /* 42 at the end of start-up */
static volatile long ticks, handled;
static char *untouched; /* 64 MB that start-up only allocates */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static int request;

static void on_signal(int number) {
    (void)number;
    handled++;
}

static void *sleeper(void *argument) {
    const struct timespec pause = {0, 1000000};
    for (;; ticks++)
        nanosleep(&pause, NULL);
    return argument;
}

static void *worker(void *argument) {
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!request)
            pthread_cond_wait(&wanted, &lock);
        raise(SIGUSR1);
        request = 0;
        pthread_cond_signal(&done);
    }
    return argument;
}

static int start_listening(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0)
        exit(1);
    return fd;
}

static void answer(int fd, const char *line) {
    char text[64];
    if (strncmp(line, "who", 3) == 0) {
        snprintf(text, sizeof text, "%d %ld\n", (int)getpid(), answers);
    } else if (strncmp(line, "tick", 4) == 0) {
        snprintf(text, sizeof text, "%ld\n", ticks);
    } else {
        pthread_mutex_lock(&lock);
        request = 1;
        pthread_cond_signal(&wanted);
        while (request)
            pthread_cond_wait(&done, &lock);
        pthread_mutex_unlock(&lock);
        snprintf(text, sizeof text, "handled %ld\n", handled);
    }
    answers++;
    if (write(fd, text, strlen(text)) < 0)
        close(fd);
}

static void serve(struct pollfd *fds) {
    char line[64];
    for (;;) {
        if (poll(fds, CLIENTS, -1) < 0)
            continue;
        for (int i = 1; i < CLIENTS; i++) {
            if (fds[i].fd < 0 || !fds[i].revents)
                continue;
            if (read(fds[i].fd, line, sizeof line) > 0) {
                answer(fds[i].fd, line);
            } else {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
        for (int i = 1; fds[0].revents && i < CLIENTS; i++) {
            if (fds[i].fd >= 0)
                continue;
            fds[i].fd = accept(fds[0].fd, NULL, NULL);
            break;
        }
    }
}

int main(int argc, char **argv) {
    struct pollfd fds[CLIENTS];
    pthread_t thread;
    if (argc != 3)
        return 2;
    signal(SIGUSR1, on_signal);
    FILE *file = fopen(argv[2], "w");
    if (!file || fputs("start-up\n", file) < 0 || fclose(file) != 0)
        return 1;
    untouched = malloc(64 << 20);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    fds[0].fd = start_listening(argv[1]);
    if (!untouched || pthread_create(&thread, NULL, sleeper, NULL) || pthread_create(&thread, NULL, worker, NULL))
        return 1;
    answers++;
    puts("ready");
    fflush(stdout);
    serve(fds);
}
