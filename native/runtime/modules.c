/*
 * modules.c - the modules that are loaded, and the tables that were made from their debug information.
 *
 * The set of loaded modules is never changed in place: mcr_stack_load_modules() publishes a new one, and readers take
 * no lock, so that they work in signal handlers. Each table gets an index by blocks of 64 bytes of code.
 */
#include "modules.h"
#include "hooks.h"
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "host_safe.h"

enum { MODULES = 1024, BLOCK_SHIFT = 6 };

volatile bool mcr_modules_stale;

static struct mcr_modules *volatile current;

const struct mcr_modules *mcr_modules_now(void) { return __atomic_load_n(&current, __ATOMIC_ACQUIRE); }

const struct mcr_loaded *mcr_module_at(const struct mcr_modules *modules, uint64_t pc) {
    uint64_t low = 0, high = modules ? modules->count : 0;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (modules->entries[middle].end <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return modules && low < modules->count && modules->entries[low].start <= pc ? &modules->entries[low] : NULL;
}

static uint32_t pc_of(const struct mcr_rows *rows, uint64_t i) {
    return *(const uint32_t *)(rows->first + i * rows->stride);
}

const void *mcr_row_at(const struct mcr_loaded *module, const struct mcr_rows *rows, uint64_t pc) {
    uint64_t address = pc - module->bias, block = address >> BLOCK_SHIFT;
    if (!rows->index || block >= module->blocks)
        return NULL;
    uint64_t after = rows->index[block];
    while (after < rows->count && pc_of(rows, after) <= address)
        after++;
    return after ? rows->first + (after - 1) * rows->stride : NULL;
}

struct build_id {
    uint32_t size;
    uint8_t bytes[32];
};

static struct build_id read_build_id(const char *notes, size_t size) {
    struct build_id ret = {0};
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)notes;
        size_t name_size = (note->n_namesz + 3) & ~3u, total = sizeof *note + name_size + ((note->n_descsz + 3) & ~3u);
        if (total > size)
            break;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && note->n_descsz <= sizeof ret.bytes &&
            memcmp(note + 1, "GNU", 4) == 0) {
            ret.size = note->n_descsz;
            memcpy(ret.bytes, notes + sizeof *note + name_size, ret.size);
            break;
        }
        notes += total;
        size -= total;
    }
    return ret;
}

static const struct mcr_module_table *map_table(const char *path, const struct build_id *id, uint64_t *size) {
    struct stat status;
    long file = MCR_SYS(open, path, O_RDONLY | O_CLOEXEC), mapped = -1;
    if (file < 0)
        return NULL;
    if (MCR_SYS(fstat, file, &status) == 0 && status.st_size >= (off_t)sizeof(struct mcr_module_table))
        mapped = MCR_SYS(mmap, NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    MCR_SYS(close, file);
    if (mapped < 0 && mapped >= -4095)
        return NULL;
    const struct mcr_module_table *table = (const struct mcr_module_table *)mapped;
    *size = (uint64_t)status.st_size;
    if (table->magic == MCR_MODULE_TABLE_MAGIC && table->version == MCR_ABI_VERSION &&
        table->build_id_size == id->size && memcmp(table->build_id, id->bytes, id->size) == 0) {
        mcr_private_range((uint64_t)mapped, ((uint64_t)mapped + *size + 4095) & ~4095ull);
        return table;
    }
    MCR_SYS(munmap, mapped, status.st_size);
    return NULL;
}

static const struct mcr_module_table *find_table(const struct build_id *id, uint64_t *size) {
    const struct mcr_settings_module *modules = mcr_settings_part(mcr_settings->module_tables);
    for (uint64_t i = 0; i < mcr_settings->module_table_count; i++)
        if (id->size && modules[i].build_id_size == id->size && memcmp(modules[i].build_id, id->bytes, id->size) == 0 &&
            memchr(modules[i].path, 0, sizeof modules[i].path))
            return map_table(modules[i].path, id, size);
    return NULL;
}

/* The rows at `offset` of a table, indexed; none if the table is damaged. */
static struct mcr_rows load_rows(const struct mcr_loaded *module, const void *table, uint64_t table_size,
                                 uint64_t offset, uint64_t count, uint64_t stride) {
    struct mcr_rows rows = {.first = (const char *)table + offset, .count = count, .stride = stride};
    if (offset % 8 || offset > table_size || count > (table_size - offset) / stride)
        return (struct mcr_rows){0};
    rows.index = mcr_map(module->blocks * sizeof *rows.index + 1);
    uint64_t row = 0;
    for (uint64_t block = 0; rows.index && block < module->blocks; block++) {
        while (row < count && pc_of(&rows, row) <= block << BLOCK_SHIFT)
            row++;
        rows.index[block] = (uint32_t)row;
    }
    return rows;
}

static enum mcr_owner find_owner(const char *base, uint64_t start, uint64_t end) {
    uint64_t here = (uint64_t)&mcr_control;
    if (here >= start && here < end)
        return MCR_OF_LIBMCR;
    return strncmp(base, "libc.so", 7) == 0 || strncmp(base, "ld-linux", 8) == 0 ? MCR_OF_LIBC : MCR_OF_PROGRAM;
}

static bool is_listed(uint64_t bias, const struct build_id *id) {
    const struct mcr_module *modules = (const struct mcr_module *)mcr_control.modules.address;
    for (uint64_t i = 0; i < mcr_control.modules.count; i++)
        if (modules[i].base == bias && modules[i].generation == mcr_control.generation &&
            modules[i].build_id_size == id->size && memcmp(modules[i].build_id, id->bytes, id->size) == 0)
            return true;
    return false;
}

static void list(const struct mcr_loaded *loaded, const struct build_id *id, const char path[256]) {
    uint64_t index;
    struct mcr_module *module = is_listed(loaded->bias, id) ? NULL : mcr_table_add(&mcr_control.modules, &index);
    if (!module)
        return; /* full: nothing that the table is needed for */
    module->generation = mcr_control.generation;
    module->build_id_size = id->size;
    memcpy(module->build_id, id->bytes, id->size);
    module->base = loaded->bias;
    module->start = loaded->start;
    module->end = loaded->end;
    memcpy(module->path, path, sizeof module->path);
    mcr_table_publish(&mcr_control.modules, index);
}

/* What dl_iterate_phdr finds; tables are mapped afterwards, without its lock. */
struct found {
    struct mcr_loaded loaded;
    struct build_id id;
    char path[sizeof((struct mcr_module *)0)->path];
};
struct findings {
    uint64_t count, room;
    struct found *modules;
};

static int note_module(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    struct findings *findings = argument;
    bool is_program = info->dlpi_name[0] == 0 && findings->count == 0;
    if (!is_program && !strchr(info->dlpi_name, '/'))
        return 0; /* the kernel's own */
    if (findings->count++ >= findings->room)
        return 0;
    struct found *found = &findings->modules[findings->count - 1];
    const char *path = is_program ? mcr_control.facts.exe : info->dlpi_name, *base = strrchr(path, '/');
    *found = (struct found){.loaded = {.bias = info->dlpi_addr, .start = UINT64_MAX}};
    memcpy(found->path, path, strnlen(path, sizeof found->path - 1));
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t from = info->dlpi_addr + segment->p_vaddr, to = from + segment->p_memsz;
        if (segment->p_type == PT_NOTE && !found->id.size)
            found->id = read_build_id((const char *)from, segment->p_memsz);
        if (segment->p_type != PT_LOAD)
            continue;
        if (from < found->loaded.start)
            found->loaded.start = from & ~4095ull;
        if (to > found->loaded.end)
            found->loaded.end = (to + 4095) & ~4095ull;
    }
    base = base ? base + 1 : path;
    found->loaded.owner = find_owner(base, found->loaded.start, found->loaded.end);
    found->loaded.hash = mcr_hash(base, strlen(base), MCR_HASH_START);
    found->loaded.blocks = ((found->loaded.end - found->loaded.bias) >> BLOCK_SHIFT) + 1;
    return 0;
}

static const struct mcr_loaded *find_same(const struct mcr_modules *modules, const struct mcr_loaded *wanted) {
    const struct mcr_loaded *same = mcr_module_at(modules, wanted->start);
    return same && same->bias == wanted->bias && same->end == wanted->end && same->hash == wanted->hash ? same : NULL;
}

static struct mcr_loaded load(const struct mcr_modules *old, const struct found *found) {
    struct mcr_loaded loaded = found->loaded;
    const struct mcr_loaded *same = find_same(old, &loaded);
    uint64_t size;
    if (same)
        return *same;
    const struct mcr_module_table *table = find_table(&found->id, &size);
    if (table) {
        loaded.unwind = load_rows(&loaded, table, size, table->rows, table->row_count, sizeof(struct mcr_unwind_row));
        loaded.names = load_rows(&loaded, table, size, table->names, table->name_count, sizeof(struct mcr_name_row));
    }
    list(&loaded, &found->id, found->path);
    return loaded;
}

static void insert(struct mcr_modules *modules, struct mcr_loaded loaded) {
    uint64_t at = modules->count++;
    for (; at && modules->entries[at - 1].start > loaded.start; at--)
        modules->entries[at] = modules->entries[at - 1];
    modules->entries[at] = loaded;
}

static void publish(const struct findings *findings) {
    struct mcr_modules *old = current;
    uint64_t count = findings->count < findings->room ? findings->count : findings->room;
    struct mcr_modules *modules = mcr_map(sizeof *modules + count * sizeof *modules->entries);
    if (!modules)
        return;
    modules->epoch = old ? old->epoch + 1 : 1;
    for (uint64_t i = 0; i < count; i++)
        insert(modules, load(old, &findings->modules[i]));
    __atomic_store_n(&current, modules, __ATOMIC_RELEASE); /* the old one stays: somebody may be reading it */
}

void mcr_stack_load_modules(void) {
    struct findings findings = {.room = MODULES};
    mcr_modules_stale = false;
    if (!mcr_settings ||
        (!mcr_control.modules.address && !mcr_table_init(&mcr_control.modules, sizeof(struct mcr_module), MODULES)))
        return;
    long size = (long)(MODULES * sizeof *findings.modules);
    long memory = MCR_SYS(mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory < 0 && memory >= -4095)
        return;
    findings.modules = (struct found *)memory;
    mcr_self.busy++;
    dl_iterate_phdr(note_module, &findings);
    mcr_lock_take(&mcr_locks.modules);
    publish(&findings);
    mcr_lock_drop(&mcr_locks.modules);
    mcr_self.busy--;
    MCR_SYS(munmap, memory, size);
}

bool mcr_stack_adopt(const struct mcr_module *modules, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t index;
        struct mcr_module *module = mcr_table_add(&mcr_control.modules, &index);
        if (!module)
            return false;
        *module = modules[i];
        mcr_table_publish(&mcr_control.modules, index);
    }
    return true;
}
