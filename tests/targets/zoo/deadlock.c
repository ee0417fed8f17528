/* deadlock.c - two threads each hold the mutex that the other one wants. The rest of the program goes on. */
#include "zoo.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static atomic_int taken;

static void embrace(pthread_mutex_t *mine, pthread_mutex_t *other) {
    pthread_mutex_lock(mine);
    taken++;
    while (taken < 2)
        zoo_sleep(100);
    pthread_mutex_lock(other);
    zoo_wrong++;
}

static void left(void) { embrace(&first, &second); }
static void right(void) { embrace(&second, &first); }

static void tick(void) {
    zoo_sleep(1000);
    zoo_work++;
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_thread("left", left);
    zoo_thread("right", right);
    zoo_thread("ticker", tick);
    return zoo_serve();
}
