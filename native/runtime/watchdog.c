/*
 * watchdog.c - how a new process ends that is not to serve.
 *
 * Until N is released, a POSIX timer of the kernel's stands ready to kill it, so that neither a dead controller nor a
 * start-up that hangs leaves a second server behind. The timer dies with the process and is not inherited by a child.
 */
#include "hooks.h"
#include "host_safe.h"

static volatile int armed;
static int timer;

void mcr_watchdog_start(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    uint32_t ms = mcr_settings->watchdog_ms;
    struct itimerspec time = {.it_value = {ms / 1000, ms % 1000 * 1000000L}};
    armed = ms && MCR_SYS(timer_create, CLOCK_MONOTONIC, &event, &timer) == 0 &&
            MCR_SYS(timer_settime, timer, 0, &time, NULL) == 0;
}

void mcr_watchdog_stop(void) {
    if (armed)
        MCR_SYS(timer_delete, timer);
    armed = 0;
}

void mcr_die(void) {
    for (;;) {
        MCR_SYS(kill, mcr_control.pid, SIGKILL);
        MCR_SYS(exit_group, 1);
    }
}
