/*
 * heap_stress.c - checks an allocator by using it: each chunk carries a pattern of its own that nobody else may touch.
 *
 * usage: heap_stress THREADS ROUNDS [hold]
 * Threads allocate, resize and free chunks of all kinds, hand some to one another, and fork. Prints "ok" and ends with
 * 0, or says what is wrong and ends with 1. With `hold` it first prints a line "ADDRESS SIZE" for each chunk that it
 * has, an empty line, and waits for ever.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELD = 512, SHARED = 256, FORKS = 4 };

struct chunk {
    unsigned char *bytes;
    size_t size;
    unsigned char seed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct chunk shared[SHARED];
static long rounds;

static void fail(const char *what, size_t size) {
    fprintf(stderr, "heap_stress: %s (size %zu)\n", what, size);
    _exit(1);
}

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static size_t pick_size(uint64_t *state) {
    uint64_t choice = next(state) % 100, value = next(state);
    if (choice < 60)
        return value % 200;
    if (choice < 85)
        return value % 4000;
    return choice < 97 ? value % 40000 : value % 1500000;
}

static unsigned char byte_at(const struct chunk *chunk, size_t i) { return (unsigned char)(chunk->seed + i * 7); }

static void fill(struct chunk *chunk, size_t from) {
    for (size_t i = from; i < chunk->size; i++)
        chunk->bytes[i] = byte_at(chunk, i);
}

static void check(const struct chunk *chunk, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (chunk->bytes[i] != byte_at(chunk, i))
            fail("a byte changed", chunk->size);
    if (malloc_usable_size(chunk->bytes) < chunk->size)
        fail("malloc_usable_size is too small", chunk->size);
}

static void *aligned_chunk(size_t alignment, size_t size) {
    void *bytes = NULL;
    int error = alignment >= sizeof(void *) ? posix_memalign(&bytes, alignment, size) : EINVAL;
    if (error)
        bytes = memalign(alignment, size);
    if ((uintptr_t)bytes % alignment)
        fail("not aligned", size);
    return bytes;
}

static void *zeroed_chunk(size_t size) {
    unsigned char *bytes = calloc(1, size);
    for (size_t i = 0; bytes && i < size; i++)
        if (bytes[i])
            fail("calloc gave other bytes than zero", size);
    return bytes;
}

static void make(struct chunk *chunk, uint64_t *state) {
    uint64_t how = next(state) % 8;
    chunk->size = pick_size(state);
    chunk->seed = (unsigned char)next(state);
    if (how == 0)
        chunk->bytes = aligned_chunk((size_t)1 << next(state) % 17, chunk->size);
    else if (how < 3)
        chunk->bytes = zeroed_chunk(chunk->size);
    else
        chunk->bytes = malloc(chunk->size);
    if (!chunk->bytes || (uintptr_t)chunk->bytes % 16)
        fail("no chunk, or one that is not aligned", chunk->size);
    fill(chunk, 0);
}

static void resize(struct chunk *chunk, uint64_t *state) {
    size_t size = pick_size(state) + 1, kept = size < chunk->size ? size : chunk->size;
    unsigned char *bytes = realloc(chunk->bytes, size);
    if (!bytes)
        fail("realloc failed", size);
    chunk->bytes = bytes;
    chunk->size = size;
    check(chunk, kept);
    fill(chunk, kept);
}

static void drop(struct chunk *chunk) {
    check(chunk, chunk->size);
    free(chunk->bytes);
    chunk->bytes = NULL;
}

/* Chunks change hands, so that threads free what others allocated. */
static void exchange(struct chunk *chunk, uint64_t *state) {
    struct chunk *place = &shared[next(state) % SHARED];
    pthread_mutex_lock(&lock);
    struct chunk other = *place;
    *place = *chunk;
    *chunk = other;
    pthread_mutex_unlock(&lock);
}

static void work(struct chunk *held, uint64_t *state, long count) {
    for (long i = 0; i < count; i++) {
        struct chunk *chunk = &held[next(state) % HELD];
        uint64_t what = next(state) % 4;
        if (!chunk->bytes)
            make(chunk, state);
        else if (what == 0)
            resize(chunk, state);
        else if (what == 1)
            exchange(chunk, state);
        else
            drop(chunk);
    }
}

static void fork_once(struct chunk *held, uint64_t *state) {
    int status;
    pthread_mutex_lock(&lock);
    pid_t child = fork();
    pthread_mutex_unlock(&lock);
    if (child == 0) {
        work(held, state, 2000);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        fail("a child failed", 0);
}

static void *run(void *argument) {
    struct chunk *held = calloc(HELD, sizeof *held);
    uint64_t state = 0x9e3779b97f4a7c15ull * ((uint64_t)argument + 1);
    for (int i = 0; i < FORKS; i++) {
        work(held, &state, rounds / FORKS);
        if (argument == NULL)
            fork_once(held, &state);
    }
    for (int i = 0; i < HELD; i++)
        if (held[i].bytes)
            drop(&held[i]);
    free(held);
    return NULL;
}

static void check_results(void) {
    void *chunk = NULL;
    errno = 0;
    volatile size_t huge = SIZE_MAX - 100, half = SIZE_MAX / 2;
    if (malloc(huge) || errno != ENOMEM)
        fail("malloc of too much", huge);
    errno = 0;
    if (calloc(half, 3) || errno != ENOMEM)
        fail("calloc overflow", half);
    errno = 0;
    if (reallocarray(NULL, half, 3) || errno != ENOMEM)
        fail("reallocarray overflow", half);
    if (posix_memalign(&chunk, 24, 8) != EINVAL || posix_memalign(&chunk, 4, 8) != EINVAL)
        fail("posix_memalign took a wrong alignment", 24);
    errno = 77;
    free(malloc(100000));
    free(NULL);
    if (errno != 77)
        fail("free changed errno", 0);
    chunk = malloc(0);
    if (!chunk || realloc(chunk, 0))
        fail("size 0", 0);
    if ((uintptr_t)(chunk = valloc(5)) % 4096)
        fail("valloc", 5);
    free(chunk);
}

static void show(void) {
    for (int i = 0; i < SHARED; i++)
        if (shared[i].bytes)
            printf("%lu %zu\n", (unsigned long)shared[i].bytes, shared[i].size);
    printf("\n");
    fflush(stdout);
    for (;;)
        poll(NULL, 0, -1);
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 4;
    pthread_t ids[64];
    rounds = argc > 2 ? atol(argv[2]) : 20000;
    check_results();
    for (long i = 0; i < threads && i < 64; i++)
        if (pthread_create(&ids[i], NULL, run, (void *)i))
            fail("pthread_create", 0);
    for (long i = 0; i < threads && i < 64; i++)
        pthread_join(ids[i], NULL);
    if (argc > 3)
        show();
    for (int i = 0; i < SHARED; i++)
        if (shared[i].bytes)
            drop(&shared[i]);
    puts("ok");
    return 0;
}
