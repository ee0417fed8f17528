/*
 * host_safe.h - included last in every file of native/runtime: what must not be called there, and what is used instead.
 *
 * libmcr.so lives in somebody else's process. Nothing here may end that process, print, read the environment (it is not
 * set up when the constructor runs) or use the allocator that it replaces. Kernel calls go through MCR_SYS, which
 * reaches no hook, sets no errno and is no cancellation point; libc functions that are hooked are called through
 * mcr_real (hooks.h).
 */
#ifndef MCR_HOST_SAFE_H
#define MCR_HOST_SAFE_H

#include <sys/syscall.h>

static inline long mcr_syscall(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* MCR_SYS(close, fd): value or -errno. Missing arguments are zero. */
#define MCR_SYS(name, ...) MCR_SYS_PAD(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define MCR_SYS_PAD(n, a, b, c, d, e, f, ...)                                                                          \
    mcr_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#pragma GCC poison exit _exit _Exit quick_exit abort assert __assert_fail err errx verr verrx warn warnx raise
#pragma GCC poison printf fprintf vprintf vfprintf dprintf sprintf snprintf vsnprintf puts fputs perror syslog
#pragma GCC poison getenv setenv putenv unsetenv backtrace system popen longjmp siglongjmp
#ifndef MCR_DEFINES_MALLOC /* heap_hooks.c */
#pragma GCC poison malloc calloc realloc reallocarray free memalign aligned_alloc posix_memalign valloc pvalloc strdup
#endif

#endif
