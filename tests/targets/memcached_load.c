/*
 * memcached_load.c PORT CONNECTIONS DEPTH REQUESTS SETS - so many requests to a memcached on 127.0.0.1.
 *
 * DEPTH requests are always under way on each connection. SETS of ten are sets of 100 bytes, the others gets, over
 * 10,000 keys. Prints "REQUESTS NANOSECONDS" when all have been answered. Exit status 1 on any wrong answer, or if no
 * answer comes for 10 seconds.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, DEPTH_MAX = 256, REQUEST_MAX = 160, VALUE = 100, KEYS = 10000, SILENCE_MS = 10000 };

struct connection {
    size_t used; /* bytes of a line that has not ended yet */
    char line[16384];
};

static struct connection connections[CONNECTIONS_MAX];
static struct pollfd polls[CONNECTIONS_MAX];
static unsigned long wanted, sent, answered;
static unsigned sets;

static void fail(const char *what) {
    fprintf(stderr, "memcached_load: %s\n", what);
    exit(1);
}

static size_t add_request(char *at) {
    unsigned long number = sent++;
    int key = (int)(number * 7919 % KEYS);
    if (number % 10 >= sets)
        return (size_t)sprintf(at, "get key%05d\r\n", key);
    return (size_t)sprintf(at, "set key%05d 0 0 %d\r\n%0*d\r\n", key, VALUE, VALUE, key);
}

static void send_requests(int index, unsigned long count) {
    static char buffer[DEPTH_MAX * REQUEST_MAX];
    size_t size = 0;
    for (; count && sent < wanted; count--)
        size += add_request(buffer + size);
    for (size_t done = 0; done < size;) {
        ssize_t step = write(polls[index].fd, buffer + done, size - done);
        if (step <= 0)
            fail("a connection was closed");
        done += (size_t)step;
    }
}

/* How many answers the bytes complete; the rest stays for the next time. */
static unsigned long take_answers(struct connection *one) {
    unsigned long count = 0;
    char *line = one->line, *end;
    while ((end = memchr(line, '\n', (size_t)(one->line + one->used - line)))) {
        if (memcmp(line, "END\r", 4) == 0 || memcmp(line, "STORED\r", 7) == 0)
            count++;
        else if (memcmp(line, "VALUE ", 6) != 0 && *line != '0')
            fail("a wrong answer");
        line = end + 1;
    }
    one->used -= (size_t)(line - one->line);
    memmove(one->line, line, one->used);
    return count;
}

static void serve(int index) {
    struct connection *one = &connections[index];
    ssize_t size = read(polls[index].fd, one->line + one->used, sizeof one->line - one->used);
    if (size <= 0)
        fail("a connection was closed");
    one->used += (size_t)size;
    unsigned long count = take_answers(one);
    answered += count;
    send_requests(index, count);
}

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 6)
        return 2;
    int port = atoi(argv[1]), count = atoi(argv[2]), depth = atoi(argv[3]);
    wanted = strtoul(argv[4], NULL, 10), sets = (unsigned)atoi(argv[5]);
    if (count < 1 || count > CONNECTIONS_MAX || depth < 1 || depth > DEPTH_MAX)
        return 2;
    for (int i = 0; i < count; i++)
        polls[i] = (struct pollfd){.fd = connect_to(port), .events = POLLIN};
    long long start = now();
    for (int i = 0; i < count; i++)
        send_requests(i, (unsigned long)depth);
    while (answered < wanted) {
        if (poll(polls, (nfds_t)count, SILENCE_MS) <= 0)
            fail("no answer");
        for (int i = 0; i < count; i++)
            if (polls[i].revents)
                serve(i);
    }
    printf("%lu %lld\n", answered, now() - start);
}
