/*
 * timers.c - threads that time wakes, in every way there is, each millisecond.
 * latch: the program also has an event that nobody waits for.
 */
#include "zoo.h"
#include <sys/epoll.h>
#include <sys/timerfd.h>

static sem_t never;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t nothing = PTHREAD_COND_INITIALIZER;
static int timer, epoll;

static void work(void) {
    zoo_begin();
    zoo_compute(50);
    zoo_end();
}

static struct timespec soon(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static void by_nanosleep(void) {
    zoo_sleep(1000);
    work();
}

static void by_clock_nanosleep(void) {
    struct timespec until = soon(CLOCK_MONOTONIC);
    ZOO_REQUIRE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    work();
}

static void by_condition(void) {
    struct timespec until = soon(CLOCK_REALTIME);
    pthread_mutex_lock(&mutex);
    int result = pthread_cond_timedwait(&nothing, &mutex, &until);
    ZOO_REQUIRE(result == ETIMEDOUT || result == 0);
    pthread_mutex_unlock(&mutex);
    work();
}

static void by_semaphore(void) {
    struct timespec until = soon(CLOCK_REALTIME);
    ZOO_REQUIRE(ZOO_CALL(sem_timedwait(&never, &until)) == -1);
    work();
}

static void by_poll(void) {
    ZOO_REQUIRE(ZOO_CALL(poll(NULL, 0, 1)) == 0);
    work();
}

static void by_epoll(void) {
    struct epoll_event event;
    ZOO_REQUIRE(ZOO_CALL(epoll_wait(epoll, &event, 1, 1)) == 0);
    work();
}

static void by_timerfd(void) {
    uint64_t times;
    ZOO_REQUIRE(ZOO_CALL(read(timer, &times, sizeof times)) == sizeof times);
    work();
}

int main(int argc, char **argv) {
    struct itimerspec each = {{0, 1000000}, {0, 1000000}};
    zoo_prepare(argc, argv);
    sem_init(&never, 0, 0);
    if (zoo_is("latch") && eventfd(1, 0) < 0)
        return 3;
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(timer, 0, &each, NULL);
    zoo_thread("nanosleep", by_nanosleep);
    zoo_thread("clock", by_clock_nanosleep);
    zoo_thread("condition", by_condition);
    zoo_thread("semaphore", by_semaphore);
    zoo_thread("poll", by_poll);
    zoo_thread("epoll", by_epoll);
    zoo_thread("timerfd", by_timerfd);
    return zoo_serve();
}
