/* nested.c - an event loop whose handler runs another one until a second event has come: a wait in the middle of work. */
#include "zoo.h"

static int requests[2], replies[2];

__attribute__((noinline)) static void wait_for(int fd) {
    char byte;
    struct pollfd ready = {fd, POLLIN, 0};
    while (ZOO_CALL(poll(&ready, 1, 1000)) != 1)
        continue;
    ZOO_REQUIRE(ZOO_CALL(read(fd, &byte, 1)) == 1);
}

__attribute__((noinline)) static void handle(void) {
    zoo_begin();
    zoo_compute(50);
    wait_for(replies[0]);
    zoo_compute(50);
    zoo_end();
}

__attribute__((noinline)) static void loop(void) {
    for (;;) {
        wait_for(requests[0]);
        handle();
    }
}

/* Half of the time there is no request. */
static void ask(void) {
    zoo_sleep(3000);
    ZOO_REQUIRE(write(requests[1], "?", 1) == 1);
    zoo_sleep(3000);
    ZOO_REQUIRE(write(replies[1], "!", 1) == 1);
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    if (pipe(requests) != 0 || pipe(replies) != 0)
        return 3;
    zoo_thread("server", loop);
    zoo_thread("client", ask);
    return zoo_serve();
}
