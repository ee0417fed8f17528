/*
 * ping_pong.c - two threads hand work to each other for ever, so that one of them always has some.
 * cond: by a condition; pipe, socket, eventfd: by a token; timed: by a condition, with a sleep in every round.
 * Only the last one has moments of rest. In the others all threads may look as if they waited, with the token on its way.
 */
#include "zoo.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, there[2], back[2];

static void play(int me) {
    pthread_mutex_lock(&mutex);
    while (turn != me)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    if (me == 0 && zoo_is("timed"))
        zoo_sleep(100);
    zoo_begin();
    zoo_compute(20);
    pthread_mutex_lock(&mutex);
    ZOO_REQUIRE(turn == me);
    turn = !me;
    pthread_cond_signal(&changed);
    zoo_end();
    pthread_mutex_unlock(&mutex);
}

static void ping(void) { play(0); }
static void pong(void) { play(1); }

/* The token is on its way from the first write on, so that there is always something to do. */
static void pass(int from, int to) {
    uint64_t token = 0;
    struct pollfd ready = {from, POLLIN, 0};
    if (ZOO_CALL(poll(&ready, 1, -1)) != 1 || ZOO_CALL(read(from, &token, sizeof token)) != sizeof token)
        return;
    ZOO_REQUIRE(token == 1);
    zoo_compute(20);
    zoo_work++;
    ZOO_REQUIRE(write(to, &token, sizeof token) == sizeof token);
}

static void pass_there(void) { pass(there[0], back[1]); }
static void pass_back(void) { pass(back[0], there[1]); }

static void make(int ends[2]) {
    if (zoo_is("eventfd"))
        ends[0] = ends[1] = eventfd(0, 0);
    else if ((zoo_is("pipe") ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) != 0)
        exit(3);
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    if (zoo_is("cond") || zoo_is("timed")) {
        zoo_thread("ping", ping);
        zoo_thread("pong", pong);
        return zoo_serve();
    }
    uint64_t token = 1;
    make(there);
    make(back);
    zoo_begin();
    zoo_thread("ping", pass_there);
    zoo_thread("pong", pass_back);
    if (write(there[1], &token, sizeof token) != sizeof token)
        return 3;
    return zoo_serve();
}
