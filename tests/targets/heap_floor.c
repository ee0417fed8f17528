/*
 * heap_floor.c PID - the least that any update must do with a process's heap: copy it once, and look once at where every
 * pointer in it leads. What a live update costs is measured against this.
 *
 * Copies the pages that stand behind PID's private writable memory (pagemap, proc(5)), then walks the words of the copy
 * in order; a word that is an address inside the copied memory has a byte in the map of what is reached set, at its 16
 * bytes. Prints "BYTES POINTERS COPY_NS WALK_NS". Exit status 1 with a sentence on stderr if PID cannot be read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { GRAIN_SHIFT = 4, PAGE = 4096, SLICE = 4096 };
#define PRESENT (1ULL << 63)

/* Pages that follow each other and are all present. */
struct run {
    uint64_t start, end;
    unsigned char *copy;
    unsigned char *reached;
};

static struct run *runs;
static size_t run_count, run_room;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "heap_floor: %s %s\n", what, detail);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void add_page(uint64_t address) {
    if (run_count && runs[run_count - 1].end == address) {
        runs[run_count - 1].end += PAGE;
        return;
    }
    if (run_count == run_room) {
        run_room = run_room ? 2 * run_room : 1024;
        runs = realloc(runs, run_room * sizeof(*runs));
        if (!runs)
            fail("no memory for the list of", "pages");
    }
    runs[run_count++] = (struct run){.start = address, .end = address + PAGE};
}

static void add_present(int pagemap, uint64_t start, uint64_t end) {
    uint64_t entries[SLICE];
    for (uint64_t at = start; at < end; at += SLICE * PAGE) {
        uint64_t pages = (end - at) / PAGE < SLICE ? (end - at) / PAGE : SLICE;
        if (pread(pagemap, entries, pages * 8, (off_t)(at / PAGE * 8)) != (ssize_t)(pages * 8))
            fail("cannot read", "pagemap");
        for (uint64_t i = 0; i < pages; i++)
            if (entries[i] & PRESENT)
                add_page(at + i * PAGE);
    }
}

static void find_pages(const char *pid) {
    char path[64], line[512], permissions[8];
    uint64_t start, end;
    snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
    int pagemap = open(path, O_RDONLY | O_CLOEXEC);
    if (pagemap < 0)
        fail("cannot open", path);
    snprintf(path, sizeof(path), "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "r");
    if (!maps)
        fail("cannot open", path);
    while (fgets(line, sizeof(line), maps))
        if (sscanf(line, "%lx-%lx %7s", &start, &end, permissions) == 3 && strcmp(permissions, "rw-p") == 0)
            add_present(pagemap, start, end);
    fclose(maps);
    close(pagemap);
}

/* Memory that is ready to be written: neither the copy nor the walk shall pay for its first page faults. */
static unsigned char *touched(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        fail("no memory for a copy", "");
    return memory;
}

static void make_room(void) {
    size_t size = 0;
    for (size_t i = 0; i < run_count; i++)
        size += runs[i].end - runs[i].start;
    if (!size)
        fail("no writable memory in the", "process");
    unsigned char *copy = touched(size), *reached = touched((size >> GRAIN_SHIFT) + 1);
    for (size_t i = 0; i < run_count; i++) {
        size = runs[i].end - runs[i].start;
        runs[i].copy = copy;
        runs[i].reached = reached;
        copy += size;
        reached += size >> GRAIN_SHIFT;
    }
}

static uint64_t copy_all(pid_t pid) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < run_count; i++) {
        size_t size = runs[i].end - runs[i].start;
        struct iovec here = {runs[i].copy, size}, there = {(void *)runs[i].start, size};
        ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        bytes += got > 0 ? (uint64_t)got : 0;
    }
    return bytes;
}

static struct run *run_of(uint64_t address) {
    size_t low = 0, high = run_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (runs[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < run_count && runs[low].start <= address ? &runs[low] : NULL;
}

static uint64_t walk_all(void) {
    uint64_t pointers = 0, first = runs[0].start, span = runs[run_count - 1].end - first;
    for (size_t i = 0; i < run_count; i++) {
        const uint64_t *words = (const uint64_t *)runs[i].copy;
        size_t count = (runs[i].end - runs[i].start) / sizeof(uint64_t);
        for (size_t at = 0; at < count; at++) {
            struct run *target = words[at] - first < span ? run_of(words[at]) : NULL;
            if (!target)
                continue;
            target->reached[(words[at] - target->start) >> GRAIN_SHIFT] = 1;
            pointers++;
        }
    }
    return pointers;
}

int main(int argc, char **argv) {
    if (argc != 2)
        fail("usage:", "heap_floor PID");
    find_pages(argv[1]);
    make_room();
    uint64_t begun = now_ns();
    uint64_t bytes = copy_all((pid_t)atoi(argv[1]));
    uint64_t copied = now_ns();
    uint64_t pointers = walk_all();
    uint64_t walked = now_ns();
    if (!bytes)
        fail("cannot read the memory of process", argv[1]);
    printf("%lu %lu %lu %lu\n", bytes, pointers, copied - begun, walked - copied);
    return 0;
}
