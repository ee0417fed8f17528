/*
 * computation.c - one thread computes for long, others serve time and a client meanwhile.
 * long: a tenth of a second at a time; endless: without a wait in between.
 */
#include "zoo.h"

__attribute__((noinline)) static void calculate(int64_t us) { zoo_compute(us); }

static void compute(void) {
    zoo_begin();
    do
        calculate(100000);
    while (zoo_is("endless"));
    zoo_end();
    zoo_sleep(1000);
}

static void tick(void) {
    zoo_sleep(1000);
    zoo_work++;
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_thread("computer", compute);
    zoo_thread("ticker", tick);
    return zoo_serve();
}
