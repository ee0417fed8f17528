/*
 * heap_sites.c - which site an allocation has.
 *
 * A site is the return address of the allocation and, where that lies in a wrapper, of the wrapper's caller, and so on
 * (mcr_stack_walk_site). The table of sites has each once.
 *
 * To find it quickly, each thread remembers steps: from a return address, under the addresses below it (the prefix), to
 * the row that leads to the next frame, or to the site's index. The row of a return address never changes while its
 * module is loaded, so following steps gives what the walk gave.
 */
#include "heap.h"
#include "modules.h"
#include <stddef.h>
#include <string.h>
#include "host_safe.h"

enum { SITES = 1 << 18, INDEX_FIRST = 4096, PREFIXES = 4096 };

/* Open addressing; entries are site + 1, never more than half of them in use. Old ones stay for those who read them. */
struct index {
    uint32_t mask, used;
    uint32_t entries[];
};
static struct index *site_index;

static uint64_t prefixes[PREFIXES]; /* keys of the steps that they stand for; prefix i is entry i - 1 */
static uint32_t prefix_count;

static struct mcr_site *site_at(uint64_t i) { return (struct mcr_site *)mcr_control.sites.address + i; }

static uint64_t site_hash(uint32_t generation, const uint64_t *returns, uint32_t depth) {
    uint64_t hash = mcr_stack_fold(MCR_HASH_START, generation);
    for (uint32_t i = 0; i < depth; i++)
        hash = mcr_stack_fold(hash, returns[i]);
    return hash;
}

/* The entry that has the site, or the free one where it belongs. */
static uint32_t *find(struct index *index, uint32_t generation, const uint64_t *returns, uint32_t depth) {
    for (uint64_t i = site_hash(generation, returns, depth) >> 16;; i++) {
        uint32_t *entry = &index->entries[i & index->mask], site = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
        if (!site)
            return entry;
        const struct mcr_site *known = site_at(site - 1);
        if (known->generation == generation && known->depth == depth &&
            memcmp(known->returns, returns, depth * sizeof *returns) == 0)
            return entry;
    }
}

static struct index *index_make(uint32_t entries) {
    struct index *index = mcr_heap_own(sizeof *index + entries * sizeof *index->entries);
    if (index)
        index->mask = entries - 1;
    return index;
}

/* Twice the room; the caller holds `sites`. */
static bool index_grow(struct index *old) {
    struct index *grown = index_make((old->mask + 1) * 2);
    if (!grown)
        return false;
    for (uint32_t i = 0; i <= old->mask; i++) {
        const struct mcr_site *site = site_at(old->entries[i] - 1);
        if (old->entries[i])
            *find(grown, site->generation, site->returns, site->depth) = old->entries[i];
    }
    grown->used = old->used;
    __atomic_store_n(&site_index, grown, __ATOMIC_RELEASE);
    return true;
}

static uint32_t add(uint32_t generation, const uint64_t *returns, uint32_t depth) {
    uint64_t i;
    uint32_t *entry = find(site_index, generation, returns, depth);
    if (*entry)
        return *entry - 1;
    if (site_index->used * 2 >= site_index->mask && !index_grow(site_index))
        return 0;
    struct mcr_site *site = mcr_table_add(&mcr_control.sites, &i);
    if (!site)
        return 0;
    site->generation = generation;
    site->depth = depth;
    memcpy(site->returns, returns, depth * sizeof *returns);
    mcr_table_publish(&mcr_control.sites, i);
    site_index->used++;
    __atomic_store_n(find(site_index, generation, returns, depth), (uint32_t)i + 1, __ATOMIC_RELEASE);
    return (uint32_t)i;
}

uint32_t mcr_site_intern(uint32_t generation, const uint64_t *returns, uint32_t depth) {
    uint32_t known = *find(__atomic_load_n(&site_index, __ATOMIC_ACQUIRE), generation, returns, depth);
    if (known)
        return known - 1;
    mcr_lock_take(&mcr_heap_locks.sites);
    uint32_t site = add(generation, returns, depth);
    mcr_lock_drop(&mcr_heap_locks.sites);
    return site;
}

/* 0 if there are too many. */
static uint32_t prefix_for(uint64_t key) {
    uint32_t found = 0;
    mcr_lock_take(&mcr_heap_locks.sites);
    for (uint32_t i = 0; i < prefix_count && !found; i++)
        if (prefixes[i] == key)
            found = i + 1;
    if (!found && prefix_count < PREFIXES) {
        prefixes[prefix_count++] = key;
        found = prefix_count;
    }
    mcr_lock_drop(&mcr_heap_locks.sites);
    return found;
}

static uint64_t step_key(uint64_t pc, uint32_t prefix) { return pc | (uint64_t)prefix << 48; }

static uint32_t packed(struct mcr_unwind_row row) {
    uint32_t word;
    memcpy(&word, (const char *)&row + offsetof(struct mcr_unwind_row, pc) + sizeof row.pc, sizeof word);
    return word;
}

/* Remembers the way that the walk took, unless it ended before its site did (on a stack that libmcr does not know). */
static void remember(struct mcr_cache *cache, const uint64_t *returns, uint32_t depth, uint32_t site) {
    uint32_t prefix = 0;
    if (depth < MCR_SITE_DEPTH && mcr_stack_site_row(returns[depth - 1]).cfa != MCR_CFA_NONE)
        return;
    for (uint32_t i = 0; i < depth; i++) {
        uint64_t key = step_key(returns[i], prefix);
        struct mcr_site_step step = {.key = key, .next = site};
        if (i + 1 < depth) {
            step.row = packed(mcr_stack_site_row(returns[i]));
            prefix = step.next = prefix_for(key);
            if (!prefix)
                return;
        }
        *mcr_site_step_at(cache, key) = step;
    }
}

static uint32_t walk(struct mcr_cache *cache, struct mcr_frame frame) {
    uint64_t returns[MCR_SITE_DEPTH], modules = mcr_control.modules.count;
    uint32_t depth = mcr_stack_walk_site(frame, returns);
    uint32_t site = mcr_site_intern(mcr_control.generation, returns, depth);
    if (!cache->bins[0].limit || !site)
        return site; /* all threads that are ending share that cache */
    if (cache->modules != modules) {
        memset(cache->steps, 0, sizeof cache->steps);
        cache->modules = modules;
    }
    remember(cache, returns, depth, site);
    return site;
}

uint32_t mcr_site_find(struct mcr_cache *cache, struct mcr_frame frame) {
    uint32_t site = mcr_site_quick(cache, frame);
    return site ? site : walk(cache, frame);
}

/* Needs the allocator's own memory. O's sites come with the adoption, as far as chunks still have them. */
bool mcr_sites_init(void) {
    const uint64_t first = 1; /* 0 stands for an unknown site */
    site_index = index_make(INDEX_FIRST);
    if (!site_index || !mcr_table_init(&mcr_control.sites, sizeof(struct mcr_site), SITES))
        return false;
    mcr_control.sites.reserved = (uint32_t)first;
    mcr_control.sites.count = first;
    return true;
}
