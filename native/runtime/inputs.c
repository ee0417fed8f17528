/*
 * inputs.c - the files that start-up read: what N reads in its start-up should be what O read, or the user be told.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "host_safe.h"

enum { CAPACITY = 4096, CHUNK = 65536 };

static const uint64_t hash_limit = 16 << 20; /* larger files are told apart by size and time; a host must not wait */

bool mcr_inputs_init(void) { return mcr_table_init(&mcr_control.inputs, sizeof(struct mcr_input), CAPACITY); }

static bool is_known(uint64_t device, uint64_t inode) {
    const struct mcr_input *inputs = (const struct mcr_input *)mcr_control.inputs.address;
    for (uint64_t i = 0; i < mcr_control.inputs.count; i++)
        if (inputs[i].device == device && inputs[i].inode == inode)
            return true;
    return false;
}

static bool is_volatile(const char *path) {
    return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0 || strncmp(path, "/dev/", 5) == 0;
}

/* What start-up makes of a file that the server itself writes is no part of the base, if the user says so. The system's
 * own directories hold no such files (Filesystem Hierarchy Standard 3.0). */
static bool may_be_state(const char *path) {
    static const char *const others[] = {"/etc/", "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/boot/"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(path, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

void mcr_input_note(int fd) {
    struct stat status;
    char link[32], path[4096];
    uint64_t index;
    if (fd < 0 || MCR_SYS(fstat, fd, &status) < 0 || !S_ISREG(status.st_mode) || is_known(status.st_dev, status.st_ino))
        return;
    mcr_fd_link(fd, link);
    long size = MCR_SYS(readlink, link, path, sizeof path - 1);
    if (size <= 0 || path[0] != '/' || is_volatile(path))
        return;
    path[size] = 0;
    struct mcr_input *input = mcr_table_add(&mcr_control.inputs, &index);
    if (!input)
        return; /* a program that reads thousands of files is not judged by each of them */
    *input = (struct mcr_input){
        .device = status.st_dev,
        .inode = status.st_ino,
        .size = (uint64_t)status.st_size,
        .mtime_ns = status.st_mtim.tv_sec * 1000000000ll + status.st_mtim.tv_nsec,
        .path = mcr_blob_add(path, (size_t)size + 1),
        .early = may_be_state(path) && mcr_control.role != MCR_ROLE_REHEARSE ? mcr_snapshot_take_early() : 0,
    };
    mcr_table_publish(&mcr_control.inputs, index);
}

static uint64_t hash_file(const struct mcr_input *input, char *buffer) {
    const char *path = (const char *)mcr_control.blobs.address + input->path;
    struct stat status;
    uint64_t hash = MCR_HASH_START;
    if (input->path == UINT64_MAX || input->size > hash_limit)
        return 0;
    long fd = MCR_SYS(open, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), size;
    if (fd < 0)
        return 0;
    if (MCR_SYS(fstat, fd, &status) < 0 || status.st_dev != input->device || status.st_ino != input->inode)
        hash = 0;
    while (hash && (size = MCR_SYS(read, fd, buffer, CHUNK)) != 0)
        hash = size < 0 ? 0 : mcr_hash(buffer, (size_t)size, hash);
    MCR_SYS(close, fd);
    return hash;
}

void mcr_inputs_finish(void) {
    static char buffer[CHUNK];
    struct mcr_input *inputs = (struct mcr_input *)mcr_control.inputs.address;
    for (uint64_t i = 0; i < mcr_control.inputs.count; i++)
        inputs[i].hash = hash_file(&inputs[i], buffer);
}
