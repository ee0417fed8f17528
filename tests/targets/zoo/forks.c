/*
 * forks.c - child processes are born while the others are brought to rest.
 * brief: one each few milliseconds, which ends soon; lasting: one, a moment after the gate has opened, which stays.
 */
#include "zoo.h"
#include <sys/prctl.h>

static pid_t fork_child(int64_t us) {
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        zoo_compute(us < 1000 ? us : 1000);
        while (!us)
            pause();
        _exit(7);
    }
    ZOO_REQUIRE(child > 0);
    return child;
}

static void fork_briefly(void) {
    int status = 0;
    zoo_sleep(3000);
    zoo_begin();
    pid_t child = fork_child(1000);
    ZOO_REQUIRE(ZOO_CALL(waitpid(child, &status, 0)) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    zoo_end();
}

static void fork_once(void) {
    zoo_begin();
    zoo_compute(300000);
    fork_child(0);
    zoo_end();
    for (;;) {
        zoo_sleep(1000);
        zoo_work++;
    }
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_thread("forker", zoo_is("lasting") ? fork_once : fork_briefly);
    return zoo_serve();
}
