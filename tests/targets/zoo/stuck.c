/*
 * stuck.c - a thread blocks in the middle of work, in a call that is no quiescent point, until somebody gets it out of it
 * by what it takes well there: a signal (mode `signal`, in a write to a full pipe) or an event (modes `eventfd`, `pipe`
 * and `socket`, in a read of which libmcr knows nothing). Then it gives the work up and rests for a millisecond.
 * -DOPEN: there is no gate.
 */
#include "zoo.h"

static int ends[2];
static atomic_long given_up; /* the test reads it */

static void on_signal(int number) { (void)number; }

static void get_stuck(void) {
    char bytes[8];
    if (zoo_is("signal"))
        ZOO_REQUIRE(write(ends[1], bytes, 1) < 0 && errno == EINTR);
    else
        ZOO_REQUIRE(syscall(SYS_read, ends[0], bytes, sizeof bytes) > 0);
}

static void work(void) {
    zoo_begin();
    get_stuck();
    zoo_end();
    given_up++;
    zoo_sleep(1000);
}

static void tick(void) {
    zoo_sleep(1000);
    zoo_work++;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
    zoo_prepare(argc, argv);
    sigaction(SIGUSR1, &action, NULL);
    if (zoo_is("eventfd"))
        ends[0] = eventfd(0, 0);
    else if (zoo_is("socket"))
        ZOO_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    else
        ZOO_REQUIRE(pipe(ends) == 0);
    struct pollfd room = {ends[1], POLLOUT, 0};
    while (zoo_is("signal") && poll(&room, 1, 0) == 1) {
        static char page[4096];
        ZOO_REQUIRE(write(ends[1], page, sizeof page) == sizeof page);
    }
#ifdef OPEN
    zoo_is_open = true;
#endif
    zoo_thread("stuck", work);
    zoo_thread("ticker", tick);
    return zoo_serve();
}
