/*
 * move.c - moves the executable at the exec stop.
 *
 * All that knows its place by then is the auxiliary vector, from which ld.so takes it, and the kernel, which tells
 * debuggers. Relocation comes later.
 * Source: mremap(2); prctl(2) PR_SET_MM_MAP, which needs no capability; proc(5), /proc/PID/stat.
 */
#define _GNU_SOURCE
#include "launch.h"
#include <elf.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { SCRATCH_BYTES = 2048 }; /* below the initial stack pointer, where nothing is yet */

static bool move_mapping(struct tracee *tracee, uint64_t delta, struct failure *failure, struct mapping *mapping) {
    uint64_t size = mapping->range.end - mapping->range.start;
    const uint64_t args[6] = {mapping->range.start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
                              mapping->range.start + delta};
    int64_t moved;
    if (!tracee_syscall(tracee, SYS_mremap, args, failure, &moved))
        return false;
    if (moved != (int64_t)args[4])
        return fail(failure, FAILURE_CLASH, "the program cannot be moved to %#lx: %s", args[4], strerror((int)-moved));
    mapping->range.start += delta;
    mapping->range.end += delta;
    return true;
}

static bool patch_auxv(const struct tracee *tracee, const struct image *image, struct failure *failure) {
    for (uint64_t at = image->auxv; at < image->auxv + image->auxv_size; at += sizeof(Elf64_auxv_t)) {
        Elf64_auxv_t entry;
        if (!tracee_read(tracee, at, &entry, sizeof entry))
            return fail_errno(failure, "reading the auxiliary vector");
        if (entry.a_type != AT_PHDR && entry.a_type != AT_ENTRY)
            continue;
        entry.a_un.a_val = entry.a_type == AT_PHDR ? image->at_phdr : image->entry;
        if (!tracee_write(tracee, at, &entry, sizeof entry))
            return fail_errno(failure, "writing the auxiliary vector");
    }
    return true;
}

/* The addresses that the kernel remembers; the fields of stat from the third on stand behind the name's parenthesis. */
static bool read_kernel_map(const struct tracee *tracee, struct prctl_mm_map *ret) {
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/stat", tracee->pid);
    FILE *stat = fopen(path, "re");
    size_t size = stat ? fread(text, 1, sizeof text - 1, stat) : 0;
    if (stat)
        fclose(stat);
    text[size] = 0;
    const char *rest = strrchr(text, ')');
    return rest && sscanf(rest + 1,
                          " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                          " %llu %llu %llu %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                          " %llu %llu %llu %llu %llu %llu %llu",
                          &ret->start_code, &ret->end_code, &ret->start_stack, &ret->start_data, &ret->end_data,
                          &ret->start_brk, &ret->arg_start, &ret->arg_end, &ret->env_start, &ret->env_end) == 10;
}

/* GDB finds a position-independent program by the kernel's AT_ENTRY. If the kernel refuses, only GDB is the worse. */
static bool tell_kernel(struct tracee *tracee, const struct image *image, uint64_t delta, struct failure *failure) {
    struct prctl_mm_map map = {.exe_fd = (unsigned)-1};
    struct user_regs_struct registers;
    if (!tracee_registers(tracee, &registers) || !read_kernel_map(tracee, &map))
        return fail_errno(failure, "reading the new process's addresses");
    map.start_code += delta, map.end_code += delta;
    map.start_data += delta, map.end_data += delta;
    map.start_brk += delta, map.brk = map.start_brk;
    map.auxv = (void *)image->auxv;
    map.auxv_size = (unsigned)image->auxv_size;
    uint64_t scratch = (registers.rsp - SCRATCH_BYTES) & ~(uint64_t)15;
    if (!tracee_write(tracee, scratch, &map, sizeof map))
        return fail_errno(failure, "writing below the initial stack");
    const uint64_t args[6] = {PR_SET_MM, PR_SET_MM_MAP, scratch, sizeof map};
    int64_t ignored;
    return tracee_syscall(tracee, SYS_prctl, args, failure, &ignored);
}

bool image_move(struct tracee *tracee, uint64_t base, struct failure *failure, struct image *image) {
    uint64_t delta = base - image->range.start;
    for (uint32_t i = 0; i < image->mapping_count; i++)
        if (image->mappings[i].is_executable_file && !move_mapping(tracee, delta, failure, &image->mappings[i]))
            return false;
    image->range.start += delta;
    image->range.end += delta;
    image->bias += delta;
    image->entry += delta;
    image->at_phdr += delta;
    return patch_auxv(tracee, image, failure) && tell_kernel(tracee, image, delta, failure);
}
