/*
 * gdbshim.c - preloaded into child GDBs: lets GDB 13 write registers on CPUs with large extended state (AMX).
 *
 * The kernel takes an NT_X86_XSTATE register set only in its full size. GDB 13 passes the part that it knows, so that
 * every inferior call and every write of a vector register fails with EFAULT. Here the full set is read, GDB's part laid
 * over it, and written back. Every other ptrace call passes unchanged.
 * Source: Intel SDM volume 1, chapter 13 (XSAVE area); ptrace(2); kernel arch/x86/kernel/fpu/regset.c.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { XSTATE_BV = 512, MAX_XSTATE = 65536 }; /* offset of the bits that say which components are in use; bytes */

/* The components that GDB 13 knows: x87 to PKRU. Of others the thread's own state stays. */
static const uint64_t KNOWN_COMPONENTS = 0x3ff;

static long kernel_ptrace(long request, long pid, void *address, void *data) {
    return syscall(SYS_ptrace, request, pid, address, data);
}

static uint64_t load_word(const unsigned char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Lays GDB's shorter area over the full one. */
static void overlay(unsigned char *full, const unsigned char *part, size_t size) {
    uint64_t used = load_word(full + XSTATE_BV);
    memcpy(full, part, size);
    if (size >= XSTATE_BV + sizeof used) {
        used = (used & ~KNOWN_COMPONENTS) | (load_word(part + XSTATE_BV) & KNOWN_COMPONENTS);
        memcpy(full + XSTATE_BV, &used, sizeof used);
    }
}

static long set_xstate(long pid, struct iovec *data) {
    unsigned char full[MAX_XSTATE];
    struct iovec all = {full, sizeof full};
    void *kind = (void *)NT_X86_XSTATE;
    if (kernel_ptrace(PTRACE_GETREGSET, pid, kind, &all) < 0 || all.iov_len <= data->iov_len)
        return kernel_ptrace(PTRACE_SETREGSET, pid, kind, data);
    overlay(full, data->iov_base, data->iov_len);
    return kernel_ptrace(PTRACE_SETREGSET, pid, kind, &all);
}

/* The kernel stores a peeked word where `data` points; the C function returns it. ptrace(2), "C library/kernel". */
static long peek(long request, long pid, void *address) {
    long word;
    if (kernel_ptrace(request, pid, address, &word) < 0)
        return -1;
    errno = 0;
    return word;
}

__attribute__((visibility("default"))) long ptrace(enum __ptrace_request request, ...) {
    va_list values;
    va_start(values, request);
    long pid = va_arg(values, pid_t);
    void *address = va_arg(values, void *), *data = va_arg(values, void *);
    va_end(values);
    if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE && data)
        return set_xstate(pid, data);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER)
        return peek(request, pid, address);
    return kernel_ptrace(request, pid, address, data);
}
