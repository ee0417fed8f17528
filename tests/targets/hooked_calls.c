/*
 * hooked_calls.c - calls what libmcr stands in front of, and checks that it does what libc does.
 *
 * All of it runs before main, in main, in a thread and in a child of fork. Prints each failed check on stderr; the exit
 * status is 0 if there was none. "again" as the first argument: executed by itself, prints whether libmcr came along.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_int failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            failures++;                                                                                                \
            fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #condition, errno);                                  \
        }                                                                                                              \
    } while (0)

static struct timespec in_ms(clockid_t clock, int ms) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += ms * 1000000L;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static void check_descriptors(void) {
    int pair[2], count;
    char byte = 0;
    CHECK(pipe(pair) == 0 && write(pair[1], "x", 1) == 1 && read(pair[0], &byte, 1) == 1 && byte == 'x');
    int copy = dup(pair[0]);
    CHECK(copy > pair[0] && dup2(copy, copy) == copy && dup2(pair[1], copy) == copy && write(copy, "y", 1) == 1);
    CHECK(fcntl(copy, F_SETFL, O_NONBLOCK) == 0 && fcntl(pair[0], F_GETFL) == O_RDONLY && read(pair[0], &byte, 1) == 1);
    CHECK((count = fcntl(copy, F_DUPFD_CLOEXEC, 100)) >= 100 && fcntl(count, F_GETFD) == FD_CLOEXEC);
    CHECK(close(count) == 0 && close(count) == -1 && errno == EBADF);
    CHECK(close(copy) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK(pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0 && read(pair[0], &byte, 1) == -1 && errno == EAGAIN);
    CHECK(dup3(pair[0], pair[0], 0) == -1 && errno == EINVAL && dup2(-1, pair[0]) == -1 && errno == EBADF);
    CHECK(close_range((unsigned)pair[0], (unsigned)pair[0], 0) == 0 && fcntl(pair[0], F_GETFD) == -1);
    CHECK(close(pair[1]) == 0);
    int event = eventfd(3, 0);
    eventfd_t value = 0;
    CHECK(event >= 0 && eventfd_write(event, 4) == 0 && read(event, &value, sizeof value) == 8 && value == 7);
    int memory = memfd_create("name", MFD_ALLOW_SEALING);
    CHECK(ftruncate(memory, 4096) == 0 && fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0 && ftruncate(memory, 1) == -1);
    char *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CHECK(mapped != MAP_FAILED && pwrite(memory, "z", 1, 9) == 1 && mapped[9] == 'z' && munmap(mapped, 4096) == 0);
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CHECK(watch >= 0 && close(watch) == 0 && close(memory) == 0 && close(event) == 0);
    CHECK(syscall(SYS_eventfd2, 1, 0) == event && syscall(SYS_close, event) == 0);
}

static void check_sockets(void) {
    int pair[2];
    char text[8] = {0};
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 && send(pair[0], "one", 4, 0) == 4);
    CHECK(recvmsg(pair[1], &message, 0) == 4 && strcmp(text, "one") == 0);
    CHECK(sendmsg(pair[1], &message, 0) == 8 && recv(pair[0], text, sizeof text, 0) == 8);
    CHECK(recv(pair[0], text, sizeof text, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(close(pair[0]) == 0 && recvfrom(pair[1], text, 1, 0, NULL, NULL) == 0 && close(pair[1]) == 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    socklen_t size = sizeof address;
    CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address.sun_family) == 0 && listen(listener, 4) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    CHECK(connect(client, (struct sockaddr *)&address, size) == 0);
    struct pollfd ready = {listener, POLLIN, 0};
    CHECK(poll(&ready, 1, 1000) == 1);
    CHECK(close(client) == 0 && close(listener) == 0);
}

static void check_files(const char *directory) {
    char name[512], other[512], text[4];
    snprintf(name, sizeof name, "%s/a%d", directory, gettid());
    snprintf(other, sizeof other, "%s/b%d", directory, gettid());
    int fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0640);
    struct stat status;
    CHECK(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0640);
    CHECK(write(fd, "abc", 3) == 3 && pread(fd, text, 3, 0) == 3 && openat(AT_FDCWD, name, O_CREAT | O_EXCL, 0) == -1);
    CHECK(flock(fd, LOCK_EX) == 0 && lockf(fd, F_TLOCK, 0) == 0 && lockf(fd, F_ULOCK, 0) == 0 && close(fd) == 0);
    CHECK(rename(name, other) == 0 && open(name, O_RDONLY) == -1 && errno == ENOENT && truncate(other, 2) == 0);
    FILE *stream = fopen(other, "r+");
    CHECK(stream && fread(text, 1, 4, stream) == 2 && fgetc(stream) == EOF && fputs("cd", stream) >= 0);
    CHECK((stream = freopen(other, "r", stream)) && fread(text, 1, 4, stream) == 4 && memcmp(text, "abcd", 4) == 0);
    CHECK(fclose(stream) == 0 && !fopen(name, "r") && errno == ENOENT && !fopen(other, "bad") && errno == EINVAL);
    CHECK(unlink(other) == 0 && unlink(other) == -1 && errno == ENOENT && remove(other) == -1);
    snprintf(name, sizeof name, "%s/XXXXXX", directory);
    CHECK((fd = mkstemp(name)) >= 0 && !strstr(name, "XXX") && unlinkat(AT_FDCWD, name, 0) == 0 && close(fd) == 0);
    CHECK((stream = fopen("/dev/null", "we")) && fcntl(fileno(stream), F_GETFD) == FD_CLOEXEC && fclose(stream) == 0);
    char *buffer;
    size_t size;
    CHECK((stream = open_memstream(&buffer, &size)) && fputs("x", stream) >= 0 && fclose(stream) == 0 && size == 1);
    free(buffer);
}

static void check_entropy_and_time(void) {
    unsigned char zero[16] = {0}, bytes[5][16] = {{0}};
    struct timeval day;
    CHECK(getrandom(bytes[0], 16, 0) == 16 && getentropy(bytes[1], 16) == 0);
    arc4random_buf(bytes[2], 16);
    int fd = open("/dev/urandom", O_RDONLY);
    FILE *stream = fopen("/dev/urandom", "r");
    CHECK(read(fd, bytes[3], 16) == 16 && fread(bytes[4], 4, 4, stream) == 4 && fgetc(stream) != EOF);
    CHECK(close(fd) == 0 && fclose(stream) == 0 && arc4random_uniform(10) < 10);
    for (int i = 0; i < 5; i++)
        CHECK(memcmp(bytes[i], zero, 16) != 0 && (i == 0 || memcmp(bytes[i], bytes[0], 16) != 0));
    time_t now = time(NULL);
    CHECK(gettimeofday(&day, NULL) == 0 && day.tv_sec - now <= 1 && day.tv_sec >= now);
    CHECK(in_ms(CLOCK_REALTIME, 0).tv_sec - now <= 1 && syscall(SYS_gettid) == gettid());
}

static void on_alarm(int number) { (void)number; }

static void check_waits(void) {
    struct epoll_event event;
    fd_set none;
    sigset_t set;
    struct timespec left, moment = {0, 1000000};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    FD_ZERO(&none);
    CHECK(epoll_wait(epoll, &event, 1, 2) == 0 && epoll_wait(epoll, &event, 1, 0) == 0 && close(epoll) == 0);
    CHECK(poll(NULL, 0, 1) == 0 && ppoll(NULL, 0, &moment, NULL) == 0);
    CHECK(select(1, &none, NULL, NULL, &(struct timeval){0, 1000}) == 0);
    CHECK(nanosleep(&moment, &left) == 0 && usleep(100) == 0 && sleep(0) == 0 &&
          nanosleep(&(struct timespec){-1, 0}, NULL) == -1);
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL) == 0);
    moment = in_ms(CLOCK_MONOTONIC, 2);
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL) == 0);
    moment = (struct timespec){0, 1000000};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(sigtimedwait(&set, NULL, &moment) == -1 && errno == EAGAIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_kill(pthread_self(), SIGUSR2);
    CHECK(sigwaitinfo(&set, NULL) == SIGUSR2);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), signals = signalfd(-1, &set, SFD_NONBLOCK);
    struct itimerspec soon = {.it_value = {0, 1}};
    uint64_t expired;
    CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0 && poll(&(struct pollfd){timer, POLLIN, 0}, 1, 1000) == 1);
    CHECK(read(timer, &expired, 8) == 8 && read(signals, &expired, 8) == -1 && close(timer) == 0 &&
          close(signals) == 0);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

struct meeting {
    sem_t semaphore;
    pthread_barrier_t barrier;
    int woken;
};

static void *partner(void *argument) {
    struct meeting *meeting = argument;
    pthread_barrier_wait(&meeting->barrier);
    sem_post(&meeting->semaphore);
    pthread_mutex_lock(&lock);
    meeting->woken = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&lock);
    return meeting;
}

static void check_threads(void) {
    struct meeting meeting = {.woken = 0};
    pthread_t thread;
    void *result = NULL;
    sem_init(&meeting.semaphore, 0, 0);
    pthread_barrier_init(&meeting.barrier, NULL, 2);
    struct timespec soon = in_ms(CLOCK_REALTIME, 1);
    CHECK(sem_timedwait(&meeting.semaphore, &soon) == -1 && errno == ETIMEDOUT);
    CHECK(pthread_create(&thread, NULL, partner, &meeting) == 0);
    pthread_barrier_wait(&meeting.barrier);
    CHECK(sem_wait(&meeting.semaphore) == 0);
    pthread_mutex_lock(&lock);
    while (!meeting.woken)
        CHECK(pthread_cond_wait(&condition, &lock) == 0);
    soon = in_ms(CLOCK_REALTIME, 1);
    int error = 0;
    while (!error)
        error = pthread_cond_timedwait(&condition, &lock, &soon);
    CHECK(error == ETIMEDOUT && pthread_mutex_unlock(&lock) == 0);
    soon = in_ms(CLOCK_REALTIME, 10000);
    CHECK(pthread_timedjoin_np(thread, &result, &soon) == 0 && result == &meeting);
}

static int run_clone(void *argument) { return *(int *)argument; }

static void check_processes(void) {
    int status, code = 5;
    static _Thread_local char stack[16384];
    char *argv[] = {"true", NULL};
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
    if ((pid = vfork()) == 0)
        _exit(4);
    CHECK(wait4(pid, &status, 0, NULL) == pid && WEXITSTATUS(status) == 4);
    pid = clone(run_clone, stack + sizeof stack - 64, SIGCHLD, &code);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
    CHECK(posix_spawnp(&pid, "true", NULL, NULL, argv, environ) == 0 && waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD && kill(getpid(), 0) == 0 &&
          system("exit 6") == 6 << 8);
    CHECK(dlopen("libm.so.6", RTLD_NOW) && !dlopen("no-such-library.so", RTLD_NOW) && dlerror());
    CHECK(getppid() > 0 && syscall(SYS_getpid) == getpid());
}

static void check_all(void) {
    const char *directory = getenv("TARGET_DIRECTORY");
    check_descriptors();
    check_sockets();
    check_files(directory ? directory : "/tmp");
    check_entropy_and_time();
    check_waits();
    check_threads();
    check_processes();
}

static void *check_in_thread(void *argument) {
    check_all();
    return argument;
}

__attribute__((constructor)) static void before_main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "again") != 0)
        check_all();
}

/* Executes itself by each function; each prints one line. */
static void check_exec(char *self) {
    char *argv[] = {self, "again", NULL};
    pid_t pid;
    if ((pid = vfork()) == 0) {
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    posix_spawn(&pid, self, NULL, NULL, argv, environ);
    waitpid(pid, NULL, 0);
    execvp(self, argv);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "again") == 0) {
        puts(dlsym(RTLD_DEFAULT, "mcr_control") ? "with" : "without");
        return 0;
    }
    pthread_t thread;
    void *result;
    int status;
    signal(SIGALRM, on_alarm);
    check_all();
    pthread_create(&thread, NULL, check_in_thread, NULL);
    pthread_join(thread, &result);
    pid_t pid = fork();
    if (pid == 0) {
        check_all();
        _exit(failures != 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    if (failures)
        return 1;
    puts("checked");
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "exec") == 0)
        check_exec(argv[0]);
    return 0;
}
