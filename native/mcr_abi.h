/*
 * mcr_abi.h - the bytes that libmcr.so, mcr_launch, libmcr_engine.so and the controller share.
 *
 * Bump MCR_ABI_VERSION whenever a size, offset, or meaning below changes. gdb_mcr/runtime_abi/layout.py mirrors this
 * file; a unit test reads the built library's DWARF and compares every offset.
 *
 * Tables are append-only arrays in the server's private memory; `count` is stored, with release order, behind the entry.
 */
#ifndef MCR_ABI_H
#define MCR_ABI_H

#include <stddef.h>
#include <stdint.h>

#define MCR_ABI_VERSION        4u
#define MCR_MAGIC              0x006c6f72746e6f63ull /* "control" */
#define MCR_SETTINGS_MAGIC     0x73676e6974746573ull /* "settings" */
#define MCR_MODULE_TABLE_MAGIC 0x656c75646f6d726dull /* "mrmodule" */

/* Descriptor numbers at exec; libmcr's constructor reads them and closes or moves them before anything else runs. */
#define MCR_SETTINGS_FD 250
#define MCR_CHANNEL_FD  251 /* only in a new process: one end of the controller's socketpair */

/* ---------------------------------------------------------------- heap geometry */
/* The heap window is MCR_BANKS banks. Generation g allocates new spans only in bank g % MCR_BANKS, so the spans of O and
 * N never meet although N starts while O still runs. A span is a run of pages; its id is (bank << 24 | index). */
#define MCR_PAGE_SHIFT      12
#define MCR_BANK_SHIFT      36
#define MCR_BANKS           16
#define MCR_SPAN_INDEX_BITS 24
#define MCR_SMALL_MAX       16384u /* larger requests get a span of their own */

enum mcr_span_kind {
    MCR_SPAN_UNUSED = 0,
    MCR_SPAN_FREE = 1,  /* a run of free pages */
    MCR_SPAN_SMALL = 2, /* slots of one size class */
    MCR_SPAN_LARGE = 3  /* one chunk */
};

struct mcr_span {
    uint64_t start;       /* address of its first byte, page-aligned */
    uint32_t pages;       /* length in pages */
    uint8_t kind;         /* enum mcr_span_kind */
    uint8_t size_class;   /* small only */
    uint16_t reserved;    /* zero */
    uint32_t slot_bytes;  /* bytes between slots; large: pages << MCR_PAGE_SHIFT when it fits, else 0 */
    uint32_t slot_count;  /* slots in the span; large: 1 */
    uint64_t slots;       /* address of struct mcr_slot[slot_count] */
    uint64_t large_size;  /* large only: the exact requested size in bytes */
    uint32_t private_[6]; /* the allocator's own list links and counters */
};

enum mcr_slot_flag {
    MCR_SLOT_LIVE = 1,      /* allocated and not freed; every other flag is meaningless without it */
    MCR_SLOT_STARTUP = 2,   /* in the allocation log (realloc keeps the identity) */
    MCR_SLOT_INHERITED = 4, /* came from the process before this one */
    MCR_SLOT_PLACED = 8,    /* N only: at O's address because the placement plan said so */
    MCR_SLOT_CACHED = 16    /* free, in a thread cache */
};

struct mcr_slot {
    uint16_t size;      /* exact requested size in bytes (small spans only) */
    uint8_t generation; /* of the process that allocated it */
    uint8_t flags;      /* enum mcr_slot_flag */
    uint32_t site;      /* index in the site table; free slots: next free slot's index + 1 */
};

#define MCR_SITE_DEPTH 6
struct mcr_site {
    uint32_t generation;
    uint32_t depth;                   /* return addresses in use, innermost first */
    uint64_t returns[MCR_SITE_DEPTH]; /* absolute return addresses in that generation's modules */
};

/* ---------------------------------------------------------------- start-up log */
/* X(name): every logged operation. Order is ABI. */
/* clang-format off */
#define MCR_OPERATIONS(X) \
    X(SOCKET) X(SOCKETPAIR) X(BIND) X(LISTEN) X(CONNECT) X(ACCEPT) X(OPEN) X(FOPEN) X(DUP) X(DUP2) X(PIPE) X(EVENTFD) \
    X(EPOLL_CREATE) X(TIMERFD) X(SIGNALFD) X(INOTIFY) X(MEMFD) X(CLOSE) X(FCLOSE) X(SETSOCKOPT) X(FCNTL) X(MMAP) \
    X(SHMGET) X(FORK) X(VFORK) X(CLONE) X(DAEMON) X(THREAD_CREATE) X(GETPID) X(GETPPID) X(GETTID) X(SETSID) \
    X(RANDOM) X(TIME) X(UNLINK) X(RENAME) X(TRUNCATE) X(KILL) X(LOCK) X(SEND) X(DLOPEN)
/* clang-format on */

enum mcr_operation_kind {
#define X(name) MCR_OP_##name,
    MCR_OPERATIONS(X)
#undef X
        MCR_OPERATION_KINDS
};

enum mcr_operation_flag {
    MCR_OPF_MATCHED = 1,  /* N: agreed with O's log and was replayed */
    MCR_OPF_LIVE = 2,     /* N: not in O's log (or its object is gone); ran live */
    MCR_OPF_CONFLICT = 4, /* N: same call stack in O's log, but other arguments on an immutable object */
    MCR_OPF_WITHHELD = 8, /* N: an effect on the outside, kept back until commit */
    MCR_OPF_GONE = 16     /* O: the object was closed or its number reused since; no longer matches */
};

struct mcr_operation {
    uint32_t seq;       /* its index in the log */
    uint16_t kind;      /* enum mcr_operation_kind */
    uint16_t flags;     /* enum mcr_operation_flag */
    uint32_t thread;    /* index in the thread table */
    int32_t error;      /* errno, 0 on success */
    uint64_t stack_id;  /* call stack ID, MCR_STACK_* below */
    int64_t result;     /* what the call returned */
    int64_t args[6];    /* as passed; descriptors, flags, addresses; results of pipe-like calls in args[0..1] */
    uint64_t blob;      /* offset in the blob table: path, sockaddr, random bytes, struct timespec */
    uint32_t blob_size; /* bytes */
    int32_t match;      /* N: seq of O's operation that it was matched with, -1 none */
    uint32_t depth;     /* return addresses in the blob table at `returns` */
    uint32_t reserved;  /* zero */
    uint64_t returns;   /* offset in the blob table: uint64_t[depth], innermost first */
};

/* One start-up allocation. `addr` and `size` follow realloc as long as it lives. */
enum mcr_allocation_flag {
    MCR_ALLOC_FREED = 1,
    MCR_ALLOC_PLACED = 2,  /* N: at the address of plan entry `plan` */
    MCR_ALLOC_PLANNED = 4, /* N: `plan` names O's allocation, but it did not fit there */
    MCR_ALLOC_DIVERGED = 8 /* N: the rehearsal had another size at this point */
};

struct mcr_allocation {
    uint32_t seq;      /* its index in the log */
    uint32_t thread;   /* index in the thread table */
    uint64_t stack_id; /* call stack ID of the allocation */
    uint32_t nth;      /* 0-based count among this thread's allocations with this stack_id */
    uint32_t site;     /* index in the site table */
    uint64_t addr;
    uint64_t size;                 /* exact requested size now, bytes */
    uint64_t first_size;           /* as first requested */
    uint64_t base_addr, base_size; /* at the end of start-up, where the snapshot has it; size 0 = freed before that */
    uint32_t flags;                /* enum mcr_allocation_flag */
    int32_t plan;                  /* N: seq in O's allocation log, -1 none */
};

/* What a thread waits for; also the stop point classes of DESIGN section 5. */
enum mcr_wait_kind {
    MCR_WAIT_NONE = 0,
    MCR_WAIT_EXTERNAL = 1, /* accept, epoll_wait, poll, select, recv on a blocking socket */
    MCR_WAIT_TIMED = 2,    /* sleeps and waits with a timeout */
    MCR_WAIT_INTERNAL = 3, /* cond_wait, sem_wait, join: another thread ends it */
    MCR_WAIT_HELD = 4      /* held by libmcr */
};

struct mcr_thread {
    uint32_t index; /* its index in the table; 0 is the initial thread */
    int32_t tid;
    uint64_t creation_id;   /* call stack ID of its pthread_create, 0 for the initial thread */
    uint32_t ordinal;       /* 0-based count among threads of this creation_id */
    uint32_t parent;        /* index of the creating thread */
    uint64_t start_routine; /* absolute address, 0 for the initial thread */
    uint64_t handle;        /* pthread_t */
    volatile uint32_t wait; /* enum mcr_wait_kind */
    volatile uint32_t waited_once;
    volatile uint32_t exited;
    uint32_t reserved;
    volatile uint64_t wait_pc; /* return address of the wait wrapper's caller */
};

struct mcr_module {
    uint32_t generation;
    uint32_t build_id_size;
    uint8_t build_id[32];
    uint64_t base;       /* load bias: address = bias + ELF virtual address */
    uint64_t start, end; /* [start, end) of its mappings */
    char path[256];
};

/* Region of the snapshot: bytes of [address, address + size) stand at snapshot address + offset. Sorted by address. Pages
 * of the heap banks and of writable data that no region covers had not been touched: they read as zero. */
struct mcr_region {
    uint64_t address;
    uint64_t size;
    uint64_t offset;
};

struct mcr_input { /* a file read in start-up */
    uint64_t device, inode, size;
    int64_t mtime_ns;
    uint64_t hash;  /* FNV-1a of its bytes as read at end of start-up, 0 if unreadable */
    uint64_t path;  /* offset in the blob table, NUL-terminated */
    uint64_t early; /* control.early[early % MCR_EARLY] is what memory was before it was read, if its number is this */
};

/* ---------------------------------------------------------------- launch facts */
struct mcr_launch_facts {
    uint32_t argc, envc;
    uint64_t strings;      /* offset in the blob table: argv strings, then environment strings, each NUL-terminated */
    uint64_t strings_size; /* bytes; libmcr's own LD_PRELOAD entry is already taken out */
    uint32_t ruid, euid, suid, rgid, egid, sgid;
    uint32_t umask, ngroups;
    uint32_t groups[64];
    uint64_t capabilities[5]; /* inheritable, permitted, effective, bounding, ambient */
    uint64_t rlimits[16][2];  /* soft, hard, by RLIMIT_ number */
    uint64_t signal_mask;     /* bit n-1 is signal n */
    uint64_t signals_ignored;
    uint8_t affinity[128];
    uint8_t at_random[16];
    uint64_t namespaces[8]; /* inode numbers: cgroup ipc mnt net pid time user uts */
    char cwd[4096];
    char root[4096];
    char exe[4096];
};

/* ---------------------------------------------------------------- control block */
enum mcr_role { MCR_ROLE_OFF = 0, MCR_ROLE_RECORD = 1, MCR_ROLE_REPLAY = 2, MCR_ROLE_REHEARSE = 3 };

enum mcr_state {
    MCR_STATE_STARTING = 0, /* the constructor runs */
    MCR_STATE_STARTUP = 1,  /* start-up is recorded (and, in N, replayed) */
    MCR_STATE_SERVING = 2,  /* start-up has ended (O), or N was released */
    MCR_STATE_HELD = 3,     /* N: its initial thread serves the channel */
    MCR_STATE_DISABLED = 4  /* an error; every hook forwards */
};

enum mcr_error {
    MCR_OK = 0,
    MCR_ERROR_SETTINGS = 1, /* settings missing or of another version */
    MCR_ERROR_WINDOW = 2,   /* the heap window could not be reserved */
    MCR_ERROR_MEMORY = 3,   /* mmap failed for libmcr's own tables */
    MCR_ERROR_CHANNEL = 4,  /* the channel broke or sent nonsense */
    MCR_ERROR_INHERIT = 5,  /* a descriptor could not be put at its number */
    MCR_ERROR_HEAP = 6,     /* free or realloc of an address that is no chunk */
    MCR_ERROR_TABLE_FULL = 7,
    MCR_ERROR_SNAPSHOT = 8
};

enum mcr_hold {
    MCR_HOLD_NONE = 0,
    MCR_HOLD_ALL = 1, /* every thread that arrives at an external or timed wait */
    MCR_HOLD_IDLE = 2 /* of those only the ones for which nothing has come: time does not pass for them */
};

/* OPEN and CLOSE are the controller's, the rest libmcr's. */
enum mcr_tracker_request {
    MCR_TRACKER_NONE = 0, /* nothing is asked, it has been done, or it could not be done */
    MCR_TRACKER_OPEN = 1,
    MCR_TRACKER_CLOSE = 2,
    MCR_TRACKER_BUSY = 3,
    MCR_TRACKER_OPENED = 4 /* done; unless CLOSE comes the next wait after MCR_TRACKER_LEASE_MS closes it */
};
#define MCR_TRACKER_LEASE_MS 2000 /* many times what a controller takes for its copy */

/* SIGNAL and EVENT are the controller's, the rest libmcr's. */
enum mcr_unblock_request {
    MCR_UNBLOCK_NONE = 0, /* nothing is asked, or it has been done */
    MCR_UNBLOCK_SIGNAL = 1,
    MCR_UNBLOCK_EVENT = 2,
    MCR_UNBLOCK_BUSY = 3
};

struct mcr_table {
    uint64_t address; /* of entry 0 */
    uint64_t count;   /* entries in use */
    uint64_t capacity;
    uint32_t entry_size;
    uint32_t reserved;
};

struct mcr_bank {
    uint64_t start;      /* address of its first page */
    uint64_t used_pages; /* pages [0, used_pages) were ever part of a span */
    uint64_t spans;      /* address of struct mcr_span[] */
    uint64_t span_count; /* spans in use or once used; check kind */
};

#define MCR_EARLY 4u      /* the latest ones are kept */
struct mcr_early {        /* memory in the middle of start-up, before an input was read; the allocation log is in it */
    uint64_t number;      /* from 1, 0 = none here */
    uint64_t allocations; /* logged before */
    uint64_t address, size; /* as snapshot_address, snapshot_size */
    struct mcr_table regions;
};

struct mcr_control {
    uint64_t magic; /* MCR_MAGIC, stored last */
    uint32_t version;
    uint32_t size;           /* sizeof(struct mcr_control) */
    uint32_t role;           /* enum mcr_role */
    volatile uint32_t state; /* enum mcr_state */
    volatile uint32_t error; /* enum mcr_error: the first one */
    uint32_t error_line;
    char error_text[96];
    uint8_t instance[16]; /* random identity of this start */
    uint32_t generation;
    int32_t pid;
    uint64_t startup_end_ns; /* CLOCK_MONOTONIC; 0 while start-up lasts */

    /* Quiescence: the words that the controller writes in O. `hold` is a futex, enum mcr_hold. */
    volatile uint32_t hold;
    volatile uint32_t held;             /* threads held now */
    volatile uint64_t hold_deadline_ns; /* CLOCK_MONOTONIC; threads run on after it whatever `hold` says */
    /* Which pages O writes: the controller asks, a thread on its way to a wait serves it (tracker.c). */
    volatile uint32_t tracker;   /* enum mcr_tracker_request */
    volatile int32_t tracker_fd; /* O's userfaultfd while it is open, -1, or -errno of the last request */
    /* A thread is to come out of a blocking call: the controller asks, a held thread serves it (unblock.c). */
    volatile uint32_t unblock;          /* enum mcr_unblock_request */
    volatile int32_t unblock_target;    /* SIGNAL: thread id; EVENT: descriptor */
    volatile uint32_t unblock_argument; /* SIGNAL: its number; EVENT: bytes to write, 8 for an eventfd, else 1 */
    volatile int32_t unblock_result;    /* of the last request: 0 or -errno */

    uint64_t window; /* heap window address, 0 without one */
    uint64_t window_size;
    struct mcr_bank banks[MCR_BANKS];

    struct mcr_table operations, allocations, threads, sites, modules, inputs, snapshot, blobs;
    uint64_t snapshot_address; /* mapping of the sealed memfd, 0 before the end of start-up */
    uint64_t snapshot_size;
    struct mcr_launch_facts facts;

    uint64_t private_ranges[64][2]; /* [start, end) of libmcr's own memory: never traced or moved */
    uint32_t private_range_count;
    int32_t highest_fd; /* the highest descriptor number seen */
    int32_t channel_fd; /* N: where the channel stands now, -1 none */
    uint32_t withheld;  /* operations withheld so far */
    struct mcr_early early[MCR_EARLY];
};

/* ---------------------------------------------------------------- settings (a sealed memfd at MCR_SETTINGS_FD) */
/* Variable parts follow the struct; offsets are from its start. */
struct mcr_settings {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* bytes of the whole memfd */
    uint32_t role; /* enum mcr_role */
    uint32_t generation;
    uint64_t window;     /* N: O's window; 0 = choose one at random */
    uint32_t first_page; /* N: of its bank; those below it may hold chunks of a much older generation */
    uint32_t startup_timeout_ms;
    int32_t old_pid;         /* N */
    int32_t placeholder_end; /* N: numbers [0, placeholder_end) that nothing inherited takes are filled before main */
    int32_t private_fd;      /* N: the channel is moved to this number or the next free one below */
    uint32_t watchdog_ms;    /* N: killed by a timer if it was not released after this time; 0 = never */
    uint64_t module_tables, module_table_count; /* struct mcr_settings_module[] */
    uint64_t operations, operation_count;       /* N: O's struct mcr_operation[] with blob offsets into `blobs` */
    uint64_t threads, thread_count;             /* N: O's struct mcr_thread[] */
    uint64_t blobs, blob_size;                  /* N: O's blob table */
    uint64_t plan, plan_count;                  /* N: struct mcr_plan_entry[], sorted by (thread key, stack_id, nth) */
    uint64_t spans, span_count;                 /* N: struct mcr_span[] of O that plan entries lie in; `slots` is 0 */
    uint64_t inherited, inherited_count;        /* N: struct mcr_inherited_fd[] that the channel will deliver first */
};

/* A module table file, mapped by libmcr when the module of that build-id is loaded. */
struct mcr_settings_module {
    uint8_t build_id[32];
    uint32_t build_id_size;
    uint32_t reserved;
    char path[512]; /* of the table file */
};

struct mcr_plan_entry {
    uint64_t thread_key; /* mcr_thread_key(creation_id, ordinal) */
    uint64_t stack_id;
    uint32_t nth;
    int32_t old_seq;   /* in O's allocation log */
    uint64_t size;     /* that the rehearsal asked for; another size means DIVERGED */
    uint64_t address;  /* where to put it; 0 = anywhere (too large for O's place) */
    uint64_t capacity; /* bytes available at address */
};

struct mcr_inherited_fd {
    int32_t number;
    uint32_t cloexec; /* 0, 1; in settings also one of these */
};
#define MCR_FD_HANDED_DOWN 2u /* a forked child has it from its parent */
#define MCR_FD_LATE        4u /* the child's start-up still has another one there; it comes when the child is held */

/* ---------------------------------------------------------------- channel */
/*
 * One SOCK_SEQPACKET message a command, one a reply of the same kind: struct mcr_message, then its payload. Descriptors
 * travel as SCM_RIGHTS. Every command is answered; `status` of the answer is 0 or -errno. If the controller's end is
 * closed before COMMIT, N removes what it created and dies.
 *
 * Order: while N's constructor runs, as many FDS as it takes to deliver settings->inherited (each is answered), then
 * HELLO comes unasked. At the end of N's start-up HELD comes unasked; from then on all commands are served. HELD with
 * status -EPROTO, at any time: N's libmcr has failed, control.error says why. After the answer to COMMIT with status 0
 * N's end is closed.
 *
 * SYSCALLS: the data part follows the last struct mcr_remote_syscall; the answer has the structs with their results and
 * the data part as the calls left it. After an error with `stop_on_error` the rest is not made: their results are
 * -ECANCELED, and the answer's status is that error. SNAPSHOT: control.snapshot is filled. FORGET, ALLOCATE: `count`
 * words. COMMIT: if a process may not be killed (-EPERM), nothing has happened; the one descriptor in excess of `count`
 * is an error. If N takes locks it waits 10 ms at most for their ends (births.c: forked children).
 */
#define MCR_CHANNEL_PAYLOAD 65536u /* bytes after struct mcr_message at most; more goes by memfd */
#define MCR_CHANNEL_FDS     250u   /* descriptors in one message at most */

enum mcr_command_kind {
    MCR_CMD_HELLO = 1,    /* N -> controller, unasked: the constructor has run */
    MCR_CMD_HELD = 2,     /* N -> controller, unasked: the initial thread is held */
    MCR_CMD_FDS = 3,      /* numbers follow (struct mcr_inherited_fd[]), descriptors attached: put each at its number */
    MCR_CMD_SYSCALLS = 4, /* struct mcr_remote_syscall[]: run them in order; the reply carries the results */
    MCR_CMD_SNAPSHOT = 5, /* take the base snapshot now */
    MCR_CMD_ADOPT = 6,    /* one memfd attached: struct mcr_adoption, spans, slots, sites, modules */
    MCR_CMD_COMMIT = 7,   /* one pidfd attached for each old process: kill them, then release all threads */
    MCR_CMD_ALLOCATE = 9, /* uint64_t[] sizes; the reply carries uint64_t[] addresses of new chunks, 0 = no memory */
    MCR_CMD_FORGET = 8,   /* free chunks of N that nothing points to: uint64_t[] addresses */
    MCR_CMD_NUDGE = 10,   /* uint64_t[] thread indexes: waits for conditions that end, as if spuriously, at release */
    MCR_CMD_BORN = 11,    /* N -> controller, unasked: uint64_t[2] stack ID of a fork, pid; the channel attached */
    MCR_CMD_SETTINGS = 12 /* to a forked child, first of all: its settings attached; without: O has no such child */
};

struct mcr_message {
    uint32_t kind;  /* enum mcr_command_kind */
    uint32_t count; /* entries that follow, or descriptors attached */
    int64_t status; /* replies: 0 or -errno */
};

struct mcr_remote_syscall {
    int64_t number;
    uint64_t args[6]; /* an argument with its bit in `pointers` set is an offset into the message's data part */
    uint32_t pointers;
    uint32_t stop_on_error;
    int64_t result; /* reply: value or -errno */
};

/* Start of the memfd of MCR_CMD_ADOPT; offsets are from its start. */
struct mcr_chunk_size { /* of a chunk whose object has another size in N's layout than in O's */
    uint64_t address, size;
};

struct mcr_adoption {
    uint64_t spans, span_count;     /* struct mcr_span[]; `slots` = offset of struct mcr_slot[] in the memfd */
    uint64_t sites, site_count;     /* struct mcr_site[] */
    uint64_t modules, module_count; /* struct mcr_module[] of earlier generations */
    uint64_t sizes, size_count;     /* struct mcr_chunk_size[]: they hold instead of what the slots say */
    uint64_t bank_used[MCR_BANKS];  /* pages of O's banks up to the last span with chunks */
};

/* ---------------------------------------------------------------- module tables (files, cached by build-id) */
struct mcr_module_table {
    uint64_t magic;
    uint32_t version;
    uint32_t build_id_size;
    uint8_t build_id[32];
    uint64_t rows, row_count;   /* struct mcr_unwind_row[], sorted by pc, offset from the file's start */
    uint64_t names, name_count; /* struct mcr_name_row[], sorted by pc */
};

/* Row: valid from `pc` (ELF virtual address) to the next row's pc. */
#define MCR_CFA_NONE 0u /* cannot be unwound; or the outermost frame */
#define MCR_CFA_RSP  1u /* CFA = rsp + offset */
#define MCR_CFA_RBP  2u /* CFA = rbp + offset */
struct mcr_unwind_row {
    uint32_t pc;
    uint32_t cfa : 2;        /* MCR_CFA_* */
    uint32_t offset : 15;    /* words of 8 bytes */
    uint32_t rbp_saved : 15; /* rbp stands at CFA - 8 * rbp_saved; 0 = rbp unchanged by this frame */
};

#define MCR_NAME_WRAPPER 1u /* the function hands out what it allocates: the site is in its caller */
struct mcr_name_row {
    uint32_t pc;
    uint32_t flags;
    uint64_t hash; /* mcr_hash of the inline chain's names, innermost first, each followed by a NUL; 0 = no function */
};

#include "mcr_launch_plan.h"

/* ---------------------------------------------------------------- call stack IDs */
static inline uint64_t mcr_hash(const void *data, size_t size, uint64_t hash) { /* FNV-1a, 64 bit */
    const unsigned char *byte = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3ull;
    return hash;
}
#define MCR_HASH_START 0xcbf29ce484222325ull

/* The ID folds the frames' hashes, starting from MCR_HASH_START, innermost first; frames of libmcr, and of libc below
 * main or a thread's start routine (_start, too), are left out. Functions without a name get a name row all the same: "soname+0xFDE-start". */
static inline uint64_t mcr_stack_fold(uint64_t id, uint64_t frame_hash) {
    id = (id ^ frame_hash) * 0x9e3779b97f4a7c15ull;
    return id ^ (id >> 29);
}

static inline uint64_t mcr_thread_key(uint64_t creation_id, uint32_t ordinal) {
    return mcr_stack_fold(creation_id, ordinal);
}

_Static_assert(sizeof(struct mcr_slot) == 8, "a slot is eight bytes");
_Static_assert(sizeof(struct mcr_span) == 64, "a span is one cache line");
_Static_assert(sizeof(struct mcr_unwind_row) == 8, "a row is eight bytes");
_Static_assert(sizeof(struct mcr_name_row) == 16, "a name row is sixteen bytes");
_Static_assert(offsetof(struct mcr_operation, stack_id) == 16, "operation layout");
_Static_assert(offsetof(struct mcr_control, state) == 20, "control block layout");

#endif
