/*
 * threads.c - the thread table: who creates each thread, under which identity, and where its stack is.
 *
 * A thread enters the table when pthread_create is called, or, if it came to life in another way, at its first hook.
 * Entries of start-up stay for ever, since the log refers to them; later ones are used again after their thread's end,
 * so that a server with a thread for each connection does not fill the table.
 */
#include "hooks.h"
#include <limits.h>
#include <string.h>
#include "host_safe.h"

enum {
    CAPACITY = 65536,
    GRAVE = CAPACITY - 1, /* never counted: threads that are ending, or for which there is no room */
    KEEP = 4096,          /* entries used before any is used again */
    ORDINALS = 1024
};

struct start {
    void *(*run)(void *);
    void *argument;
};

__thread struct mcr_self mcr_self __attribute__((tls_model("initial-exec")));

static struct start *starts;
static uint64_t (*stacks)[2];
static uint32_t initial, reusable; /* index; index + 1 of the first free entry, linked through `reserved` */
static uint64_t default_stack;
static pthread_key_t key;
static struct {
    uint64_t creation_id;
    uint32_t used, next;
} ordinals[ORDINALS];

static struct mcr_thread *entry_at(uint64_t i) { return (struct mcr_thread *)mcr_control.threads.address + i; }

static uint32_t next_ordinal(uint64_t creation_id) {
    for (uint32_t i = 0; i < ORDINALS; i++) {
        uint32_t slot = (uint32_t)(creation_id + i) % ORDINALS;
        if (!ordinals[slot].used) {
            ordinals[slot].used = 1;
            ordinals[slot].creation_id = creation_id;
        }
        if (ordinals[slot].creation_id == creation_id)
            return ordinals[slot].next++;
    }
    return UINT32_MAX; /* more kinds of threads than anybody writes: they are no longer told apart */
}

/* An entry that says who creates the thread; GRAVE if there is no room. */
static uint32_t claim(uint64_t creation_id, bool created) {
    uint64_t index = GRAVE;
    bool fresh = false;
    mcr_lock_take(&mcr_locks.threads);
    if (reusable && mcr_control.threads.count >= KEEP) {
        index = reusable - 1;
        reusable = entry_at(index)->reserved;
    } else {
        fresh = mcr_table_add(&mcr_control.threads, &index) && index < GRAVE;
    }
    uint32_t ordinal = created ? next_ordinal(creation_id) : 0;
    mcr_lock_drop(&mcr_locks.threads);
    if (index >= GRAVE) {
        MCR_DISABLE(MCR_ERROR_TABLE_FULL, "too many threads");
        return GRAVE;
    }
    *entry_at(index) = (struct mcr_thread){
        .index = (uint32_t)index,
        .creation_id = creation_id,
        .ordinal = ordinal,
        .parent = created ? mcr_thread_index() : 0,
    };
    if (fresh)
        mcr_table_publish(&mcr_control.threads, index);
    return (uint32_t)index;
}

static void release(uint32_t index) {
    if (index == GRAVE)
        return;
    struct mcr_thread *thread = entry_at(index);
    thread->wait = MCR_WAIT_NONE;
    thread->exited = 1;
    if (mcr_control.state == MCR_STATE_STARTUP)
        return;
    mcr_lock_take(&mcr_locks.threads);
    thread->reserved = reusable;
    reusable = index + 1;
    mcr_lock_drop(&mcr_locks.threads);
}

/* The caller becomes the thread of that entry. */
static void become(uint32_t index, uint64_t stack_low, uint64_t stack_high) {
    struct mcr_thread *thread = entry_at(index);
    mcr_self.thread = index + 1;
    mcr_self.stack_low = stack_low;
    mcr_self.stack_high = stack_high;
    if (index == GRAVE)
        return;
    stacks[index][0] = stack_low;
    stacks[index][1] = stack_high;
    thread->handle = (uint64_t)pthread_self();
    thread->tid = (int32_t)MCR_SYS(gettid);
}

uint32_t mcr_thread_index(void) {
    if (!mcr_self.thread) {
        if (!starts)
            return 0;                /* libmcr's constructor has not run: this is the initial thread */
        mcr_self.thread = GRAVE + 1; /* for a signal handler that comes now */
        become(claim(0, false), 0, 0);
        pthread_setspecific(key, (void *)1);
    }
    return mcr_self.thread - 1;
}

struct mcr_thread *mcr_thread_here(void) { return entry_at(mcr_thread_index()); }

struct mcr_thread *mcr_thread_initial(void) { return entry_at(initial); }

bool mcr_thread_is_initial(void) { return mcr_thread_index() == initial; }

uint64_t mcr_thread_self_key(void) {
    const struct mcr_thread *thread = mcr_thread_here();
    return mcr_thread_key(thread->creation_id, thread->ordinal);
}

bool mcr_threads_all_waited(void) {
    uint64_t count = __atomic_load_n(&mcr_control.threads.count, __ATOMIC_SEQ_CST);
    for (uint64_t i = 0; i < count; i++)
        if (!entry_at(i)->exited && !entry_at(i)->waited_once)
            return false;
    return true;
}

uint64_t mcr_thread_stack(uint64_t i, uint64_t *high) {
    *high = entry_at(i)->exited ? 0 : stacks[i][1];
    return *high ? stacks[i][0] : 0;
}

/* Runs in the last of the four rounds of destructors, so that those of the program still have a thread around them. */
static void thread_ends(void *round) {
    if ((uint64_t)round < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(key, (char *)round + 1);
        return;
    }
    mcr_heap_thread_exit();
    uint32_t index = mcr_self.thread - 1;
    mcr_self.thread = GRAVE + 1;
    release(index);
}

static void *thread_begins(void *argument) {
    uint32_t index = (uint32_t)(uint64_t)argument;
    struct start start = starts[index];
    uint64_t high = (uint64_t)__builtin_frame_address(0) + 16;
    become(index, high - stacks[index][0], high);
    pthread_setspecific(key, (void *)1);
    return start.run(start.argument); /* a jump: the program's function stands on the stack where we stood */
}

static uint64_t stack_size(const pthread_attr_t *attributes) {
    size_t size = 0;
    return attributes && pthread_attr_getstacksize(attributes, &size) == 0 ? size : default_stack;
}

int mcr_hook_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    struct mcr_frame frame = MCR_CALLER();
    struct mcr_call call = MCR_CALL(THREAD_CREATE, GRAVE, (int64_t)run);
    mcr_real_load();
    if (!starts)
        return mcr_real.pthread_create(ret, attributes, run, argument);
    mcr_call_begin(&call, frame);
    uint32_t index = claim(call.silent ? mcr_stack_here(frame) : call.stack_id, true);
    if (index == GRAVE)
        return mcr_real.pthread_create(ret, attributes, run, argument);
    entry_at(index)->start_routine = (uint64_t)run;
    starts[index] = (struct start){run, argument};
    stacks[index][0] = stack_size(attributes); /* its bounds are known when it runs */
    stacks[index][1] = 0;
    int error = mcr_real.pthread_create(ret, attributes, thread_begins, (void *)(uint64_t)index);
    if (error)
        release(index);
    call.args[0] = index;
    call.result = error;
    call.error = error;
    mcr_call_end(&call);
    return error;
}

static void fork_prepare(void) {
    if (!mcr_self.busy) {
        mcr_lock_take(&mcr_locks.threads);
        mcr_lock_take(&mcr_locks.replay);
        mcr_lock_take(&mcr_locks.effects);
        mcr_lock_take(&mcr_locks.ranges);
    }
    mcr_heap_fork_prepare();
}

static void fork_parent(void) {
    mcr_heap_fork_parent();
    if (mcr_self.busy)
        return;
    mcr_lock_drop(&mcr_locks.ranges);
    mcr_lock_drop(&mcr_locks.effects);
    mcr_lock_drop(&mcr_locks.replay);
    mcr_lock_drop(&mcr_locks.threads);
}

static void fork_child(void) {
    memset(&mcr_locks, 0, sizeof mcr_locks);
    mcr_heap_fork_child();
    mcr_control.pid = (int32_t)MCR_SYS(getpid);
    mcr_control.hold = mcr_control.held = 0;
    mcr_table_fork_child(&mcr_control.operations);
    mcr_table_fork_child(&mcr_control.inputs);
    mcr_table_fork_child(&mcr_control.threads);
    uint32_t self = mcr_thread_index();
    for (uint64_t i = 0; i < mcr_control.threads.count; i++)
        entry_at(i)->exited = i != self;
    initial = self;
    if (self < GRAVE)
        entry_at(self)->tid = (int32_t)MCR_SYS(gettid);
    mcr_startup_begin();
    if (mcr_unreleased)
        mcr_watchdog_start(); /* timers are not inherited */
}

bool mcr_threads_init(uint64_t stack_top) {
    struct rlimit limit = {8 << 20, 8 << 20};
    pthread_attr_t attributes;
    if (!mcr_table_init(&mcr_control.threads, sizeof(struct mcr_thread), CAPACITY))
        return false;
    stacks = mcr_map(CAPACITY * sizeof *stacks);
    struct start *table = mcr_map(CAPACITY * sizeof *table);
    if (!stacks || !table || pthread_key_create(&key, thread_ends) != 0)
        return false;
    if (pthread_getattr_default_np(&attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &default_stack);
        pthread_attr_destroy(&attributes);
    }
    starts = table;
    MCR_SYS(prlimit64, 0, RLIMIT_STACK, NULL, &limit);
    uint64_t size = limit.rlim_cur < ((uint64_t)1 << 32) ? limit.rlim_cur : (uint64_t)1 << 32;
    initial = claim(0, false);
    become(initial, stack_top - size, stack_top);
    pthread_setspecific(key, (void *)1);
    pthread_atfork(fork_prepare, fork_parent, fork_child);
    return true;
}
