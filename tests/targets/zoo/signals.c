/* signals.c - threads that signals wake: sigsuspend, sigtimedwait, sigwaitinfo, signalfd. */
#include "zoo.h"
#include <sys/signalfd.h>
#include <sys/time.h>

static pthread_t timed;
static atomic_int timed_is_there;
static int descriptor;
static sigset_t usr1, usr2, rt;

static void on_alarm(int number) { (void)number; }

static void work(void) {
    zoo_begin();
    zoo_compute(30);
    zoo_end();
}

static void by_sigsuspend(void) {
    sigset_t none;
    sigfillset(&none);
    sigdelset(&none, SIGALRM);
    ZOO_REQUIRE(sigsuspend(&none) == -1 && errno == EINTR); /* it knows no other end */
    work();
}

static void by_sigtimedwait(void) {
    struct timespec time = {0, 5000000};
    timed = pthread_self();
    timed_is_there = 1;
    int number = (int)ZOO_CALL(sigtimedwait(&usr1, NULL, &time));
    ZOO_REQUIRE(number == SIGUSR1 || (number == -1 && (errno == EAGAIN || errno == EINTR)));
    work();
}

static void by_sigwaitinfo(void) {
    int number = (int)ZOO_CALL(sigwaitinfo(&rt, NULL));
    ZOO_REQUIRE(number == SIGRTMIN || (number == -1 && errno == EINTR));
    work();
}

static void by_signalfd(void) {
    struct signalfd_siginfo info;
    ZOO_REQUIRE(ZOO_CALL(read(descriptor, &info, sizeof info)) == sizeof info && info.ssi_signo == SIGUSR2);
    work();
}

static void send_signals(void) {
    zoo_sleep(1000);
    if (timed_is_there)
        pthread_kill(timed, SIGUSR1);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGRTMIN);
}

int main(int argc, char **argv) {
    struct itimerval each = {{0, 2000}, {0, 2000}};
    sigset_t all;
    zoo_prepare(argc, argv);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); /* in all threads: only who waits for a signal gets it */
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    sigemptyset(&rt);
    sigaddset(&rt, SIGRTMIN);
    descriptor = signalfd(-1, &usr2, SFD_CLOEXEC);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
    setitimer(ITIMER_REAL, &each, NULL);
    zoo_thread("sigsuspend", by_sigsuspend);
    zoo_thread("sigtimedwait", by_sigtimedwait);
    zoo_thread("sigwaitinfo", by_sigwaitinfo);
    zoo_thread("signalfd", by_signalfd);
    zoo_thread("sender", send_signals);
    return zoo_serve();
}
