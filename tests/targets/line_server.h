/*
 * line_server.h - serves lines: one epoll loop on 127.0.0.1:PORT, each line on a connection is answered with one line.
 *
 * The program that includes it has `static void answer(FILE *out, const char *word, const char *name)`.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(FILE *out, const char *word, const char *name);

struct line_client { /* only the kernel knows where it is */
    int fd;
    size_t used;
    char line[128];
};

static void answer_line(struct line_client *client) {
    char word[64] = "", name[64] = "", text[2048];
    FILE *out = fmemopen(text, sizeof text, "w");
    sscanf(client->line, "%63s %63s", word, name);
    answer(out, word, name);
    fputs("\n", out);
    long length = ftell(out);
    fclose(out);
    if (write(client->fd, text, (size_t)length) != length)
        shutdown(client->fd, SHUT_RDWR);
}

static void read_client(struct line_client *client) {
    ssize_t count = read(client->fd, client->line + client->used, sizeof client->line - 1 - client->used);
    if (count <= 0) {
        close(client->fd);
        free(client);
        return;
    }
    client->used += (size_t)count;
    client->line[client->used] = 0;
    for (char *end; (end = strchr(client->line, '\n'));) {
        answer_line(client);
        client->used -= (size_t)(end + 1 - client->line);
        memmove(client->line, end + 1, client->used + 1);
    }
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
        exit(1);
    return fd;
}

static void watch(int epoll, int fd, struct line_client *client) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void serve_lines(int port) {
    int listener = listen_on(port), epoll = epoll_create1(0);
    watch(epoll, listener, NULL);
    for (;;) {
        struct epoll_event events[16];
        int count = epoll_wait(epoll, events, 16, -1);
        for (int i = 0; i < count; i++) {
            struct line_client *client = events[i].data.ptr;
            if (client) {
                read_client(client);
                continue;
            }
            client = calloc(1, sizeof *client);
            client->fd = accept(listener, NULL, NULL);
            watch(epoll, client->fd, client);
        }
    }
}
