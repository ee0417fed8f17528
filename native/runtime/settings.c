/*
 * settings.c - the settings that came with the exec, and the traces of them that the program must not see.
 *
 * They stand in a memfd at MCR_SETTINGS_FD, sealed, so that nobody can change or shorten it under the mapping. A
 * descriptor there that is no such memfd is the program's own and stays.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "host_safe.h"

const struct mcr_settings *mcr_settings;

const void *mcr_settings_part(uint64_t offset) { return (const char *)mcr_settings + offset; }

static bool part_fits(const struct mcr_settings *settings, uint64_t offset, uint64_t count, uint64_t entry_size) {
    if (!count)
        return true;
    return offset <= settings->size && offset % 8 == 0 && count <= (settings->size - offset) / entry_size;
}

static bool is_sound(const struct mcr_settings *settings, uint64_t size) {
    return settings->version == MCR_ABI_VERSION && settings->size == size && settings->role <= MCR_ROLE_REHEARSE &&
           part_fits(settings, settings->module_tables, settings->module_table_count,
                     sizeof(struct mcr_settings_module)) &&
           part_fits(settings, settings->operations, settings->operation_count, sizeof(struct mcr_operation)) &&
           part_fits(settings, settings->threads, settings->thread_count, sizeof(struct mcr_thread)) &&
           part_fits(settings, settings->blobs, settings->blob_size, 1) &&
           part_fits(settings, settings->plan, settings->plan_count, sizeof(struct mcr_plan_entry)) &&
           part_fits(settings, settings->spans, settings->span_count, sizeof(struct mcr_span)) &&
           part_fits(settings, settings->inherited, settings->inherited_count, sizeof(struct mcr_inherited_fd));
}

/* A channel without usable settings: its end tells the controller. */
static void close_channel(void) {
    int type = 0, size = sizeof type;
    if (MCR_SYS(getsockopt, MCR_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
        MCR_SYS(close, MCR_CHANNEL_FD);
}

/* A sealed memfd that begins like settings; NULL otherwise. */
static const struct mcr_settings *map_settings(int fd, uint64_t *size) {
    const long needed = F_SEAL_WRITE | F_SEAL_SHRINK;
    struct stat status;
    long seals = MCR_SYS(fcntl, fd, F_GET_SEALS);
    if (seals < 0 || (seals & needed) != needed || MCR_SYS(fstat, fd, &status) < 0 ||
        status.st_size < (off_t)sizeof(struct mcr_settings))
        return NULL;
    long mapped = MCR_SYS(mmap, NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped < 0 && mapped >= -4095)
        return NULL;
    const struct mcr_settings *settings = (const struct mcr_settings *)mapped;
    *size = (uint64_t)status.st_size;
    if (settings->magic == MCR_SETTINGS_MAGIC)
        return settings;
    MCR_SYS(munmap, settings, *size);
    return NULL;
}

/* Unmaps what is not sound. */
static bool take(const struct mcr_settings *settings, uint64_t size) {
    if (!is_sound(settings, size)) {
        MCR_SYS(munmap, settings, size);
        return false;
    }
    mcr_private_range((uint64_t)settings, ((uint64_t)settings + size + 4095) & ~(uint64_t)4095);
    return true;
}

bool mcr_settings_open(void) {
    uint64_t size;
    const struct mcr_settings *settings = map_settings(MCR_SETTINGS_FD, &size);
    if (!settings)
        return false;
    MCR_SYS(close, MCR_SETTINGS_FD);
    if (!take(settings, size)) {
        close_channel();
        MCR_DISABLE(MCR_ERROR_SETTINGS, "settings of another version, or damaged");
        return false;
    }
    mcr_settings = settings;
    return true;
}

const struct mcr_settings *mcr_settings_map(int fd) {
    uint64_t size;
    const struct mcr_settings *settings = map_settings(fd, &size);
    MCR_SYS(close, fd);
    return settings && take(settings, size) ? settings : NULL;
}

static bool is_own(const char *name, size_t size, const char *own) {
    if (size == strlen(own) && memcmp(name, own, size) == 0)
        return true;
    const char *own_base = strrchr(own, '/'), *base = memrchr(name, '/', size);
    if (!own_base || !base)
        return false;
    size_t base_size = size - (size_t)(base - name);
    return base_size == strlen(own_base) && memcmp(base, own_base, base_size) == 0;
}

/* Shortens the list in place; false if nothing is left. */
static bool drop_own(char *list, const char *own) {
    char *out = list;
    for (const char *name = list; *name;) {
        size_t separators = strspn(name, ": "), size = strcspn(name + separators, ": ");
        const char *start = name + separators;
        name = start + size;
        if (!size || is_own(start, size, own))
            continue;
        if (out != list)
            *out++ = ':';
        memmove(out, start, size);
        out += size;
    }
    *out = 0;
    return out != list;
}

/* mcr_launch appends LD_BIND_NOW for N's ld.so; an earlier one is the program's own. */
static void drop_bind_now(char **envp) {
    char **last = NULL;
    for (char **entry = envp; *entry; entry++)
        if (strncmp(*entry, "LD_BIND_NOW=", 12) == 0)
            last = entry;
    for (; last && *last; last++)
        last[0] = last[1];
}

void mcr_settings_forget_preload(char **envp, const char *own) {
    char **out = envp;
    if (mcr_settings && mcr_settings->role >= MCR_ROLE_REPLAY)
        drop_bind_now(envp);
    for (char **entry = envp; *entry; entry++) {
        if (strncmp(*entry, "LD_PRELOAD=", 11) != 0 || drop_own(*entry + 11, own))
            *out++ = *entry;
    }
    *out = NULL;
}
