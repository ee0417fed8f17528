/*
 * control.c - the control block, libmcr's own memory, its tables, its locks and its error state.
 *
 * Tables are filled without locks, because a signal handler may add an entry while the code it interrupted is adding
 * one. A bitmap behind the entries says which are complete; `count` moves over all complete ones, whoever completed
 * them. `reserved` counts the entries handed out.
 */
#include "hooks.h"
#include <link.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include "host_safe.h"

struct mcr_control mcr_control __attribute__((visibility("default"), aligned(64)));

struct mcr_locks mcr_locks;

static uint64_t page_round(uint64_t size) { return (size + 4095) & ~(uint64_t)4095; }

void mcr_lock_take(struct mcr_lock *lock) {
    int seen = 0;
    if (__atomic_compare_exchange_n(&lock->word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
        MCR_SYS(futex, &lock->word, FUTEX_WAIT_PRIVATE, 2, NULL);
}

void mcr_lock_drop(struct mcr_lock *lock) {
    if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) == 2)
        MCR_SYS(futex, &lock->word, FUTEX_WAKE_PRIVATE, 1);
}

/* Joins the range to a neighbour, if it has one. */
static bool extend_range(uint64_t start, uint64_t end) {
    for (uint32_t i = 0; i < mcr_control.private_range_count; i++) {
        uint64_t (*range)[2] = &mcr_control.private_ranges[i];
        if ((*range)[1] != start && (*range)[0] != end)
            continue;
        if ((*range)[1] == start)
            (*range)[1] = end;
        else
            (*range)[0] = start;
        return true;
    }
    return false;
}

void mcr_private_range(uint64_t start, uint64_t end) {
    mcr_lock_take(&mcr_locks.ranges);
    uint32_t count = mcr_control.private_range_count;
    if (extend_range(start, end)) {
        /* counted already */
    } else if (count < sizeof mcr_control.private_ranges / sizeof *mcr_control.private_ranges) {
        mcr_control.private_ranges[count][0] = start;
        mcr_control.private_ranges[count][1] = end;
        mcr_control.private_range_count = count + 1;
    } else {
        MCR_DISABLE(MCR_ERROR_TABLE_FULL, "too many private ranges");
    }
    mcr_lock_drop(&mcr_locks.ranges);
}

void *mcr_map(size_t bytes) {
    bytes = page_round(bytes);
    long address =
        MCR_SYS(mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address < 0 && address >= -4095)
        return NULL;
    mcr_private_range((uint64_t)address, (uint64_t)address + bytes);
    return (void *)address;
}

static int note_own_segment(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    uint64_t here = (uint64_t)&mcr_control, start = UINT64_MAX, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uint64_t from = info->dlpi_addr + segment->p_vaddr;
        if (from < start)
            start = from & ~(uint64_t)4095;
        if (from + segment->p_memsz > end)
            end = page_round(from + segment->p_memsz);
    }
    if (here < start || here >= end)
        return 0;
    mcr_private_range(start, end);
    *(const char **)argument = info->dlpi_name;
    return 1;
}

static const char *own_path = "";

void mcr_control_init(void) {
    mcr_control.version = MCR_ABI_VERSION;
    mcr_control.size = sizeof mcr_control;
    mcr_control.pid = (int32_t)MCR_SYS(getpid);
    mcr_control.channel_fd = -1;
    mcr_control.tracker_fd = -1;
    mcr_control.highest_fd = -1;
    MCR_SYS(getrandom, mcr_control.instance, sizeof mcr_control.instance, 0);
    dl_iterate_phdr(note_own_segment, &own_path);
}

const char *mcr_own_path(void) { return own_path; }

static uint64_t *complete_bits(const struct mcr_table *table) {
    return (uint64_t *)(table->address + page_round(table->capacity * table->entry_size));
}

bool mcr_table_init(struct mcr_table *table, uint32_t entry_size, uint64_t capacity) {
    size_t entries = page_round(capacity * entry_size);
    char *memory = mcr_map(entries + page_round(capacity / 8 + 8));
    if (!memory)
        return false;
    table->address = (uint64_t)memory;
    table->entry_size = entry_size;
    table->capacity = capacity;
    table->count = 0;
    return true;
}

void *mcr_table_add(struct mcr_table *table, uint64_t *index) {
    uint32_t claimed = __atomic_load_n(&table->reserved, __ATOMIC_RELAXED);
    do {
        if (claimed >= table->capacity)
            return NULL;
    } while (!__atomic_compare_exchange_n(&table->reserved, &claimed, claimed + 1, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    *index = claimed;
    return (char *)table->address + (uint64_t)claimed * table->entry_size;
}

void mcr_table_publish(struct mcr_table *table, uint64_t index) {
    uint64_t *bits = complete_bits(table);
    __atomic_fetch_or(&bits[index / 64], 1ull << (index % 64), __ATOMIC_SEQ_CST);
    uint64_t count = __atomic_load_n(&table->count, __ATOMIC_SEQ_CST);
    while (count < table->capacity && __atomic_load_n(&bits[count / 64], __ATOMIC_SEQ_CST) & (1ull << (count % 64))) {
        if (__atomic_compare_exchange_n(&table->count, &count, count + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            count++;
    }
}

/* In the child of a fork, entries that other threads of the parent were filling will never be complete. */
void mcr_table_fork_child(struct mcr_table *table) {
    if (!table->address || table->entry_size <= 1)
        return;
    uint64_t *bits = complete_bits(table);
    for (uint64_t i = table->count; i < table->reserved; i++) {
        bits[i / 64] &= ~(1ull << (i % 64));
        memset((char *)table->address + i * table->entry_size, 0, table->entry_size);
    }
    table->reserved = (uint32_t)table->count;
}

void *mcr_blob_reserve(size_t size, uint64_t *offset) {
    struct mcr_table *blobs = &mcr_control.blobs;
    uint64_t room = (size + 7) & ~(uint64_t)7, start = __atomic_load_n(&blobs->count, __ATOMIC_RELAXED);
    do {
        if (room > blobs->capacity || start > blobs->capacity - room)
            return NULL;
    } while (
        !__atomic_compare_exchange_n(&blobs->count, &start, start + room, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    *offset = start;
    return (char *)blobs->address + start;
}

uint64_t mcr_blob_add(const void *bytes, size_t size) {
    uint64_t offset;
    void *place = mcr_blob_reserve(size, &offset);
    if (!place)
        return UINT64_MAX;
    memcpy(place, bytes, size);
    return offset;
}

void mcr_disable(enum mcr_error error, const char *text, int line) {
    uint32_t none = MCR_OK;
    if (!__atomic_compare_exchange_n(&mcr_control.error, &none, (uint32_t)error, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return;
    mcr_control.error_line = (uint32_t)line;
    for (size_t i = 0; i + 1 < sizeof mcr_control.error_text && text[i]; i++)
        mcr_control.error_text[i] = text[i];
    mcr_control.state = MCR_STATE_DISABLED;
    if (mcr_unreleased)
        mcr_channel_send(MCR_CMD_HELD, -EPROTO);
}

uint64_t mcr_now_ns(void) {
    struct timespec now;
    mcr_real.clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}
