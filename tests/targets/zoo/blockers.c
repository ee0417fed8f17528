/*
 * blockers.c - a thread waits in a call that is no quiescent point, since libmcr does not know what it waits for.
 * flock: for a file that the client has locked (PEER is its descriptor); msgrcv; stdio: libc reads for it, into a buffer
 * of its own; futex: a system call without any function around it.
 */
#include "zoo.h"
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>

static int queue = -1;

static void block(void) {
    char line[64];
    if (zoo_is("flock")) {
        snprintf(line, sizeof line, "/proc/self/fd/%d", zoo_peer);
        flock(open(line, O_RDONLY), LOCK_EX);
    } else if (zoo_is("msgrcv")) {
        queue = msgget(IPC_PRIVATE, 0600);
        struct {
            long kind;
            char text[8];
        } message;
        msgrcv(queue, &message, sizeof message.text, 0, 0);
    } else if (zoo_is("stdio")) {
        ZOO_REQUIRE(fgets(line, sizeof line, fdopen(zoo_peer, "r")) != NULL);
    } else {
        static int word;
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    for (;;)
        pause();
}

static void tick(void) {
    zoo_sleep(1000);
    zoo_work++;
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_thread("blocked", block);
    zoo_thread("ticker", tick);
    zoo_serve();
    if (queue >= 0)
        msgctl(queue, IPC_RMID, NULL);
    _exit(0); /* exit() would wait for the stream in which a thread reads */
}
