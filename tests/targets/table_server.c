/*
 * table_server.c PORT - a small epoll server whose start-up loops make a table of strings and a list of structs.
 *
 * What differs between builds is chosen with -D:
 *   EXTRA_AT=N   start-up makes one more element, "extra", before the Nth of the others (0, 4, 7 or 8)
 *   GONE         start-up no longer makes "gamma"
 *   GROWN        struct entry has one more field, in its middle
 *   SLOTS        start-up also fills an array of structs, in which an element has no address of its own
 *
 * Each line on a connection of 127.0.0.1:PORT is answered with one line:
 *   names            the table of strings            loud NAME     turns one of them into capitals, where it stands
 *   list, table      NAME=COUNT of all entries along the list, or by the table of pointers
 *   add NAME         a new entry on a list of its own; "added" shows it
 *   append NAME      a new entry behind those of start-up, in list and table
 *   pick NAME        this connection's entry from now on; "mine" counts it up and shows NAME=COUNT LIMIT
 *   slots            NAME=COUNT of the array          hit NAME     counts one of it up
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef EXTRA_AT
#define EXTRA_AT -1
#endif

struct entry {
    char *name;
#ifdef GROWN
    long limit; /* stands between what older builds have */
#endif
    struct entry *next;
    long count;
};

struct client { /* only the kernel knows where it is */
    int fd;
    size_t used;
    struct entry *picked;
    char line[128];
};

static const char *const at_startup[] = {
#if EXTRA_AT == 0
    "extra",
#endif
    "alpha",   "beta",
#ifndef GONE
    "gamma",
#endif
    "delta",
#if EXTRA_AT == 4
    "extra",
#endif
    "epsilon", "zeta", "eta",
#if EXTRA_AT == 7
    "extra",
#endif
    "theta",
#if EXTRA_AT == 8
    "extra",
#endif
};
enum { STARTUP = sizeof at_startup / sizeof at_startup[0] };

static char **names;
static struct entry *first, *last, *added;
static struct entry **table;
static int entry_count, table_room;
#ifdef SLOTS
static struct slot {
    const char *name;
    long hits;
} slots[STARTUP];
#endif

static struct entry *new_entry(const char *name) {
    struct entry *entry = calloc(1, sizeof *entry);
    entry->name = strdup(name);
#ifdef GROWN
    entry->limit = 100;
#endif
    return entry;
}

static void append(const char *name) {
    struct entry *entry = new_entry(name);
    if (entry_count == table_room) {
        table_room = table_room ? table_room * 2 : 4;
        table = realloc(table, table_room * sizeof *table);
    }
    table[entry_count++] = entry;
    if (last)
        last->next = entry;
    else
        first = entry;
    last = entry;
}

static void start(void) {
    names = malloc(STARTUP * sizeof *names);
    for (int i = 0; i < STARTUP; i++) {
        names[i] = strdup(at_startup[i]);
        append(at_startup[i]);
#ifdef SLOTS
        slots[i].name = at_startup[i];
#endif
    }
}

static struct entry *find(const char *name) {
    for (int i = 0; i < entry_count; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    for (struct entry *entry = added; entry; entry = entry->next)
        if (strcmp(entry->name, name) == 0)
            return entry;
    return NULL;
}

static void show_list(FILE *out, const struct entry *entry) {
    for (; entry; entry = entry->next)
        fprintf(out, "%s=%ld ", entry->name, entry->count);
}

static void add(const char *name) {
    struct entry *entry = new_entry(name);
    entry->next = added;
    added = entry;
}

static void show_mine(FILE *out, struct entry *entry) {
    if (!entry)
        return;
    fprintf(out, "%s=%ld", entry->name, ++entry->count);
#ifdef GROWN
    fprintf(out, " %ld", entry->limit);
#endif
}

static void loud(const char *name) {
    for (int i = 0; i < STARTUP; i++)
        for (char *at = strcmp(names[i], name) == 0 ? names[i] : ""; *at; at++)
            *at = (char)toupper(*at);
}

static void answer_slots(FILE *out, const char *word, const char *name) {
#ifdef SLOTS
    for (int i = 0; i < STARTUP; i++)
        if (strcmp(word, "slots") == 0)
            fprintf(out, "%s=%ld ", slots[i].name, slots[i].hits);
        else if (strcmp(word, "hit") == 0)
            slots[i].hits += strcmp(slots[i].name, name) == 0;
#endif
    (void)out, (void)word, (void)name;
}

static void answer(FILE *out, struct client *client, const char *word, const char *name) {
    if (strcmp(word, "names") == 0)
        for (int i = 0; i < STARTUP; i++)
            fprintf(out, "%s ", names[i]);
    else if (strcmp(word, "table") == 0)
        for (int i = 0; i < entry_count; i++)
            fprintf(out, "%s=%ld ", table[i]->name, table[i]->count);
    else if (strcmp(word, "list") == 0 || strcmp(word, "added") == 0)
        show_list(out, word[0] == 'l' ? first : added);
    else if (strcmp(word, "loud") == 0)
        loud(name);
    else if (strcmp(word, "add") == 0)
        add(name);
    else if (strcmp(word, "append") == 0)
        append(name);
    else if (strcmp(word, "pick") == 0)
        client->picked = find(name);
    else if (strcmp(word, "mine") == 0)
        show_mine(out, client->picked);
    else
        answer_slots(out, word, name);
}

static void answer_line(struct client *client) {
    char word[64] = "", name[64] = "", text[1024];
    FILE *out = fmemopen(text, sizeof text, "w");
    sscanf(client->line, "%63s %63s", word, name);
    answer(out, client, word, name);
    fputs("\n", out);
    long length = ftell(out);
    fclose(out);
    if (write(client->fd, text, (size_t)length) != length)
        shutdown(client->fd, SHUT_RDWR);
}

static void read_client(struct client *client) {
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

static void watch(int epoll, int fd, struct client *client) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    start();
    int listener = listen_on(atoi(argv[1])), epoll = epoll_create1(0);
    watch(epoll, listener, NULL);
    for (;;) {
        struct epoll_event events[16];
        int count = epoll_wait(epoll, events, 16, -1);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
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
