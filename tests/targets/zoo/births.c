/*
 * births.c - threads are born and end all the time.
 * detached: one each millisecond; joined: the same, and somebody waits for its end; chain: each makes the next one
 * before it ends, without any wait, so that there is never a moment of rest.
 */
#include "zoo.h"

static void *serve_one(void *argument) {
    zoo_compute(100);
    zoo_sleep(300);
    zoo_compute(100);
    zoo_end();
    return argument;
}

static void *serve_and_pass_on(void *argument) {
    pthread_t next;
    zoo_compute(200);
    zoo_work++;
    pthread_detach(pthread_self());
    if (pthread_create(&next, NULL, serve_and_pass_on, argument) != 0)
        zoo_wrong++;
    return NULL;
}

static void give_birth(void) {
    pthread_t thread;
    zoo_sleep(1000);
    zoo_begin();
    if (pthread_create(&thread, NULL, serve_one, &zoo_work) != 0) {
        zoo_wrong++;
        zoo_busy--;
    } else if (zoo_is("joined")) {
        void *result = NULL;
        ZOO_REQUIRE(pthread_join(thread, &result) == 0 && result == &zoo_work);
    } else {
        pthread_detach(thread);
    }
}

static void begin_chain(void) {
    pthread_t first;
    if (pthread_create(&first, NULL, serve_and_pass_on, NULL) != 0)
        zoo_wrong++;
    for (;;)
        pause();
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_thread("mother", zoo_is("chain") ? begin_chain : give_birth);
    return zoo_serve();
}
