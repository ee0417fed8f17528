/*
 * counterparts.c PORT - a server whose threads have, or have not, their counterparts in the next build.
 *
 * Its start-up makes a worker, which waits for jobs, and a mother, which makes brief threads when told to. It answers
 * lines:
 *   names     "worker mother"
 *   job       the worker does a job; the number of jobs done
 *   open      the worker begins a job that it does not end before "close"
 *   close     lets it end; the number of jobs done
 *   late      makes a thread that stays until "end"
 *   end       lets it end
 *   brood     the mother makes one brief thread after the other; how many there have been
 *
 * -DELSEWHERE: the worker waits for a licence before it comes to its loop. -DRENAMED: another function makes the worker.
 * -DEARLY: a thread computes for a second, so that the first client comes before the start-up is over.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long asked, done, broods;
static bool is_open, is_late, broods_now;
static pthread_t late;

/* Waits until the condition holds; the lock is held. */
#define AWAIT(condition)                                                                                               \
    while (!(condition))                                                                                               \
    pthread_cond_wait(&changed, &lock)

static __attribute__((noinline)) void do_job(void) {
    AWAIT(!is_open);
    done++;
    pthread_cond_broadcast(&changed);
}

#ifdef ELSEWHERE
static bool is_licensed;
static __attribute__((noinline)) void await_licence(void) {
    AWAIT(is_licensed);
    done = 0;
}
#endif

static void *worker(void *unused) {
    pthread_mutex_lock(&lock);
#ifdef ELSEWHERE
    await_licence();
#endif
    for (;;) {
        AWAIT(asked > done);
        do_job();
    }
    return unused;
}

static void *brief(void *unused) {
    usleep(5000);
    broods++;
    return unused;
}

static void *mother(void *unused) {
    for (;;) {
        pthread_t child;
        usleep(1000);
        if (broods_now && pthread_create(&child, NULL, brief, NULL) == 0)
            pthread_join(child, NULL);
    }
    return unused;
}

static void *late_thread(void *unused) {
    pthread_mutex_lock(&lock);
    AWAIT(!is_late);
    pthread_mutex_unlock(&lock);
    return unused;
}

#ifdef EARLY
static void *calculator(void *unused) {
    for (clock_t begin = clock(); clock() < begin + CLOCKS_PER_SEC;)
        ;
    pthread_mutex_lock(&lock);
    AWAIT(asked < 0);
    return unused;
}
#endif

#ifdef RENAMED
#define start_threads launch_threads
#endif
static __attribute__((noinline)) void start_threads(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, worker, NULL) != 0 || pthread_create(&thread, NULL, mother, NULL) != 0)
        exit(1);
#ifdef EARLY
    pthread_create(&thread, NULL, calculator, NULL);
#endif
}

static void change_late(bool wanted) {
    if (wanted && !is_late)
        is_late = pthread_create(&late, NULL, late_thread, NULL) == 0;
    else if (!wanted && is_late) {
        is_late = false;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        pthread_join(late, NULL);
        pthread_mutex_lock(&lock);
    }
}

static long obey(const char *line) {
    bool is_job = strncmp(line, "job", 3) == 0, opens = strncmp(line, "open", 4) == 0;
    if (is_job || opens) {
        asked++;
        is_open = opens;
    } else if (strncmp(line, "close", 5) == 0) {
        is_open = false;
    } else if (strncmp(line, "brood", 5) == 0) {
        broods_now = true;
        return broods;
    } else {
        change_late(strncmp(line, "late", 4) == 0);
        return is_late;
    }
    pthread_cond_broadcast(&changed);
    if (!opens)
        AWAIT(asked == done);
    return done;
}

enum { CLIENTS = 8 };
static struct pollfd ends[CLIENTS + 1]; /* the first one is the listener; -1 = free */

static bool answer(int fd) {
    char line[128], text[64] = "worker mother\n";
    ssize_t size = recv(fd, line, sizeof line - 1, 0);
    if (size <= 0)
        return false;
    line[size] = 0;
    if (strncmp(line, "names", 5) != 0) {
        pthread_mutex_lock(&lock);
        snprintf(text, sizeof text, "%ld\n", obey(line));
        pthread_mutex_unlock(&lock);
    }
    return send(fd, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static void serve(void) {
    for (int i = 1; i <= CLIENTS; i++)
        if (ends[i].fd >= 0 && ends[i].revents && !answer(ends[i].fd)) {
            close(ends[i].fd);
            ends[i].fd = -1;
        }
    for (int i = 1; i <= CLIENTS && ends[0].revents; i++)
        if (ends[i].fd < 0) {
            ends[i].fd = accept(ends[0].fd, NULL, NULL);
            break;
        }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0"))};
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0)
        return 1;
    start_threads();
    for (int i = 0; i <= CLIENTS; i++)
        ends[i] = (struct pollfd){i ? -1 : listener, POLLIN, 0};
    for (;;)
        if (poll(ends, CLIENTS + 1, -1) > 0)
            serve();
}
