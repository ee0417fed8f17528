/* Types and variables that are hard to read right. Compared with what GDB says of them, never run. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum color { RED, GREEN = 7, BLUE = -3 };
typedef enum { SMALL = 1, LARGE = 1u << 30 } extent;

struct bits {
    unsigned first : 3;
    unsigned : 5;
    signed second : 12;
    uint64_t wide : 33;
    unsigned char tiny : 1, other : 7;
    _Bool flag : 1;
    short after;
};

struct __attribute__((packed)) squeezed {
    char c;
    long l;
    unsigned across : 20;
    unsigned more : 20;
};

typedef struct {
    int x, y;
} point;

typedef struct node node;
struct node {
    node *next;
    union {
        long number;
        char *text;
        point where;
    };
    struct {
        int deep;
        union {
            float f;
            struct {
                short a, b;
            } pair;
        } inner;
    } named;
    int (*compare)(const node *, const node *);
    const volatile char *const words[2][3];
    enum color color;
    extent extent;
    struct unknown *opaque;
    long double precise __attribute__((aligned(32)));
    char tail[];
};

struct zero {
    int count;
    point none[0];
};

union any {
    struct bits bits;
    char raw[24];
    double d;
};

struct node list;
struct zero zero;
struct squeezed squeezed[3];
union any anything;
static int counter = 1;
__thread int per_thread = 4;
static __thread long hidden_per_thread;
const char *const names[] = {"a", "b"};
static const int table[4] = {1, 2, 3, 4};
int matrix[2][3][4];
extern int declared_only;
int (*hook)(int);

static int by_first(const node *a, const node *b) {
    static int calls;
    calls++;
    {
        static int calls = 5;
        calls += 2;
        hidden_per_thread += calls;
    }
    return a->named.deep - b->named.deep + calls;
}

static int by_second(const node *a, const node *b) {
    static int calls;
    return a->named.deep - b->named.deep + ++calls;
}

int main(int argc, char **argv) {
    list.compare = argc > 1 ? by_first : by_second;
    counter += list.compare(&list, (node *)argv[0]) + per_thread + table[argc & 3];
    return names[argc & 1][0] + matrix[1][2][3] + anything.raw[0] + zero.count + (int)squeezed[1].l + counter;
}
