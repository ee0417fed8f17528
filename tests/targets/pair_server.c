/*
 * pair_server.c PORT - fills and checks the parts of one generated program, on the orders of its only connection.
 *
 * Each line is answered with one line:
 *   fill        every part makes its state; "ok"
 *   check N     part N looks at its state: what is wrong, or "ok"
 */
#include "parts.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct part {
    void (*start)(void);
    void (*fill)(void);
    void (*check)(FILE *);
} parts[] = {
#define PART(tag) {tag##_start, tag##_fill, tag##_check},
#include "list.h"
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static void answer(const char *line, FILE *out) {
    long start = ftell(out);
    if (strcmp(line, "fill") == 0)
        for (int i = 0; i < PARTS; i++)
            parts[i].fill();
    else if (strncmp(line, "check ", 6) == 0)
        parts[atoi(line + 6)].check(out);
    if (ftell(out) == start)
        fputs("ok", out);
}

static int connection = -1; /* poll passes over it */
static char line[64];
static size_t used;

static void read_orders(void) {
    static char text[4096];
    ssize_t count = read(connection, line + used, sizeof line - 1 - used);
    if (count <= 0)
        exit(1);
    used += (size_t)count;
    char *end = memchr(line, '\n', used);
    if (!end)
        return;
    *end = 0;
    used = 0;
    FILE *out = fmemopen(text, sizeof text, "w");
    answer(line, out);
    fputc('\n', out);
    size_t length = (size_t)ftell(out);
    fclose(out);
    if (write(connection, text, length) != (ssize_t)length)
        exit(1);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 0)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    for (int i = 0; i < PARTS; i++)
        parts[i].start();
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0)
        return 1;
    for (;;) {
        struct pollfd ready[2] = {{.fd = listener, .events = POLLIN}, {.fd = connection, .events = POLLIN}};
        poll(ready, 2, -1);
        if (ready[1].revents)
            read_orders();
        if (ready[0].revents)
            connection = accept(listener, NULL, NULL);
    }
}
