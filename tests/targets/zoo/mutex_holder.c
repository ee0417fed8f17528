/*
 * mutex_holder.c - a thread waits for its client while it keeps a mutex that another thread needs.
 * fed: the client sends now and then; starved: it never does, so that the other thread cannot go on.
 */
#include "zoo.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long inside;

static void keep(void) {
    char byte;
    pthread_mutex_lock(&mutex);
    ZOO_REQUIRE(++inside == 1);
    if (ZOO_CALL(recv(zoo_peer, &byte, 1, 0)) == 0)
        pause();
    inside--;
    pthread_mutex_unlock(&mutex);
    zoo_sleep(200);
}

static void tick(void) {
    zoo_sleep(1000);
    zoo_begin();
    pthread_mutex_lock(&mutex);
    ZOO_REQUIRE(++inside == 1);
    zoo_compute(20);
    inside--;
    pthread_mutex_unlock(&mutex);
    zoo_end();
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_thread("keeper", keep);
    zoo_thread("ticker", tick);
    return zoo_serve();
}
