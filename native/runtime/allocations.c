/*
 * allocations.c - the log of start-up allocations, and the plan that says where N puts its own.
 *
 * An entry stays with its chunk as realloc moves it, also after start-up. To find the entry of a chunk there is a hash
 * table of the entries whose chunks live; entries are compared by the log's own `addr`.
 */
#include "heap.h"
#include <string.h>
#include <sys/mman.h>
#include "host_safe.h"

enum { CAPACITY = 1 << 20, TABLE_FIRST = 4096 };

struct counter {
    uint64_t key; /* thread and call stack; 0 = free */
    uint64_t next_nth;
};

static uint32_t *places; /* seq + 1, 0 = free; at most half in use */
static uint64_t place_mask, places_used;
static struct counter *counters;
static uint64_t counter_mask, counters_used;
static bool ended;

static struct mcr_allocation *entry_at(uint64_t seq) {
    return (struct mcr_allocation *)mcr_control.allocations.address + seq;
}

/* A table that was outgrown: its whole pages go to the kernel. */
static void discard(void *memory, uint64_t bytes) {
    uint64_t start = ((uint64_t)memory + MCR_PAGE - 1) & -(uint64_t)MCR_PAGE;
    uint64_t end = ((uint64_t)memory + bytes) & -(uint64_t)MCR_PAGE;
    if (start < end)
        MCR_SYS(madvise, start, end - start, MADV_DONTNEED);
}

/* ---- chunk -> entry; the caller holds `log` ---- */
static uint64_t place_of(uint64_t address) { return (address >> 4) * 0x9e3779b97f4a7c15ull >> 20 & place_mask; }

static uint64_t place_find(uint64_t address) {
    uint64_t i = place_of(address);
    while (places[i] && entry_at(places[i] - 1)->addr != address)
        i = (i + 1) & place_mask;
    return i;
}

static bool places_grow(void) {
    uint32_t *old = places;
    uint64_t count = place_mask + 1;
    uint32_t *grown = mcr_heap_own(2 * count * sizeof *grown);
    if (!grown)
        return false;
    places = grown;
    place_mask = 2 * count - 1;
    for (uint64_t i = 0; i < count; i++)
        if (old[i])
            places[place_find(entry_at(old[i] - 1)->addr)] = old[i];
    discard(old, count * sizeof *old);
    return true;
}

static void place_add(uint64_t seq) {
    if (places_used * 2 > place_mask && !places_grow())
        return; /* the entry will not follow its chunk */
    places[place_find(entry_at(seq)->addr)] = (uint32_t)seq + 1;
    places_used++;
}

/* Entries behind the hole move up so that none is cut off from its place. */
static struct mcr_allocation *place_remove(uint64_t address) {
    uint64_t hole = place_find(address);
    if (!places[hole])
        return NULL;
    struct mcr_allocation *entry = entry_at(places[hole] - 1);
    for (uint64_t i = (hole + 1) & place_mask; places[i]; i = (i + 1) & place_mask) {
        uint64_t home = place_of(entry_at(places[i] - 1)->addr);
        if (((i - home) & place_mask) < ((i - hole) & place_mask))
            continue;
        places[hole] = places[i];
        hole = i;
    }
    places[hole] = 0;
    places_used--;
    return entry;
}

/* ---- how many allocations a thread has made under a call stack; the caller holds `log` ---- */
static struct counter *counter_find(uint64_t key) {
    uint64_t i = key >> 20 & counter_mask;
    while (counters[i].key && counters[i].key != key)
        i = (i + 1) & counter_mask;
    return &counters[i];
}

static void counters_grow(void) {
    struct counter *old = counters;
    uint64_t count = counter_mask + 1;
    struct counter *grown = mcr_heap_own(2 * count * sizeof *grown);
    if (!grown)
        return;
    counters = grown;
    counter_mask = 2 * count - 1;
    for (uint64_t i = 0; i < count; i++)
        if (old[i].key)
            *counter_find(old[i].key) = old[i];
    discard(old, count * sizeof *old);
}

static uint32_t count(uint64_t thread_key, uint64_t stack_id) {
    uint64_t key = mcr_stack_fold(thread_key, stack_id) | 1;
    if (counters_used * 2 > counter_mask)
        counters_grow();
    if (counters_used + 1 > counter_mask)
        return UINT32_MAX;
    struct counter *counter = counter_find(key);
    if (!counter->key) {
        counter->key = key;
        counters_used++;
    }
    return (uint32_t)counter->next_nth++;
}

/* ---- the plan ---- */
static int compare(const struct mcr_plan_entry *entry, uint64_t thread_key, uint64_t stack_id, uint32_t nth) {
    if (entry->thread_key != thread_key)
        return entry->thread_key < thread_key ? -1 : 1;
    if (entry->stack_id != stack_id)
        return entry->stack_id < stack_id ? -1 : 1;
    return entry->nth < nth ? -1 : entry->nth > nth;
}

static const struct mcr_plan_entry *find_plan(uint64_t thread_key, uint64_t stack_id, uint32_t nth) {
    const struct mcr_plan_entry *plan = mcr_settings_part(mcr_settings->plan);
    uint64_t low = 0, high = mcr_settings->plan_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = compare(&plan[middle], thread_key, stack_id, nth);
        if (order == 0)
            return &plan[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void mcr_allocation_plan(struct mcr_frame frame, uint64_t size, struct mcr_placement *ret) {
    uint64_t thread_key = mcr_thread_self_key();
    *ret = (struct mcr_placement){.plan = -1, .stack_id = mcr_stack_here(frame)};
    mcr_lock_take(&mcr_heap_locks.log);
    ret->nth = count(thread_key, ret->stack_id);
    mcr_lock_drop(&mcr_heap_locks.log);
    const struct mcr_plan_entry *entry = find_plan(thread_key, ret->stack_id, ret->nth);
    if (!entry)
        return;
    ret->plan = entry->old_seq;
    if (entry->size != size)
        ret->flags = MCR_ALLOC_DIVERGED; /* the rehearsal was of another sequence: O's chunk may be another one */
    else if (size <= entry->capacity)
        ret->address = entry->address;
}

/* ---- the log ---- */
bool mcr_allocations_open(void) {
    return !ended && mcr_control.allocations.reserved < mcr_control.allocations.capacity;
}

void mcr_allocation_log(const struct mcr_placement *placement, uint64_t address, uint64_t size, uint32_t site) {
    uint64_t seq;
    mcr_lock_take(&mcr_heap_locks.log);
    struct mcr_allocation *entry = ended ? NULL : mcr_table_add(&mcr_control.allocations, &seq);
    if (entry) {
        *entry = (struct mcr_allocation){.seq = (uint32_t)seq, .thread = mcr_thread_index(), .site = site};
        entry->stack_id = placement->stack_id;
        entry->nth = placement->nth;
        entry->addr = address;
        entry->size = entry->first_size = size;
        entry->plan = placement->plan;
        entry->flags = placement->flags;
        if (placement->plan >= 0)
            entry->flags |= address == placement->address ? MCR_ALLOC_PLACED : MCR_ALLOC_PLANNED;
        place_add(seq);
        mcr_table_publish(&mcr_control.allocations, seq);
    }
    mcr_lock_drop(&mcr_heap_locks.log);
}

void mcr_allocation_moved(uint64_t old_address, uint64_t address, uint64_t size) {
    mcr_lock_take(&mcr_heap_locks.log);
    struct mcr_allocation *entry;
    if (old_address == address) {
        uint64_t place = place_find(address);
        entry = places[place] ? entry_at(places[place] - 1) : NULL;
    } else {
        entry = place_remove(old_address);
    }
    if (entry) {
        entry->size = size;
        if (address != old_address) {
            entry->addr = address;
            if (entry->flags & MCR_ALLOC_PLACED)
                entry->flags ^= MCR_ALLOC_PLACED | MCR_ALLOC_PLANNED;
            place_add(entry->seq);
        }
    }
    mcr_lock_drop(&mcr_heap_locks.log);
}

void mcr_allocation_freed(uint64_t address) {
    mcr_lock_take(&mcr_heap_locks.log);
    struct mcr_allocation *entry = place_remove(address);
    if (entry)
        entry->flags |= MCR_ALLOC_FREED;
    mcr_lock_drop(&mcr_heap_locks.log);
}

void mcr_heap_note_startup_end(void) {
    mcr_lock_take(&mcr_heap_locks.log);
    ended = true;
    for (uint64_t seq = 0; seq < mcr_control.allocations.count; seq++) {
        struct mcr_allocation *entry = entry_at(seq);
        bool lives = !(entry->flags & MCR_ALLOC_FREED);
        entry->base_addr = lives ? entry->addr : 0;
        entry->base_size = lives ? entry->size : 0;
    }
    mcr_lock_drop(&mcr_heap_locks.log);
}

bool mcr_allocations_init(void) {
    if (!mcr_table_init(&mcr_control.allocations, sizeof(struct mcr_allocation), CAPACITY))
        return false;
    places = mcr_heap_own(TABLE_FIRST * sizeof *places);
    counters = mcr_heap_own(TABLE_FIRST * sizeof *counters);
    place_mask = counter_mask = TABLE_FIRST - 1;
    return places && counters;
}
