/*
 * annotated_server.c PORT - state that no update can carry over by types alone: each part of it needs an annotation.
 *
 * With -DNEW everything has another form. Lines (line_server.h):
 *   make             makes all of the state, so that nothing of it is there at start-up
 *   sessions, settings, tree, box, vector, values, key, handle, label     show a part of it
 */
#include "line_server.h"
#include <stdbool.h>
#include <stdint.h>

struct item {
    int value;
#ifdef NEW
    long weight; /* an item grows, so that it moves and all pointers to it must follow */
#endif
    char name[12];
};

struct stamp {
#ifdef NEW
    long s;
#else
    int s;
#endif
};

struct session {
    struct session *next;
#ifdef NEW
    long idle_ms;
    int count;
    struct stamp created;
    int level;
#else
    int idle_s;
    int hits;
    struct stamp made;
#endif
    char name[16];
};

static struct registry {
    struct session *first;
#ifdef NEW
    long total;
#endif
} registry;

static struct settings {
#ifdef NEW
    long limit_ms, steps_ms[3];
#else
    int limit_s, steps[3];
#endif
} settings;

struct node { /* the lowest bit of `left` is a colour */
    struct node *left, *right;
    int key;
#ifdef NEW
    long weight;
#endif
};
static struct node *root;

static struct box {
    void *thing;
} *box;

static struct vector {
    long used;
    struct item **slots; /* what follows the used ones is stale */
} *vector;
static char *note; /* stands where an item was that a stale slot still points to */

enum { AN_ITEM = 1, A_NUMBER = 2, A_TEXT = 3 };
struct value {
    int kind;
    union {
#ifdef NEW
        char text[24];
        long number;
        struct item *item;
#else
        struct item *item;
        long number;
        char text[8];
#endif
    } as;
};
static struct value *values[3];

static struct key {
    char bytes[16]; /* look like the address of an item */
} *key;

static struct handle {
    struct node *maybe; /* a number that looks like a pointer into a text */
} *handle;
static char *text;

/* No variable tells what this memory is for. */
static __attribute__((noinline)) void *blank(size_t size) { return calloc(1, size); }

static struct label { /* the new build wants its words twice over */
    char *words;
} *label;

static struct item *new_item(int value, const char *name) {
    struct item *item = calloc(1, sizeof *item);
    item->value = value;
    strcpy(item->name, name);
    return item;
}

static struct node *new_node(int value, struct node *left, struct node *right, bool is_red) {
    struct node *node = calloc(1, sizeof *node);
    node->key = value;
    node->left = (struct node *)((uintptr_t)left | is_red);
    node->right = right;
    return node;
}

static struct value *new_value(int kind) {
    struct value *value = calloc(1, sizeof *value);
    value->kind = kind;
    return value;
}

static void make_session(const char *name, int idle_s, int hits) {
    struct session *session = calloc(1, sizeof *session);
    session->next = registry.first;
#ifdef NEW
    session->idle_ms = idle_s * 1000;
    session->count = hits;
    session->created.s = hits * 100;
    session->level = hits > 10 ? 2 : 1;
    registry.total += hits;
#else
    session->idle_s = idle_s;
    session->hits = hits;
    session->made.s = hits * 100;
#endif
    strcpy(session->name, name);
    registry.first = session;
}

static void make_vector(void) {
    vector = calloc(1, sizeof *vector);
    vector->slots = calloc(4, sizeof *vector->slots);
    vector->used = 2;
    for (int i = 0; i < 3; i++)
        vector->slots[i] = new_item(i, "in-vector");
    free(vector->slots[2]);
    do
        note = strdup("fifteen letters"); /* the allocator gives freed memory again, if not at once */
    while (note != (char *)vector->slots[2]);
}

static void make_values(void) {
    for (int kind = AN_ITEM; kind <= A_TEXT; kind++)
        values[kind - 1] = new_value(kind);
    values[0]->as.item = new_item(7, "in-value");
    values[1]->as.number = 77;
    memcpy(values[2]->as.text, "letters", 8);
}

static void make(void) {
    make_session("old", 90, 20);
    make_session("young", 2, 3);
#ifdef NEW
    settings = (struct settings){60000, {1000, 2000, 3000}};
#else
    settings = (struct settings){60, {1, 2, 3}};
#endif
    root = new_node(2, new_node(1, NULL, NULL, true), new_node(3, NULL, NULL, false), true);
    box = calloc(1, sizeof *box);
    box->thing = blank(sizeof(struct item));
    memcpy(box->thing, &(struct item){.value = 5, .name = "in-box"}, sizeof(struct item));
    make_vector();
    make_values();
    key = calloc(1, sizeof *key);
    memcpy(key->bytes, &box->thing, sizeof box->thing);
    label = calloc(1, sizeof *label);
    label->words = strdup("words");
    handle = calloc(1, sizeof *handle);
    text = strdup("a text of more than thirty-two letters, whatever they say");
    handle->maybe = (struct node *)(text + 8);
}

static void show_item(FILE *out, const struct item *item) { fprintf(out, "%s=%d ", item->name, item->value); }

static void show_sessions(FILE *out) {
    for (const struct session *session = registry.first; session; session = session->next)
#ifdef NEW
        fprintf(out, "%s=%ldms,%d,%ld,%d ", session->name, session->idle_ms, session->count, session->created.s,
                session->level);
    fprintf(out, "total=%ld", registry.total);
#else
        fprintf(out, "%s=%ds,%d,%d ", session->name, session->idle_s, session->hits, session->made.s);
#endif
}

static void show_tree(FILE *out, const struct node *node) {
    if (!node)
        return;
    uintptr_t left = (uintptr_t)node->left;
    show_tree(out, (const struct node *)(left & ~(uintptr_t)1));
    fprintf(out, "%d%s ", node->key, left & 1 ? "red" : "black");
    show_tree(out, node->right);
}

static void show_vector(FILE *out) {
    for (long i = 0; i < vector->used; i++)
        show_item(out, vector->slots[i]);
    fprintf(out, "%s", note);
}

static void show_values(FILE *out) {
    show_item(out, values[0]->as.item);
    fprintf(out, "%ld %s", values[1]->as.number, values[2]->as.text);
}

static void show_settings(FILE *out) {
#ifdef NEW
    fprintf(out, "%ldms %ld,%ld,%ld", settings.limit_ms, settings.steps_ms[0], settings.steps_ms[1],
            settings.steps_ms[2]);
#else
    fprintf(out, "%ds %d,%d,%d", settings.limit_s, settings.steps[0], settings.steps[1], settings.steps[2]);
#endif
}

static void answer(FILE *out, const char *word, const char *name) {
    (void)name;
    if (strcmp(word, "sessions") == 0)
        show_sessions(out);
    else if (strcmp(word, "tree") == 0)
        show_tree(out, root);
    else if (strcmp(word, "box") == 0)
        show_item(out, box->thing);
    else if (strcmp(word, "vector") == 0)
        show_vector(out);
    else if (strcmp(word, "values") == 0)
        show_values(out);
    else if (strcmp(word, "key") == 0)
        for (int i = 0; i < 16; i++)
            fprintf(out, "%02x", (unsigned char)key->bytes[i]);
    else if (strcmp(word, "handle") == 0)
        fprintf(out, "%d %s", (const char *)handle->maybe == text + 8, text);
    else if (strcmp(word, "label") == 0)
        fprintf(out, "%s", label->words);
    else if (strcmp(word, "make") == 0)
        make();
    else
        show_settings(out);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    serve_lines(atoi(argv[1]));
}
