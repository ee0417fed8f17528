/*
 * exec.c - libmcr goes with the server when it executes itself again, and with no other program.
 *
 * The environment does not name libmcr and its descriptors are closed by exec: for other programs there is nothing to
 * do. For the server's own binary the settings are put at their number once more, in the role RECORD, and libmcr into
 * LD_PRELOAD. The new image records a start of its own. Before commit no new process may do that: what replay gave it
 * would be lost.
 *
 * Nothing is kept in memory, since a child of vfork shares it with its parent.
 */
#include "hooks.h"
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "host_safe.h"

enum { MAX_ENVIRONMENT = 4096, PRELOAD_ROOM = 2 * PATH_MAX };

static uint64_t own_device, own_inode;
static int first_pid; /* 0: libmcr is off */

void mcr_exec_init(void) {
    struct stat status;
    if (MCR_SYS(newfstatat, AT_FDCWD, "/proc/self/exe", &status, 0) < 0)
        return;
    own_device = status.st_dev;
    own_inode = status.st_ino;
    first_pid = mcr_control.pid;
}

static bool is_own(const char *path) {
    struct stat status;
    return first_pid && mcr_settings && mcr_control.state != MCR_STATE_DISABLED && path &&
           MCR_SYS(newfstatat, AT_FDCWD, path, &status, 0) == 0 && status.st_dev == own_device &&
           status.st_ino == own_inode;
}

/* The search path of execvp. */
static const char *search_path(void) {
    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, "PATH=", 5) == 0)
            return *entry + 5;
    return "/bin:/usr/bin";
}

/* What execvp would execute; NULL if we cannot tell. */
static const char *find_program(const char *file, char ret[PATH_MAX]) {
    if (!file || strchr(file, '/'))
        return file;
    size_t file_size = strlen(file) + 1;
    for (const char *start = search_path(); start;) {
        size_t size = strcspn(start, ":");
        if (size + file_size + 1 <= PATH_MAX) {
            memcpy(ret, start, size);
            char *out = size ? stpcpy(ret + size, "/") : ret;
            memcpy(out, file, file_size);
            if (MCR_SYS(access, ret, 1 /* X_OK */) == 0)
                return ret;
        }
        start = start[size] ? start + size + 1 : NULL;
    }
    return NULL;
}

static bool write_all(int fd, const void *bytes, size_t size) { return MCR_SYS(write, fd, bytes, size) == (long)size; }

static bool write_settings(int fd) {
    struct mcr_settings settings = {
        .magic = mcr_settings->magic,
        .version = mcr_settings->version,
        .role = MCR_ROLE_RECORD,
        .generation = mcr_settings->generation,
        .startup_timeout_ms = mcr_settings->startup_timeout_ms,
        .module_tables = sizeof settings,
        .module_table_count = mcr_settings->module_table_count,
    };
    size_t tables = mcr_settings->module_table_count * sizeof(struct mcr_settings_module);
    settings.size = (uint32_t)(sizeof settings + tables);
    return write_all(fd, &settings, sizeof settings) &&
           write_all(fd, mcr_settings_part(mcr_settings->module_tables), tables) &&
           MCR_SYS(fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

/* The settings at their number, open across exec. False if that is not to be had. */
static bool give_settings(void) {
    if (MCR_SYS(fcntl, MCR_SETTINGS_FD, F_GETFD) >= 0)
        return false;
    long fd = MCR_SYS(memfd_create, "mcr-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return false;
    bool given = write_settings((int)fd) && MCR_SYS(dup2, fd, MCR_SETTINGS_FD) >= 0;
    MCR_SYS(close, fd);
    return given;
}

static void take_settings_back(void) { MCR_SYS(close, MCR_SETTINGS_FD); }

/* The environment with libmcr in it. False if it does not fit. */
static bool add_preload(char *const *envp, char **ret, char preload[PRELOAD_ROOM]) {
    const char *own = mcr_own_path(), *others = NULL;
    for (; envp && *envp; envp++) {
        if (strncmp(*envp, "LD_PRELOAD=", 11) == 0)
            others = *envp + 11;
        else
            *ret++ = *envp;
    }
    if (strlen(own) + (others ? strlen(others) : 0) + 16 > PRELOAD_ROOM)
        return false;
    char *out = stpcpy(stpcpy(preload, "LD_PRELOAD="), own);
    if (others)
        stpcpy(stpcpy(out, ":"), others);
    *ret++ = preload;
    *ret = NULL;
    return true;
}

static size_t count(char *const *envp) {
    size_t entries = 0;
    while (envp && envp[entries])
        entries++;
    return entries;
}

/* N before commit: its first process must not become something else. */
static void refuse_early(void) {
    if (!mcr_unreleased || !first_pid || MCR_SYS(getpid) != mcr_control.pid || mcr_control.pid != first_pid)
        return;
    MCR_DISABLE(MCR_ERROR_SETTINGS, "the new version executes a program in its start-up");
    mcr_wait_park();
}

static int exec_own(const char *path, char *const *argv, char *const *envp) {
    char *list[count(envp) + 2], preload[PRELOAD_ROOM];
    if (!add_preload(envp, list, preload) || !give_settings())
        return mcr_real.execve(path, argv, envp);
    int result = mcr_real.execve(path, argv, list);
    take_settings_back();
    return result;
}

static bool takes_libmcr(const char *path, char *const *envp) {
    mcr_real_load();
    refuse_early();
    return is_own(path) && count(envp) <= MAX_ENVIRONMENT && !mcr_unreleased;
}

int mcr_hook_execve(const char *path, char *const *argv, char *const *envp) {
    if (takes_libmcr(path, envp))
        return exec_own(path, argv, envp);
    return mcr_real.execve(path, argv, envp);
}

int mcr_hook_execv(const char *path, char *const *argv) {
    if (takes_libmcr(path, environ))
        return exec_own(path, argv, environ);
    return mcr_real.execv(path, argv);
}

int mcr_hook_execvp(const char *file, char *const *argv) {
    char room[PATH_MAX];
    const char *path = find_program(file, room);
    if (takes_libmcr(path, environ))
        return exec_own(path, argv, environ);
    return mcr_real.execvp(file, argv);
}

int mcr_hook_execvpe(const char *file, char *const *argv, char *const *envp) {
    char room[PATH_MAX];
    const char *path = find_program(file, room);
    if (takes_libmcr(path, envp))
        return exec_own(path, argv, envp);
    return mcr_real.execvpe(file, argv, envp);
}

static int spawn_own(pid_t *ret, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const *argv, char *const *envp) {
    char *list[count(envp) + 2], preload[PRELOAD_ROOM];
    if (!add_preload(envp, list, preload) || !give_settings())
        return mcr_real.posix_spawn(ret, path, actions, attributes, argv, envp);
    int result = mcr_real.posix_spawn(ret, path, actions, attributes, argv, list);
    take_settings_back();
    return result;
}

static bool spawn_takes_libmcr(const char *path, char *const *envp) {
    mcr_real_load();
    return is_own(path) && count(envp) <= MAX_ENVIRONMENT && !mcr_unreleased;
}

int mcr_hook_posix_spawn(pid_t *ret, const char *path, const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *attributes, char *const *argv, char *const *envp) {
    if (spawn_takes_libmcr(path, envp))
        return spawn_own(ret, path, actions, attributes, argv, envp);
    return mcr_real.posix_spawn(ret, path, actions, attributes, argv, envp);
}

int mcr_hook_posix_spawnp(pid_t *ret, const char *file, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const *argv, char *const *envp) {
    char room[PATH_MAX];
    const char *path = find_program(file, room);
    if (spawn_takes_libmcr(path, envp))
        return spawn_own(ret, path, actions, attributes, argv, envp);
    return mcr_real.posix_spawnp(ret, file, actions, attributes, argv, envp);
}
