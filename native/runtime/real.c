/*
 * real.c - the next definition of every hooked function.
 *
 * Until mcr_real_load() has run, each entry makes the bare system call, or fails with ENOSYS where there is none.
 */
#include "hooks.h"
#include <dlfcn.h>
#include "host_safe.h"

static long bare_call(long number, long a, long b, long c, long d, long e, long f) {
    if (number == MCR_FAILS || number == MCR_NULL) {
        errno = ENOSYS;
        return number == MCR_NULL ? 0 : -1;
    }
    long result = mcr_syscall(number, a, b, c, d, e, f);
    if (result >= 0 || result < -4095)
        return result;
    errno = (int)-result;
    return -1;
}

#define X(name, raw, type, parameters)                                                                                 \
    static long bare_##name(long a, long b, long c, long d, long e, long f) { return bare_call(raw, a, b, c, d, e, f); }
MCR_HOOKS(X)
#undef X

struct mcr_real mcr_real = {
#define X(name, raw, type, parameters) .name = (void *)bare_##name,
    MCR_HOOKS(X)
#undef X
};

static const struct {
    const char *name;
    void **slot;
} table[] = {
#define X(name, raw, type, parameters) {#name, (void **)&mcr_real.name},
    MCR_HOOKS(X)
#undef X
};

void mcr_real_load(void) {
    static volatile int begun; /* also stops the recursion, should dlsym ever reach a hook */
    if (begun || __atomic_exchange_n(&begun, 1, __ATOMIC_ACQ_REL))
        return;
    bool missing = false;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        void *next = dlsym(RTLD_NEXT, table[i].name);
        if (next)
            *table[i].slot = next;
        else
            missing = true; /* an older libc: then no program can call it either */
    }
    if (missing)
        dlerror(); /* the program must not see our error */
}
