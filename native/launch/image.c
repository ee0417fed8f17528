/*
 * image.c - N's memory at the exec stop, before its first instruction: mappings, the executable, the auxiliary vector.
 *
 * Source: elf(5), getauxval(3), proc(5).
 */
#define _GNU_SOURCE
#include "launch.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_AUXV = 64, MAX_SEGMENTS = 64 };

static bool read_mappings(const struct tracee *tracee, struct failure *failure, struct image *ret) {
    char path[64], line[4352];
    snprintf(path, sizeof path, "/proc/%d/maps", tracee->pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return fail_errno(failure, path);
    while (fgets(line, sizeof line, maps) && ret->mapping_count < MAX_MAPPINGS) {
        struct mapping *mapping = &ret->mappings[ret->mapping_count];
        mapping->name[0] = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63[^\n]", &mapping->range.start, &mapping->range.end,
                   mapping->name) >= 2)
            ret->mapping_count++;
    }
    fclose(maps);
    return true;
}

/* The vector stands behind argv and the environment on the initial stack (System V ABI, 3.4.1). */
static bool read_auxv(const struct tracee *tracee, const struct plan *plan, struct failure *failure, Elf64_auxv_t *ret,
                      struct image *image) {
    struct user_regs_struct registers;
    uint64_t argc;
    if (!tracee_registers(tracee, &registers) || !tracee_read(tracee, registers.rsp, &argc, sizeof argc))
        return fail_errno(failure, "reading the initial stack");
    image->auxv = registers.rsp + 8 * (1 + argc + 1 + plan->bytes->facts.envc + 1);
    for (uint32_t i = 0; i < MAX_AUXV; i++) {
        if (!tracee_read(tracee, image->auxv + i * sizeof *ret, &ret[i], sizeof *ret))
            return fail_errno(failure, "reading the auxiliary vector");
        image->auxv_size = (i + 1) * sizeof *ret;
        if (ret[i].a_type == AT_NULL)
            return true;
    }
    return fail_finally(failure, FAILURE_TRACE, "the auxiliary vector has no end");
}

static uint64_t auxv_value(const Elf64_auxv_t *auxv, uint64_t type) {
    for (; auxv->a_type != AT_NULL; auxv++)
        if (auxv->a_type == type)
            return auxv->a_un.a_val;
    return 0;
}

/* Whether the open file is the one that the plan names, as N sees the name. */
static bool is_planned(const struct tracee *tracee, const struct plan *plan, int fd) {
    char path[4352];
    struct stat executed, wanted;
    const char *root = plan->executable[0] == '/' ? "root" : "cwd/";
    snprintf(path, sizeof path, "/proc/%d/%s%s", tracee->pid, root, plan->executable);
    return fstat(fd, &executed) == 0 && stat(path, &wanted) == 0 && executed.st_dev == wanted.st_dev &&
           executed.st_ino == wanted.st_ino;
}

/* A script or a binfmt_misc file is executed as another program, of which we know nothing. */
static bool read_header(const struct tracee *tracee, const struct plan *plan, struct failure *failure,
                        Elf64_Ehdr *ret) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", tracee->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(failure, path);
    bool is_usable = is_planned(tracee, plan, fd) && pread(fd, ret, sizeof *ret, 0) == sizeof *ret &&
                     memcmp(ret->e_ident, ELFMAG, SELFMAG) == 0 && ret->e_ident[EI_CLASS] == ELFCLASS64 &&
                     ret->e_machine == EM_X86_64;
    close(fd);
    return is_usable || fail_finally(failure, FAILURE_EXEC, "%s is no x86-64 ELF program", plan->executable);
}

static bool read_segments(const struct tracee *tracee, const Elf64_auxv_t *auxv, struct failure *failure,
                          struct image *ret) {
    uint64_t count = auxv_value(auxv, AT_PHNUM), start = UINT64_MAX, end = 0;
    ret->alignment = PAGE_BYTES;
    for (uint64_t i = 0; i < count && i < MAX_SEGMENTS; i++) {
        Elf64_Phdr segment;
        if (!tracee_read(tracee, ret->at_phdr + i * sizeof segment, &segment, sizeof segment))
            return fail_errno(failure, "reading the program header");
        if (segment.p_type != PT_LOAD)
            continue;
        start = segment.p_vaddr < start ? segment.p_vaddr : start;
        end = segment.p_vaddr + segment.p_memsz > end ? segment.p_vaddr + segment.p_memsz : end;
        ret->alignment = segment.p_align > ret->alignment ? segment.p_align : ret->alignment;
    }
    if (end <= start)
        return fail_finally(failure, FAILURE_EXEC, "the program has no segments");
    ret->range = (struct mcr_launch_range){page_down(ret->bias + start), page_up(ret->bias + end)};
    return true;
}

bool image_read(struct tracee *tracee, const struct plan *plan, struct failure *failure, struct image *ret) {
    Elf64_Ehdr header;
    Elf64_auxv_t auxv[MAX_AUXV];
    *ret = (struct image){.mapping_count = 0};
    if (!read_header(tracee, plan, failure, &header) || !read_mappings(tracee, failure, ret) ||
        !read_auxv(tracee, plan, failure, auxv, ret))
        return false;
    ret->entry = auxv_value(auxv, AT_ENTRY);
    ret->at_phdr = auxv_value(auxv, AT_PHDR);
    ret->at_random = auxv_value(auxv, AT_RANDOM);
    ret->bias = ret->entry - header.e_entry;
    ret->is_movable = header.e_type == ET_DYN;
    ret->has_interpreter = auxv_value(auxv, AT_BASE) != 0;
    if (!read_segments(tracee, auxv, failure, ret))
        return false;
    for (uint32_t i = 0; i < ret->mapping_count; i++)
        ret->mappings[i].is_executable_file = ranges_overlap(ret->mappings[i].range, ret->range);
    return true;
}
