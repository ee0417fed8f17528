/*
 * io_pool.c - an event loop gives file operations to a pool of threads and hears of their ends through an eventfd.
 * wait: pool threads wait for a condition; timedwait: for at most five milliseconds at a time; sem: for a semaphore so.
 */
#include "zoo.h"
#include <sys/timerfd.h>

enum { JOBS = 8, THREADS = 3 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static sem_t queued;
static int queue[JOBS], count, completions, requests, file, next_slot;

static void run_job(int slot) {
    unsigned char bytes[512], again[512];
    memset(bytes, slot + 1, sizeof bytes);
    ZOO_REQUIRE(pwrite(file, bytes, sizeof bytes, slot * 512L) == sizeof bytes);
    ZOO_REQUIRE(fdatasync(file) == 0);
    ZOO_REQUIRE(pread(file, again, sizeof again, slot * 512L) == sizeof again && !memcmp(bytes, again, sizeof again));
    uint64_t one = 1;
    ZOO_REQUIRE(write(completions, &one, sizeof one) == sizeof one);
}

static struct timespec soon(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += 5000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static void serve_pool(void) {
    int slot = -1;
    struct timespec until = soon();
    if (zoo_is("sem") && ZOO_CALL(sem_timedwait(&queued, &until)) != 0)
        return;
    pthread_mutex_lock(&mutex);
    while (!count && zoo_is("wait"))
        pthread_cond_wait(&not_empty, &mutex);
    if (!count && zoo_is("timedwait"))
        pthread_cond_timedwait(&not_empty, &mutex, &until);
    ZOO_REQUIRE(count || !zoo_is("sem"));
    if (count)
        slot = queue[--count];
    pthread_mutex_unlock(&mutex);
    if (slot >= 0)
        run_job(slot);
}

static void submit(void) {
    zoo_begin();
    pthread_mutex_lock(&mutex);
    queue[count++] = next_slot++ % JOBS;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
    if (zoo_is("sem"))
        sem_post(&queued);
}

static void serve_events(void) {
    struct pollfd ready[] = {{completions, POLLIN, 0}, {requests, POLLIN, 0}};
    uint64_t done = 0, times = 0;
    ZOO_CALL(poll(ready, 2, -1));
    if (ready[0].revents && ZOO_CALL(read(completions, &done, sizeof done)) == sizeof done)
        for (; done; done--)
            zoo_end();
    if (ready[1].revents && ZOO_CALL(read(requests, &times, sizeof times)) == sizeof times && zoo_busy < JOBS)
        submit();
}

int main(int argc, char **argv) {
    struct itimerspec each = {{0, 1000000}, {0, 1000000}};
    char path[] = "/tmp/zoo-XXXXXX";
    zoo_prepare(argc, argv);
    file = mkstemp(path);
    unlink(path);
    completions = eventfd(0, 0);
    requests = timerfd_create(CLOCK_MONOTONIC, 0); /* as if clients asked */
    timerfd_settime(requests, 0, &each, NULL);
    sem_init(&queued, 0, 0);
    for (int i = 0; i < THREADS; i++)
        zoo_thread("pool", serve_pool);
    zoo_thread("events", serve_events);
    return zoo_serve();
}
