/*
 * main.c - libmcr.so's constructor, which runs before those of all other libraries (-z initfirst).
 *
 * Without settings the library is off: every hook forwards, and only the allocator serves, without a log. With them
 * the process is O (RECORD) or N (REPLAY, REHEARSE). The order below is that of who needs whom; nothing of the program
 * has run yet, except that other libraries' resolvers may have called hooks, which make bare system calls until now.
 */
#include "hooks.h"
#include <string.h>
#include <sys/auxv.h>
#include "host_safe.h"

enum { BLOBS = 256 << 20 /* address space; used as needed */ };

/* The kernel puts the name of the executable at the very top of the stack (fs/exec.c, bprm->exec). */
static uint64_t stack_top(char **argv) {
    const char *name = (const char *)getauxval(AT_EXECFN);
    uint64_t end = name ? (uint64_t)name + strlen(name) + 1 : (uint64_t)argv;
    return (end + 4095) & ~(uint64_t)4095;
}

static bool memory_fails(void) {
    MCR_DISABLE(MCR_ERROR_MEMORY, "no memory for libmcr's own tables");
    return false;
}

static bool init_tables(void) {
    return mcr_table_init(&mcr_control.blobs, 1, BLOBS) && mcr_fds_init() && mcr_operations_init() &&
           mcr_inputs_init() && mcr_effects_init();
}

/* The channel comes first: once it is open, its end tells the controller that this process is gone. */
static bool meet_controller(void) {
    if (!mcr_channel_open() && mcr_control.role == MCR_ROLE_REPLAY) {
        MCR_DISABLE(MCR_ERROR_CHANNEL, "no channel came with the exec");
        return false;
    }
    if (mcr_control.channel_fd >= 0 && mcr_channel_greet() != 0) {
        MCR_DISABLE(MCR_ERROR_INHERIT, "the descriptors to inherit did not come");
        return false;
    }
    if (!mcr_replay_init() || !mcr_conditions_init() || !mcr_births_init())
        return memory_fails();
    mcr_fds_fill(mcr_settings->placeholder_end);
    return true;
}

static bool start_up(int argc, char **argv, char **envp) {
    mcr_control.role = mcr_settings->role;
    mcr_control.generation = mcr_settings->generation;
    mcr_unreleased = mcr_control.role == MCR_ROLE_REPLAY || mcr_control.role == MCR_ROLE_REHEARSE;
    if (mcr_unreleased)
        mcr_watchdog_start();
    mcr_settings_forget_preload(envp, mcr_own_path());
    if (!init_tables())
        return memory_fails();
    mcr_facts_fill(argc, argv, envp);
    if (!mcr_heap_init() || !mcr_threads_init(stack_top(argv)))
        return memory_fails();
    mcr_stack_load_modules();
    if (mcr_unreleased && !meet_controller())
        return false;
    mcr_fds_log_exec();
    mcr_exec_init();
    mcr_startup_begin();
    return true;
}

/* Off: threads are followed all the same, so that their part of the heap comes back when they end. */
static bool stay_off(char **argv) { return mcr_heap_init() && mcr_threads_init(stack_top(argv)) && false; }

__attribute__((constructor)) static void mcr_start(int argc, char **argv, char **envp) {
    mcr_self.busy++;
    mcr_real_load();
    mcr_control_init();
    mcr_control.role = MCR_ROLE_OFF;
    bool on = mcr_settings_open();
    bool ready = on && mcr_settings->role != MCR_ROLE_OFF ? start_up(argc, argv, envp) : stay_off(argv);
    mcr_self.busy--;
    uint32_t starting = MCR_STATE_STARTING; /* not DISABLED meanwhile */
    __atomic_compare_exchange_n(&mcr_control.state, &starting,
                                ready ? (uint32_t)MCR_STATE_STARTUP : (uint32_t)MCR_STATE_DISABLED, false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    __atomic_store_n(&mcr_control.magic, MCR_MAGIC, __ATOMIC_RELEASE);
}
