/*
 * process_memory.c - bytes between a process and the caller's memory.
 *
 * process_vm_readv and process_vm_writev take many pieces in one call but obey page protection; where they stop,
 * /proc/PID/mem goes on, which a tracer (and usually root) may use on pages of any protection.
 * Source: process_vm_readv(2), "partial transfers"; proc_pid_mem(5).
 */
#define _GNU_SOURCE
#include "engine.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BATCH = 512 }; /* pieces a call; the kernel takes IOV_MAX = 1024 */

struct transfer {
    int pid;
    bool writes;
    const struct mcr_piece *pieces;
    uint64_t count;
    uint8_t *buffer;
    uint64_t next; /* first piece that is not finished */
    uint64_t done; /* bytes of it that are */
    int mem;       /* /proc/PID/mem once it was needed, else -1 */
};

static void advance(struct transfer *transfer, uint64_t bytes) {
    transfer->done += bytes;
    while (transfer->next < transfer->count && transfer->done >= transfer->pieces[transfer->next].size)
        transfer->done -= transfer->pieces[transfer->next++].size;
}

static unsigned long fill(const struct transfer *transfer, struct iovec *local, struct iovec *remote) {
    unsigned long filled = 0;
    uint64_t done = transfer->done;
    for (uint64_t i = transfer->next; i < transfer->count && filled < BATCH; i++, filled++, done = 0) {
        const struct mcr_piece *piece = &transfer->pieces[i];
        local[filled] = (struct iovec){transfer->buffer + piece->offset + done, piece->size - done};
        remote[filled] = (struct iovec){(void *)(uintptr_t)(piece->address + done), piece->size - done};
    }
    return filled;
}

/* Bytes moved, 0 if the next one cannot be reached this way, or -errno. */
static ssize_t move_many(const struct transfer *transfer) {
    struct iovec local[BATCH], remote[BATCH];
    unsigned long count = fill(transfer, local, remote);
    ssize_t moved = transfer->writes ? process_vm_writev(transfer->pid, local, count, remote, count, 0)
                                     : process_vm_readv(transfer->pid, local, count, remote, count, 0);
    if (moved < 0)
        return errno == EFAULT ? 0 : -errno;
    return moved;
}

/* The rest of one piece through /proc/PID/mem: bytes moved or -errno. */
static ssize_t move_protected(struct transfer *transfer) {
    const struct mcr_piece *piece = &transfer->pieces[transfer->next];
    uint8_t *local = transfer->buffer + piece->offset + transfer->done;
    uint64_t size = piece->size - transfer->done;
    off_t address = (off_t)(piece->address + transfer->done);
    if (transfer->mem < 0) {
        char path[32];
        snprintf(path, sizeof path, "/proc/%d/mem", transfer->pid);
        transfer->mem = open(path, (transfer->writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
        if (transfer->mem < 0)
            return -errno;
    }
    ssize_t moved =
        transfer->writes ? pwrite(transfer->mem, local, size, address) : pread(transfer->mem, local, size, address);
    return moved > 0 ? moved : -EFAULT;
}

static int run(struct transfer *transfer) {
    advance(transfer, 0); /* over empty pieces */
    while (transfer->next < transfer->count) {
        ssize_t moved = move_many(transfer);
        if (moved == 0)
            moved = move_protected(transfer);
        if (moved < 0)
            return (int)moved;
        advance(transfer, (uint64_t)moved);
    }
    return 0;
}

static bool fits(const struct mcr_piece *piece, uint64_t buffer_size) {
    return piece->offset <= buffer_size && piece->size <= buffer_size - piece->offset;
}

static int move(int pid, bool writes, const struct mcr_piece *pieces, uint64_t count, uint8_t *buffer,
                uint64_t buffer_size, uint64_t *failed) {
    for (uint64_t i = 0; i < count; i++)
        if (!fits(&pieces[i], buffer_size)) {
            *failed = pieces[i].address;
            return -EINVAL;
        }
    struct transfer transfer = {pid, writes, pieces, count, buffer, 0, 0, -1};
    int status = run(&transfer);
    if (status < 0)
        *failed = pieces[transfer.next].address + transfer.done;
    if (transfer.mem >= 0)
        close(transfer.mem);
    return status;
}

int mcr_process_read(int pid, const struct mcr_piece *pieces, uint64_t count, uint8_t *buffer, uint64_t buffer_size,
                     uint64_t *failed) {
    return move(pid, false, pieces, count, buffer, buffer_size, failed);
}

int mcr_process_write(int pid, const struct mcr_piece *pieces, uint64_t count, const uint8_t *buffer,
                      uint64_t buffer_size, uint64_t *failed) {
    return move(pid, true, pieces, count, (uint8_t *)buffer, buffer_size, failed);
}
