/*
 * stack.c - who called: unwinding by the tables of modules.c, and the call stack ID.
 *
 * No lock is taken and only the stack is read, between the stack pointer and the stack's end, so that this works in
 * signal handlers and never faults. On a stack that libmcr does not know (a signal stack, a coroutine) a walk ends with
 * the page. Each thread remembers the rows of the return addresses that it met last.
 */
#include "hooks.h"
#include "modules.h"
#include <string.h>
#include "host_safe.h"

enum { CACHED = 256 };

static const uint32_t has_row = 1u << 31; /* beside the flags of the name row */

/* What is known of a return address. Loaded and stored by one instruction: a signal handler meets no half entry. */
typedef uint64_t cached __attribute__((vector_size(16)));
union known {
    cached whole;
    struct {
        uint64_t pc;
        struct mcr_unwind_row row; /* row.pc = flags of the name row */
    };
};

static __thread cached cache[CACHED];
static __thread uint64_t cache_epoch;

static union known look_up(const struct mcr_modules *modules, uint64_t pc) {
    union known known = {.pc = pc};
    const struct mcr_loaded *module = mcr_module_at(modules, pc - 1);
    const struct mcr_unwind_row *row = module ? mcr_row_at(module, &module->unwind, pc - 1) : NULL;
    const struct mcr_name_row *name = module ? mcr_row_at(module, &module->names, pc - 1) : NULL;
    if (row)
        known.row = *row;
    known.row.pc = (name ? name->flags : 0) | (row ? has_row : 0);
    return known;
}

static union known know(const struct mcr_modules *modules, uint64_t pc) {
    cached *slot = &cache[(pc ^ pc >> 8) % CACHED];
    union known known = {.whole = *slot};
    if (__builtin_expect(known.pc != pc, 0)) {
        known = look_up(modules, pc);
        *slot = known.whole;
    }
    return known;
}

static const struct mcr_modules *take_modules(void) {
    const struct mcr_modules *modules = mcr_modules_now();
    if (__builtin_expect(modules && cache_epoch != modules->epoch, 0)) {
        memset(cache, 0, sizeof cache);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        cache_epoch = modules->epoch;
    }
    return modules;
}

static uint64_t stack_end(uint64_t sp) {
    if (sp >= mcr_self.stack_low && sp < mcr_self.stack_high)
        return mcr_self.stack_high;
    return (sp | 4095) + 1;
}

/* To the caller's frame. */
static bool step(struct mcr_frame *frame, struct mcr_unwind_row row, uint64_t end) {
    if (row.cfa == MCR_CFA_NONE)
        return false;
    uint64_t cfa = (row.cfa == MCR_CFA_RSP ? frame->sp : frame->bp) + 8ull * row.offset;
    if (cfa % 8 || cfa < frame->sp + 8 || cfa > end)
        return false;
    if (row.rbp_saved) {
        uint64_t saved = cfa - 8ull * row.rbp_saved;
        if (saved < frame->sp || saved > cfa)
            return false;
        frame->bp = *(const uint64_t *)saved;
    }
    frame->pc = *(const uint64_t *)(cfa - 8);
    frame->sp = cfa;
    return frame->pc != 0;
}

uint32_t mcr_stack_walk(struct mcr_frame frame, uint64_t *returns, uint32_t max) {
    const struct mcr_modules *modules = take_modules();
    uint64_t end = stack_end(frame.sp);
    uint32_t depth = 0;
    do
        returns[depth++] = frame.pc;
    while (depth < max && step(&frame, know(modules, frame.pc).row, end));
    return depth;
}

uint32_t mcr_stack_walk_site(struct mcr_frame frame, uint64_t *returns) {
    const struct mcr_modules *modules = take_modules();
    uint64_t end = stack_end(frame.sp);
    uint32_t depth = 0;
    for (;;) {
        returns[depth++] = frame.pc;
        if (depth == MCR_SITE_DEPTH)
            return depth;
        struct mcr_unwind_row row = know(modules, frame.pc).row;
        if (!(row.pc & MCR_NAME_WRAPPER) || !step(&frame, row, end))
            return depth;
    }
}

struct mcr_unwind_row mcr_stack_site_row(uint64_t pc) {
    struct mcr_unwind_row row = know(take_modules(), pc).row;
    return row.pc & MCR_NAME_WRAPPER ? row : (struct mcr_unwind_row){.cfa = MCR_CFA_NONE};
}

static enum mcr_owner owner_of(const struct mcr_modules *modules, uint64_t pc) {
    const struct mcr_loaded *module = mcr_module_at(modules, pc - 1);
    return module ? module->owner : MCR_OF_PROGRAM;
}

/* Without the outermost frames that started main or the thread. */
static uint32_t own_depth(const struct mcr_modules *modules, const uint64_t *returns, uint32_t depth) {
    struct mcr_unwind_row last = depth ? know(modules, returns[depth - 1]).row : (struct mcr_unwind_row){0};
    if (last.pc & has_row && last.cfa == MCR_CFA_NONE)
        depth--;
    while (depth && owner_of(modules, returns[depth - 1]) == MCR_OF_LIBC)
        depth--;
    return depth;
}

static uint64_t frame_hash(const struct mcr_loaded *module, uint64_t pc) {
    const struct mcr_name_row *name = mcr_row_at(module, &module->names, pc - 1);
    uint64_t offset = pc - module->bias;
    return name && name->hash ? name->hash : mcr_hash(&offset, sizeof offset, module->hash);
}

uint64_t mcr_stack_id(const uint64_t *returns, uint32_t depth) {
    const struct mcr_modules *modules = take_modules();
    uint64_t id = MCR_HASH_START;
    depth = own_depth(modules, returns, depth);
    for (uint32_t i = 0; i < depth; i++) {
        const struct mcr_loaded *module = mcr_module_at(modules, returns[i] - 1);
        if (module && module->owner != MCR_OF_LIBMCR)
            id = mcr_stack_fold(id, frame_hash(module, returns[i]));
    }
    return id;
}

uint64_t mcr_stack_here(struct mcr_frame frame) {
    uint64_t returns[MCR_CALL_DEPTH];
    return mcr_stack_id(returns, mcr_stack_walk(frame, returns, MCR_CALL_DEPTH));
}
