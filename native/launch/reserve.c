/*
 * reserve.c - takes the ranges that N must leave to O's memory and libraries, before anything else of N is mapped.
 */
#define _GNU_SOURCE
#include "launch.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>

enum { PLACES_TRIED = 1000 };
/* Where the kernel puts position-independent programs (ELF_ET_DYN_BASE and its 28 bits of randomness). */
static const uint64_t FIRST_PLACE = 0x555555554000, PLACES = (uint64_t)1 << 28;

static const struct mapping *mapping_in_the_way(const struct plan *plan, const struct image *image,
                                                bool is_executable) {
    for (uint32_t i = 0; i < image->mapping_count; i++)
        for (uint32_t j = 0; j < plan->wanted_count; j++)
            if (image->mappings[i].is_executable_file == is_executable &&
                ranges_overlap(image->mappings[i].range, plan->wanted[j]))
                return &image->mappings[i];
    return NULL;
}

static bool is_free(const struct plan *plan, const struct image *image, struct mcr_launch_range range) {
    for (uint32_t i = 0; i < image->mapping_count; i++)
        if (ranges_overlap(image->mappings[i].range, range))
            return false;
    for (uint32_t i = 0; i < plan->wanted_count; i++)
        if (ranges_overlap(plan->wanted[i], range))
            return false;
    return true;
}

static bool choose_base(const struct plan *plan, const struct image *image, uint64_t *ret) {
    uint64_t size = image->range.end - image->range.start, offset = image->range.start & (image->alignment - 1), random;
    for (int i = 0; i < PLACES_TRIED; i++) {
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return false;
        uint64_t base = FIRST_PLACE + random % PLACES * PAGE_BYTES;
        base = (base & ~(image->alignment - 1)) + offset;
        if (is_free(plan, image, (struct mcr_launch_range){base, base + size})) {
            *ret = base;
            return true;
        }
    }
    return false;
}

static bool make_room(struct tracee *tracee, const struct plan *plan, struct failure *failure, struct image *image) {
    uint64_t base;
    const struct mapping *fixed = mapping_in_the_way(plan, image, false);
    if (fixed)
        return fail(failure, FAILURE_CLASH, "%s of the new process stands at %#lx, where the old one has memory",
                    fixed->name[0] ? fixed->name : "a mapping", fixed->range.start);
    if (!mapping_in_the_way(plan, image, true))
        return true;
    if (!image->is_movable)
        return fail_finally(failure, FAILURE_CLASH,
                            "%s is linked to fixed addresses, which the old process's memory needs; build it as PIE",
                            plan->executable);
    if (!choose_base(plan, image, &base))
        return fail(failure, FAILURE_CLASH, "there is no free place for the program");
    return image_move(tracee, base, failure, image);
}

bool reserve_ranges(struct tracee *tracee, const struct plan *plan, struct failure *failure, struct image *image) {
    if (!make_room(tracee, plan, failure, image))
        return false;
    for (uint32_t i = 0; i < plan->wanted_count; i++) {
        struct mcr_launch_range range = plan->wanted[i];
        const uint64_t args[6] = {range.start,  range.end - range.start,
                                  PROT_NONE,    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                                  (uint64_t)-1, 0};
        int64_t result;
        if (!tracee_syscall(tracee, SYS_mmap, args, failure, &result))
            return false;
        if (result != (int64_t)range.start)
            return fail(failure, FAILURE_CLASH, "[%#lx, %#lx) cannot be reserved in the new process: %s", range.start,
                        range.end, result < 0 ? strerror((int)-result) : "another address was given");
    }
    return true;
}
