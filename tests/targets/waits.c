/*
 * waits.c - one thread in each kind of blocking system call, and a report of every one that returns.
 *
 * Prints "ready N" when all N threads sleep in the kernel. Then answers each line on stdin: "check" with "returned K" and
 * the names of the K waits that have returned so far, "wake" (after giving the epoll wait its event) with the value that
 * it got, "signal" (after sending a handled signal to a thread in epoll_wait) with what that call returned.
 * End of input ends it.
 * Source: signal(7), "Interruption of system calls and library functions by signal handlers" and "… by stop signals".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONG_S = 3600, LONG_MS = LONG_S * 1000 };
static const struct timespec LONG = {LONG_S, 0};
static pthread_mutex_t locked = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock_timed = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER, condition_timed = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int wake_event, semaphores, messages, words[3], child;
static volatile int woken = -1, signalled;
static volatile pid_t signal_tid;
static char lock_path[] = "/tmp/mcr-waits-XXXXXX";

static struct timespec in_an_hour(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += LONG_S;
    return now;
}

static int epoll_on(int fd) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    return epoll;
}

static int silent(void) { return eventfd(0, EFD_CLOEXEC); }

static int pipe_end(void) {
    int ends[2];
    return pipe2(ends, O_CLOEXEC) ? -1 : ends[0];
}

static int socket_end(void) {
    int ends[2];
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ? -1 : ends[0];
}

static int listener(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    bind(fd, (struct sockaddr *)&name, sizeof name.sun_family); /* autobind */
    listen(fd, 1);
    return fd;
}

static sigset_t one_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return set;
}

static long do_epoll_wait(void) {
    struct epoll_event event = {0};
    long result = epoll_wait(epoll_on(wake_event), &event, 1, -1);
    woken = result == 1 ? event.data.fd == wake_event : -2;
    return result;
}
static long do_epoll_wait_signal(void) {
    struct epoll_event event;
    signal_tid = gettid();
    long result = epoll_wait(epoll_on(silent()), &event, 1, -1);
    signalled = result == -1 ? errno : -1;
    return result;
}
static long do_epoll_wait_timed(void) {
    struct epoll_event event;
    return epoll_wait(epoll_on(silent()), &event, 1, LONG_MS);
}
static long do_epoll_pwait(void) {
    struct epoll_event event;
    sigset_t set = one_signal();
    return epoll_pwait(epoll_on(silent()), &event, 1, -1, &set);
}
static long do_epoll_pwait2(void) {
    struct epoll_event event;
    return syscall(SYS_epoll_pwait2, epoll_on(silent()), &event, 1, &LONG, NULL, 0);
}
static long do_recv_timed(void) {
    char byte;
    int fd = socket_end();
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){LONG_S, 0}, sizeof(struct timeval));
    return recv(fd, &byte, 1, 0);
}
static long do_sigtimedwait(void) {
    sigset_t set = one_signal();
    return sigtimedwait(&set, NULL, &LONG);
}
static long do_sigwaitinfo(void) {
    sigset_t set = one_signal();
    return sigwaitinfo(&set, NULL);
}
static long do_sigwait(void) {
    sigset_t set = one_signal();
    int got;
    return sigwait(&set, &got);
}
static long do_semop(void) { return semop(semaphores, &(struct sembuf){0, -1, 0}, 1); }
static long do_poll(void) { return poll(&(struct pollfd){silent(), POLLIN, 0}, 1, -1); }
static long do_poll_timed(void) { return poll(&(struct pollfd){silent(), POLLIN, 0}, 1, LONG_MS); }
static long do_ppoll(void) { return ppoll(&(struct pollfd){silent(), POLLIN, 0}, 1, &LONG, NULL); }
static long do_select(void) {
    int fd = silent();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &(struct timeval){LONG_S, 0});
}
static long do_pselect(void) {
    int fd = silent();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return pselect(fd + 1, &set, NULL, NULL, &LONG, NULL);
}
static long do_accept(void) { return accept(listener(), NULL, NULL); }
static long do_recv(void) {
    char byte;
    return recv(socket_end(), &byte, 1, 0);
}
static long do_read_from(int fd) {
    char bytes[256];
    return read(fd, bytes, sizeof bytes);
}
static long do_read_pipe(void) { return do_read_from(pipe_end()); }
static long do_read_eventfd(void) { return do_read_from(silent()); }
static long do_read_timerfd(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    timerfd_settime(fd, 0, &(struct itimerspec){.it_value = LONG}, NULL);
    return do_read_from(fd);
}
static long do_read_inotify(void) { return do_read_from(inotify_init1(IN_CLOEXEC)); }
static long do_read_signalfd(void) {
    sigset_t set = one_signal();
    return do_read_from(signalfd(-1, &set, SFD_CLOEXEC));
}
static long do_futex(void) { return syscall(SYS_futex, &words[0], FUTEX_WAIT_PRIVATE, 0, NULL); }
static long do_futex_timed(void) { return syscall(SYS_futex, &words[1], FUTEX_WAIT_PRIVATE, 0, &LONG); }
static long do_futex_bitset(void) {
    struct timespec end = in_an_hour();
    int operation = FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME;
    return syscall(SYS_futex, &words[2], operation, 0, &end, NULL, FUTEX_BITSET_MATCH_ANY);
}
static long do_cond_wait(void) {
    pthread_mutex_lock(&lock);
    return pthread_cond_wait(&condition, &lock);
}
static long do_cond_timedwait(void) {
    struct timespec end = in_an_hour();
    pthread_mutex_lock(&lock_timed);
    return pthread_cond_timedwait(&condition_timed, &lock_timed, &end);
}
static long do_mutex_lock(void) { return pthread_mutex_lock(&locked); }
static long do_sem_wait(void) { return sem_wait(&semaphore); }
static long do_nanosleep(void) { return nanosleep(&LONG, NULL); }
static long do_clock_nanosleep(void) {
    struct timespec end = in_an_hour();
    return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL);
}
static long do_usleep(void) { return usleep((useconds_t)LONG_S * 1000000); }
static long do_sleep(void) { return sleep(LONG_S); }
static long do_pause(void) { return pause(); }
static long do_waitpid(void) { return waitpid(child, NULL, 0); }
static long do_msgrcv(void) {
    struct {
        long type;
        char text[1];
    } message;
    return msgrcv(messages, &message, 1, 0, 0);
}
static long do_flock(void) { return flock(open(lock_path, O_RDONLY | O_CLOEXEC), LOCK_EX); }

static struct wait {
    const char *name;
    long (*block)(void);
    volatile int tid, returned;
} waits[] = {
#define WAIT(name) {#name, do_##name, 0, 0}
    WAIT(epoll_wait),
    WAIT(epoll_wait_signal),
    WAIT(epoll_wait_timed),
    WAIT(epoll_pwait),
    WAIT(epoll_pwait2),
    WAIT(recv_timed),
    WAIT(sigtimedwait),
    WAIT(sigwaitinfo),
    WAIT(sigwait),
    WAIT(semop),
    WAIT(poll),
    WAIT(poll_timed),
    WAIT(ppoll),
    WAIT(select),
    WAIT(pselect),
    WAIT(accept),
    WAIT(recv),
    WAIT(read_pipe),
    WAIT(read_eventfd),
    WAIT(read_timerfd),
    WAIT(read_inotify),
    WAIT(read_signalfd),
    WAIT(futex),
    WAIT(futex_timed),
    WAIT(futex_bitset),
    WAIT(cond_wait),
    WAIT(cond_timedwait),
    WAIT(mutex_lock),
    WAIT(sem_wait),
    WAIT(nanosleep),
    WAIT(clock_nanosleep),
    WAIT(usleep),
    WAIT(sleep),
    WAIT(pause),
    WAIT(waitpid),
    WAIT(msgrcv),
    WAIT(flock),
};
enum { WAITS = sizeof waits / sizeof *waits };

static void *run(void *argument) {
    struct wait *wait = argument;
    pthread_setname_np(pthread_self(), wait->name); /* names over 15 characters are refused: those keep the program's */
    wait->tid = gettid();
    wait->block();
    wait->returned = 1;
    while (pause()) /* always -1 */
        continue;
    return NULL;
}

/* S, from /proc: the thread sleeps; asked twice, since it may sleep on its way there (in malloc, on a lock). */
static int sleeps_at(int tid, char *where, size_t size) {
    char path[64], stat[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(where, (int)size, file))
        where[0] = 0;
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    file = fopen(path, "re");
    if (file && fgets(stat, sizeof stat, file)) {
        char *state = strrchr(stat, ')');
        fclose(file);
        return state && state[2] == 'S';
    }
    return 0;
}

static void await_sleep(struct wait *wait) {
    char first[256], second[256] = "";
    do {
        usleep(500);
        if (!wait->tid || !sleeps_at(wait->tid, first, sizeof first))
            continue;
        usleep(2000);
        sleeps_at(wait->tid, second, sizeof second);
    } while (!wait->tid || !second[0] || strcmp(first, second));
}

static void handler(int signal) { (void)signal; }

static void prepare(void) {
    sigset_t set = one_signal();
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler}, NULL);
    wake_event = silent();
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    messages = msgget(IPC_PRIVATE, 0600);
    sem_init(&semaphore, 0, 0);
    pthread_mutex_lock(&locked);
    int held = mkostemp(lock_path, O_CLOEXEC);
    flock(held, LOCK_EX);
    int lifeline[2];
    if (pipe(lifeline))
        exit(2);
    child = fork();
    if (!child) { /* lives as long as its parent, and takes away what would outlive both */
        char byte;
        close(lifeline[1]);
        while (read(lifeline[0], &byte, 1) > 0)
            continue;
        semctl(semaphores, 0, IPC_RMID);
        msgctl(messages, IPC_RMID, NULL);
        _exit(0);
    }
    close(lifeline[0]);
}

static void check(void) {
    int returned = 0;
    for (int i = 0; i < WAITS; i++)
        returned += waits[i].returned;
    printf("returned %d", returned);
    for (int i = 0; i < WAITS; i++)
        if (waits[i].returned)
            printf(" %s", waits[i].name);
    puts("");
}

static void wake(void) {
    uint64_t one = 1;
    if (write(wake_event, &one, sizeof one) != sizeof one)
        exit(2);
    while (woken == -1)
        usleep(500);
    printf("woken %d\n", woken);
}

static void raise_signal(void) {
    tgkill(getpid(), signal_tid, SIGUSR1);
    while (!signalled)
        usleep(500);
    printf("signalled %d\n", signalled);
}

int main(void) {
    char line[64];
    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare();
    for (int i = 0; i < WAITS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, &waits[i]))
            return 2;
    }
    for (int i = 0; i < WAITS; i++)
        await_sleep(&waits[i]);
    unlink(lock_path);
    printf("ready %d\n", WAITS);
    while (fgets(line, sizeof line, stdin)) {
        if (!strcmp(line, "check\n"))
            check();
        else if (!strcmp(line, "wake\n"))
            wake();
        else if (!strcmp(line, "signal\n"))
            raise_signal();
    }
    return 0;
}
