/*
 * snapshot.c - the base of the merge: what the program's memory was at the end of its start-up.
 *
 * Copied are writable data of the program and its libraries, the thread-locals of the program, and the used pages of
 * the heap. Pages that were never touched are left out, since they read as zero: a pool of 64 MB that start-up only
 * allocated costs nothing. Other threads run meanwhile; a word that is torn differs from what stands there later, and
 * so can only read as changed. The kernel copies, so that a page unmapped meanwhile is an error and no fault.
 */
#include "hooks.h"
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include "host_safe.h"

enum { REGIONS = 1 << 16, BATCH = 512 /* pages */ };

static const uint64_t page = 4096;

struct copy {
    struct mcr_table *table; /* struct mcr_region[] */
    int memory, pagemap;
    uint64_t size; /* of the copy so far */
    int64_t error;
    uint64_t mapped; /* where it is to be read when it is sealed */
};

/* Bytes of memory are appended; what can no longer be read is left out. */
static void append(struct copy *copy, uint64_t from, uint64_t to) {
    struct mcr_table *table = copy->table;
    struct mcr_region *regions = (struct mcr_region *)table->address;
    long written = from < to ? MCR_SYS(pwrite64, copy->memory, from, to - from, copy->size) : -EFAULT;
    if (written == -EFAULT)
        return;
    if (written < 0 || table->reserved == table->capacity) {
        copy->error = written < 0 ? written : -ENOSPC;
        return;
    }
    struct mcr_region *last = table->reserved ? &regions[table->reserved - 1] : NULL;
    if (last && last->address + last->size == from && last->offset + last->size == copy->size)
        last->size += (uint64_t)written;
    else
        regions[table->reserved++] = (struct mcr_region){from, (uint64_t)written, copy->size};
    copy->size += (uint64_t)written;
    if ((uint64_t)written < to - from)
        append(copy, from + (uint64_t)written, to);
}

/* Which of `count` pages are there, one byte each. Without /proc, mincore() tells of pages that are not swapped out. */
static void find_present(const struct copy *copy, uint64_t from, uint64_t count, unsigned char *ret) {
    uint64_t entries[BATCH];
    long size = (long)(count * sizeof *entries);
    if (copy->pagemap >= 0 && MCR_SYS(pread64, copy->pagemap, entries, size, from / page * sizeof *entries) == size) {
        for (uint64_t i = 0; i < count; i++)
            ret[i] = entries[i] >> 62 != 0; /* present or swapped: Documentation/admin-guide/mm/pagemap.rst */
    } else if (MCR_SYS(mincore, from, count * page, ret) < 0) {
        memset(ret, 1, count);
    }
}

static void append_present(struct copy *copy, uint64_t from, uint64_t to) {
    unsigned char present[BATCH];
    for (uint64_t count; from < to && !copy->error; from += count * page) {
        count = (to - from) / page < BATCH ? (to - from) / page : BATCH;
        find_present(copy, from, count, present);
        for (uint64_t i = 0, first; i < count; i++) {
            for (first = i; i < count && present[i] & 1; i++)
                ;
            append(copy, from + first * page, from + i * page);
        }
    }
}

/* A writable segment: first what comes from the file, then anonymous pages. */
static void append_segment(struct copy *copy, const struct dl_phdr_info *info, const ElfW(Phdr) * segment) {
    uint64_t from = info->dlpi_addr + segment->p_vaddr;
    uint64_t file_end = (from + segment->p_filesz + page - 1) & -page;
    uint64_t end = (from + segment->p_memsz + page - 1) & -page;
    from &= -page;
    for (int i = 0; i < info->dlpi_phnum; i++) { /* read-only since the dynamic linker has relocated it */
        const ElfW(Phdr) *other = &info->dlpi_phdr[i];
        uint64_t start = (info->dlpi_addr + other->p_vaddr) & -page;
        if (other->p_type == PT_GNU_RELRO && start <= from && from < start + other->p_memsz)
            from = (info->dlpi_addr + other->p_vaddr + other->p_memsz) & -page;
    }
    if (segment->p_filesz)
        append(copy, from, file_end);
    append_present(copy, segment->p_filesz && from < file_end ? file_end : from, end);
}

/* The program's own thread-locals end at each thread's handle (x86-64 ELF TLS, variant II). */
static void append_thread_locals(struct copy *copy, const ElfW(Phdr) * segment) {
    const struct mcr_thread *threads = (const struct mcr_thread *)mcr_control.threads.address;
    uint64_t align = segment->p_align > 1 ? segment->p_align : 1;
    uint64_t size = (segment->p_memsz + align - 1) / align * align;
    for (uint64_t i = 0; i < mcr_control.threads.count; i++)
        if (threads[i].handle && !threads[i].exited)
            append(copy, (threads[i].handle - size) & -(uint64_t)8, threads[i].handle);
}

static int append_module(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t from = info->dlpi_addr + segment->p_vaddr, own = (uint64_t)&mcr_control;
        if (segment->p_type == PT_TLS && !info->dlpi_name[0])
            append_thread_locals(argument, segment);
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_W && !(own >= from && own < from + segment->p_memsz))
            append_segment(argument, info, segment);
    }
    return 0;
}

/* Regions come nearly in order. */
static void sort_regions(const struct mcr_table *table) {
    struct mcr_region *regions = (struct mcr_region *)table->address;
    for (uint64_t i = 1; i < table->reserved; i++) {
        struct mcr_region region = regions[i];
        uint64_t at = i;
        for (; at && regions[at - 1].address > region.address; at--)
            regions[at] = regions[at - 1];
        regions[at] = region;
    }
}

static int64_t seal(struct copy *copy) {
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    long status = MCR_SYS(fcntl, copy->memory, F_ADD_SEALS, seals);
    if (status < 0 || !copy->size)
        return status;
    long mapped = MCR_SYS(mmap, NULL, copy->size, PROT_READ, MAP_SHARED, copy->memory, 0);
    if (mapped < 0 && mapped >= -4095)
        return mapped;
    sort_regions(copy->table);
    copy->mapped = (uint64_t)mapped;
    return 0;
}

/* `log`: the allocation log goes into it as well. */
static struct copy take(struct mcr_table *table, bool log) {
    struct copy copy = {.table = table, .error = -ENOMEM};
    if (!table->address && !mcr_table_init(table, sizeof(struct mcr_region), REGIONS))
        return copy;
    table->reserved = 0;
    copy = (struct copy){
        .table = table,
        .memory = (int)MCR_SYS(memfd_create, "mcr-base", MFD_CLOEXEC | MFD_ALLOW_SEALING),
        .pagemap = (int)MCR_SYS(open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC),
    };
    copy.error = copy.memory < 0 ? copy.memory : 0;
    for (int i = 0; i < MCR_BANKS && !copy.error; i++)
        append_present(&copy, mcr_control.banks[i].start,
                       mcr_control.banks[i].start + mcr_control.banks[i].used_pages * page);
    mcr_self.busy++;
    if (!copy.error)
        dl_iterate_phdr(append_module, &copy);
    mcr_self.busy--;
    const struct mcr_table *allocations = &mcr_control.allocations;
    if (log && !copy.error)
        append(&copy, allocations->address, allocations->address + allocations->count * allocations->entry_size);
    if (!copy.error)
        copy.error = seal(&copy);
    if (copy.pagemap >= 0)
        MCR_SYS(close, copy.pagemap);
    if (copy.memory >= 0)
        MCR_SYS(close, copy.memory);
    return copy;
}

int mcr_snapshot_take(void) {
    if (mcr_control.snapshot_address)
        return -EALREADY;
    struct copy copy = take(&mcr_control.snapshot, false);
    if (copy.error)
        return (int)copy.error;
    mcr_private_range(copy.mapped, (copy.mapped + copy.size + page - 1) & -page);
    mcr_control.snapshot_address = copy.mapped;
    mcr_control.snapshot_size = copy.size;
    __atomic_store_n(&mcr_control.snapshot.count, mcr_control.snapshot.reserved, __ATOMIC_RELEASE);
    return 0;
}

/* The controller does not read it before start-up has ended. Threads that open files at the same time take turns. */
uint64_t mcr_snapshot_take_early(void) {
    static uint64_t taken;
    mcr_lock_take(&mcr_locks.early);
    uint64_t number = taken + 1;
    struct mcr_early *early = &mcr_control.early[number % MCR_EARLY];
    if (early->number)
        MCR_SYS(munmap, early->address, early->size);
    *early = (struct mcr_early){.allocations = mcr_control.allocations.count, .regions = early->regions};
    struct copy copy = take(&early->regions, true);
    if (!copy.error) {
        early->regions.count = early->regions.reserved;
        early->address = copy.mapped, early->size = copy.size;
        early->number = taken = number;
    }
    mcr_lock_drop(&mcr_locks.early);
    return early->number;
}
