/*
 * Does what GDB 13 does on a CPU with more register state than it knows: reads the first 576 bytes of a stopped child's
 * NT_X86_XSTATE, changes xmm7, writes them back. Prints the errno of the write, the low word of xmm7 and the low word of
 * the upper half of ymm7, which had been set to 7.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { XMM7 = 160 + 7 * 16, YMM7_UPPER = 576 + 7 * 16, KNOWN = 576, XSTATE_BV = 512, AVX = 4 };

static void put_word(unsigned char *at, uint64_t word) { memcpy(at, &word, sizeof word); }

static uint64_t word_at(const unsigned char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

int main(void) {
    static unsigned char state[65536];
    struct iovec whole = {state, sizeof state}, known = {state, KNOWN};
    void *kind = (void *)NT_X86_XSTATE;
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (ptrace(PTRACE_GETREGSET, pid, kind, &whole) < 0 || whole.iov_len <= KNOWN)
        return 77; /* no more state than that here */
    put_word(state + YMM7_UPPER, 7);
    put_word(state + XSTATE_BV, word_at(state + XSTATE_BV) | AVX | 2);
    if (ptrace(PTRACE_SETREGSET, pid, kind, &whole) < 0)
        return 1;
    memset(state, 0, sizeof state);
    ptrace(PTRACE_GETREGSET, pid, kind, &known);
    put_word(state + XMM7, 5);
    errno = 0;
    ptrace(PTRACE_SETREGSET, pid, kind, &known);
    int error = errno;
    whole = (struct iovec){state, sizeof state};
    ptrace(PTRACE_GETREGSET, pid, kind, &whole);
    printf("%d %lu %lu\n", error, word_at(state + XMM7), word_at(state + YMM7_UPPER));
    ptrace(PTRACE_KILL, pid, NULL, NULL);
    waitpid(pid, &status, 0);
    return 0;
}
