/*
 * writer.c - a thread is blocked in a write because nobody reads.
 * slow: the client reads slowly; deaf: never; pipe: the reader is another thread of the program, which waits in poll.
 */
#include "zoo.h"

enum { BLOCK = 300000 };
static int ends[2];

static void fill(unsigned char *block, unsigned long first) {
    for (int i = 0; i < BLOCK; i++)
        block[i] = (unsigned char)((first + (unsigned long)i) % 251);
}

static void write_blocks(void) {
    static unsigned char block[BLOCK];
    static unsigned long written;
    size_t done = 0;
    fill(block, written);
    zoo_begin();
    while (done < BLOCK) {
        ssize_t size = ZOO_CALL(write(ends[1], block + done, BLOCK - done));
        if (size <= 0)
            break;
        done += (size_t)size;
    }
    written += done;
    zoo_end();
    zoo_sleep(1000);
}

static void read_pipe(void) {
    static unsigned char bytes[4096];
    static unsigned long seen;
    struct pollfd ready = {ends[0], POLLIN, 0};
    if (ZOO_CALL(poll(&ready, 1, -1)) != 1)
        return;
    ssize_t size = ZOO_CALL(read(ends[0], bytes, sizeof bytes));
    for (ssize_t i = 0; i < size; i++)
        ZOO_REQUIRE(bytes[i] == seen++ % 251);
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    ends[1] = zoo_peer;
    if (zoo_is("pipe")) {
        if (pipe(ends) != 0)
            return 3;
        zoo_thread("reader", read_pipe);
    }
    zoo_thread("writer", write_blocks);
    return zoo_serve();
}
