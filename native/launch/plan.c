/*
 * plan.c - reads and checks the launch plan, and the files that it names.
 */
#include "launch.h"
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const void *part(const struct mcr_launch_plan *bytes, uint64_t offset) { return (const char *)bytes + offset; }

static bool part_fits(const struct mcr_launch_plan *bytes, uint64_t offset, uint64_t count, uint64_t entry_size) {
    return offset <= bytes->size && offset % 8 == 0 && count <= (bytes->size - offset) / entry_size;
}

/* The string at `offset`, NULL if it does not end inside the plan. */
static const char *string_at(const struct mcr_launch_plan *bytes, uint64_t offset) {
    if (offset >= bytes->size || !memchr(part(bytes, offset), 0, bytes->size - offset))
        return NULL;
    return part(bytes, offset);
}

static bool is_sound(const struct mcr_launch_plan *bytes, uint64_t size) {
    const struct mcr_launch_facts *facts = &bytes->facts;
    return bytes->magic == MCR_LAUNCH_PLAN_MAGIC && bytes->version == MCR_ABI_VERSION && bytes->size == size &&
           bytes->tries && string_at(bytes, bytes->executable) &&
           part_fits(bytes, bytes->libraries, bytes->library_count, sizeof(struct mcr_launch_library)) &&
           part_fits(bytes, bytes->reserved, bytes->reserved_count, sizeof(struct mcr_launch_range)) &&
           facts->strings <= bytes->size && facts->strings_size <= bytes->size - facts->strings &&
           (uint64_t)facts->argc + facts->envc <= facts->strings_size && facts->argc > 0 &&
           facts->ngroups <= sizeof facts->groups / sizeof *facts->groups && memchr(facts->cwd, 0, sizeof facts->cwd) &&
           memchr(facts->root, 0, sizeof facts->root);
}

/* `count` strings from *at on as a NULL-terminated vector; NULL if there are fewer. */
static char **string_vector(const char **at, const char *end, uint32_t count) {
    char **vector = calloc(count + 1ul, sizeof *vector);
    for (uint32_t i = 0; vector && i < count; i++) {
        const char *zero = memchr(*at, 0, (size_t)(end - *at));
        if (!zero)
            return NULL;
        vector[i] = (char *)*at;
        *at = zero + 1;
    }
    return vector;
}

static int compare_ranges(const void *left, const void *right) {
    const struct mcr_launch_range *a = left, *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

/* Whole pages, sorted, joined where they overlap. */
static void normalize(struct plan *plan) {
    uint32_t count = 0;
    qsort(plan->wanted, plan->wanted_count, sizeof *plan->wanted, compare_ranges);
    for (uint32_t i = 0; i < plan->wanted_count; i++) {
        struct mcr_launch_range range = {page_down(plan->wanted[i].start), page_up(plan->wanted[i].end)};
        if (count && range.start < plan->wanted[count - 1].end) {
            if (range.end > plan->wanted[count - 1].end)
                plan->wanted[count - 1].end = range.end;
        } else {
            plan->wanted[count++] = range;
        }
    }
    plan->wanted_count = count;
}

/* Bytes from the first to the last of its segments, whole pages; 0 = not an ELF file that ld.so could map. */
static uint64_t image_size(int fd) {
    Elf64_Ehdr header;
    uint64_t start = UINT64_MAX, end = 0;
    if (pread(fd, &header, sizeof header, 0) != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64)
        return 0;
    for (uint32_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        if (pread(fd, &segment, sizeof segment, (off_t)(header.e_phoff + i * sizeof segment)) != sizeof segment)
            return 0;
        if (segment.p_type != PT_LOAD)
            continue;
        start = segment.p_vaddr < start ? segment.p_vaddr : start;
        end = segment.p_vaddr + segment.p_memsz > end ? segment.p_vaddr + segment.p_memsz : end;
    }
    return end > start ? page_up(end) - page_down(start) : 0;
}

/* A file that is no library gets no room: if N needs it, ld.so will say what is wrong. */
static bool read_library(const struct plan *plan, const struct mcr_launch_library *entry, struct failure *failure,
                         struct library *ret) {
    struct stat status;
    ret->path = string_at(plan->bytes, entry->path);
    if (!ret->path || !entry->base || entry->base % PAGE_BYTES)
        return fail_finally(failure, FAILURE_PLAN, "the launch plan has a library without path or base");
    int fd = open(ret->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0) {
        ret->range = (struct mcr_launch_range){entry->base, entry->base + image_size(fd)};
        ret->device = status.st_dev;
        ret->inode = status.st_ino;
    }
    if (fd >= 0)
        close(fd);
    return true;
}

static bool read_ranges(struct plan *plan, struct failure *failure) {
    const struct mcr_launch_plan *bytes = plan->bytes;
    const struct mcr_launch_library *libraries = part(bytes, bytes->libraries);
    const struct mcr_launch_range *reserved = part(bytes, bytes->reserved);
    plan->library_count = (uint32_t)bytes->library_count;
    plan->libraries = calloc(bytes->library_count + 1, sizeof *plan->libraries);
    plan->wanted = calloc(bytes->library_count + bytes->reserved_count + 1, sizeof *plan->wanted);
    if (!plan->libraries || !plan->wanted)
        return fail_errno(failure, "calloc");
    for (uint32_t i = 0; i < plan->library_count; i++) {
        if (!read_library(plan, &libraries[i], failure, &plan->libraries[i]))
            return false;
        if (plan->libraries[i].range.end > plan->libraries[i].range.start)
            plan->wanted[plan->wanted_count++] = plan->libraries[i].range;
    }
    for (uint64_t i = 0; i < bytes->reserved_count; i++) {
        if (reserved[i].start >= reserved[i].end)
            return fail_finally(failure, FAILURE_PLAN, "the launch plan reserves an empty range");
        plan->wanted[plan->wanted_count++] = reserved[i];
    }
    normalize(plan);
    return true;
}

bool plan_open(int fd, struct failure *failure, struct plan *ret) {
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail_errno(failure, "fstat of the launch plan");
    size_t size = (size_t)status.st_size;
    if (size < sizeof *ret->bytes)
        return fail_finally(failure, FAILURE_PLAN, "the launch plan is too short");
    const struct mcr_launch_plan *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return fail_errno(failure, "mmap of the launch plan");
    if (!is_sound(bytes, size))
        return fail_finally(failure, FAILURE_PLAN, "the launch plan is damaged or of another version of gdb_mcr");
    *ret = (struct plan){.bytes = bytes, .executable = string_at(bytes, bytes->executable)};
    const char *strings = part(bytes, bytes->facts.strings), *end = strings + bytes->facts.strings_size;
    ret->argv = string_vector(&strings, end, bytes->facts.argc);
    ret->envp = ret->argv ? string_vector(&strings, end, bytes->facts.envc) : NULL;
    if (!ret->envp)
        return fail_finally(failure, FAILURE_PLAN, "the launch plan's strings are damaged");
    return read_ranges(ret, failure);
}

struct library *plan_library(const struct plan *plan, dev_t device, ino_t inode) {
    for (uint32_t i = 0; i < plan->library_count; i++) {
        struct library *library = &plan->libraries[i];
        if (library->inode == inode && library->device == device && library->range.end && !library->mapped)
            return library;
    }
    return NULL;
}
