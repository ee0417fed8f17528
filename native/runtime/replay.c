/*
 * replay.c - N follows O's start-up log.
 *
 * A call of N is the same as a logged one if thread, kind and call stack ID agree and the arguments do, too. Addresses
 * are no arguments. A descriptor is compared by the object it stands for: the log entry that made it. Each entry of O
 * is used once, in its order; one whose object is gone never matches, but is remembered as the `peer`, so that what N
 * does with its own object can still be compared with what O did.
 *
 * A frame that a tail call hides or shows changes the ID: an entry whose stack is one frame longer or shorter matches
 * if it is the only one with equal arguments and N's ID does not occur in O's log.
 */
#include "hooks.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include "host_safe.h"

enum { PEERS = 1 << 18 };

struct bucket {
    uint64_t key;
    uint32_t head, tail; /* seq + 1 of O's first and last entry with this key */
};

static const struct mcr_operation *old_operations;
static uint64_t old_count;
static struct bucket *buckets;
static uint64_t bucket_count; /* a power of two */
static uint32_t *followers;   /* of O's entries: seq + 1 of the next with the same key */
static uint8_t *used;
static int64_t *objects; /* of O's entries: what the descriptor argument stood for then, see object_code() */
static int32_t *peers;   /* of N's entries */

const void *mcr_old_blob(const struct mcr_operation *operation) {
    return (const char *)mcr_settings_part(mcr_settings->blobs) + operation->blob;
}

static uint64_t old_thread_key(const struct mcr_operation *operation) {
    const struct mcr_thread *threads = mcr_settings_part(mcr_settings->threads);
    if (operation->thread >= mcr_settings->thread_count)
        return mcr_thread_key(0, 0);
    return mcr_thread_key(threads[operation->thread].creation_id, threads[operation->thread].ordinal);
}

static uint64_t match_key(uint64_t thread_key, uint32_t kind, uint64_t stack_id) {
    return mcr_stack_fold(mcr_stack_fold(thread_key, kind), stack_id) | 1; /* 0 marks a free bucket */
}

static struct bucket *find_bucket(uint64_t key) {
    uint64_t i = key;
    do
        i = (i + 1) & (bucket_count - 1);
    while (buckets[i].key && buckets[i].key != key);
    return &buckets[i];
}

/* What a descriptor stands for: 0 nothing in the log, else 1 + 2 * seq of its maker, + 1 for the second of a pair. */
static int64_t object_code(uint64_t seq, bool second) { return 1 + 2 * (int64_t)seq + second; }

static void index_entry(uint32_t seq) {
    const struct mcr_operation *entry = &old_operations[seq];
    struct bucket *bucket = find_bucket(match_key(old_thread_key(entry), entry->kind, entry->stack_id));
    if (!bucket->key) {
        bucket->key = match_key(old_thread_key(entry), entry->kind, entry->stack_id);
        bucket->head = seq + 1;
    } else {
        followers[bucket->tail - 1] = seq + 1;
    }
    bucket->tail = seq + 1;
}

/* Follows O's descriptors through its log; `current` maps numbers to object codes. */
static void trace_entry(uint32_t seq, int64_t *current) {
    const struct mcr_operation *entry = &old_operations[seq];
    const struct mcr_kind *kind = &mcr_kinds[entry->kind];
    uint64_t argument = kind->object ? (uint64_t)entry->args[kind->object - 1] : UINT64_MAX;
    if (entry->kind == MCR_OP_MMAP)
        argument = (uint64_t)entry->args[4];
    if (argument < MCR_FD_LIMIT)
        objects[seq] = current[argument];
    if (entry->error)
        return;
    if (argument < MCR_FD_LIMIT && (entry->kind == MCR_OP_CLOSE || entry->kind == MCR_OP_FCLOSE))
        current[argument] = 0;
    if (kind->makes == 1 && (uint64_t)entry->result < MCR_FD_LIMIT)
        current[entry->result] = object_code(seq, false);
    for (int i = 0; kind->makes == 2 && i < 2; i++)
        if ((uint64_t)entry->args[i] < MCR_FD_LIMIT)
            current[entry->args[i]] = object_code(seq, i);
}

static bool read_log(void) {
    old_operations = mcr_settings_part(mcr_settings->operations);
    old_count = mcr_settings->operation_count;
    for (bucket_count = 64; bucket_count < 2 * old_count; bucket_count *= 2)
        ;
    buckets = mcr_map(bucket_count * sizeof *buckets);
    followers = mcr_map(old_count * sizeof *followers + 1);
    used = mcr_map(old_count + 1);
    objects = mcr_map(old_count * sizeof *objects + 1);
    int64_t *current = mcr_map(MCR_FD_LIMIT * sizeof *current);
    if (!buckets || !followers || !used || !objects || !current)
        return false;
    for (uint32_t seq = 0; seq < old_count; seq++) {
        if (old_operations[seq].kind >= MCR_OPERATION_KINDS || old_operations[seq].blob > mcr_settings->blob_size ||
            old_operations[seq].blob_size > mcr_settings->blob_size - old_operations[seq].blob)
            return false;
        index_entry(seq);
        trace_entry(seq, current);
    }
    return true;
}

bool mcr_replay_init(void) {
    peers = mcr_map(PEERS * sizeof *peers);
    return peers && read_log();
}

/* The counterpart's log begins with that of its parent up to the fork: what the parent has matched there is matched. */
bool mcr_replay_switch(void) {
    uint64_t shared = mcr_settings->operation_count, count = mcr_control.operations.count;
    if (!read_log())
        return false;
    while (shared && !(old_operations[shared - 1].kind == MCR_OP_FORK && old_operations[shared - 1].result == 0))
        shared--;
    for (uint64_t i = 0; i < count && i < PEERS; i++) {
        if (peers[i] >= 0 && (uint64_t)peers[i] < shared)
            used[peers[i]] = 1;
        else
            peers[i] = -1;
    }
    return true;
}

/* The object of N's descriptor in terms of O's log; -1 for an object that O never had. */
static int64_t new_object(int64_t fd) {
    if (fd < 0 || fd >= MCR_FD_LIMIT || !mcr_fds[fd].entry)
        return 0;
    int32_t peer = peers[mcr_fds[fd].entry - 1];
    return peer < 0 ? -1 : object_code((uint64_t)peer, mcr_fds[fd].flags & MCR_FD_SECOND);
}

static bool same_object(const struct mcr_call *call, uint32_t seq, int slot) {
    const struct mcr_operation *entry = &old_operations[seq];
    int64_t object = new_object(call->args[slot]);
    if (object != objects[seq])
        return false;
    return object > 0 || call->args[slot] == entry->args[slot];
}

static bool same_arguments(const struct mcr_call *call, uint32_t seq) {
    const struct mcr_operation *entry = &old_operations[seq];
    const struct mcr_kind *kind = &mcr_kinds[call->kind];
    for (int i = 0; i < 6; i++) {
        int64_t counts = i == kind->flag_slot ? ~(int64_t)kind->ignored : -1;
        if (kind->literals & (1 << i) && (call->args[i] & counts) != (entry->args[i] & counts))
            return false;
    }
    size_t blob_size = call->blob ? call->blob_size : 0;
    if (kind->blob && (blob_size != entry->blob_size || memcmp(call->blob, mcr_old_blob(entry), blob_size) != 0))
        return false;
    if (call->kind == MCR_OP_MMAP)
        return call->args[3] & MAP_ANONYMOUS || same_object(call, seq, 4);
    return !kind->object || same_object(call, seq, kind->object - 1);
}

static int32_t find_longer_or_shorter(const struct mcr_call *call, uint64_t thread_key) {
    int32_t found = -1;
    for (uint32_t seq = 0; seq < old_count; seq++) {
        const struct mcr_operation *entry = &old_operations[seq];
        if (entry->kind != call->kind || used[seq] || entry->flags & MCR_OPF_GONE ||
            (entry->depth != call->depth + 1 && entry->depth + 1 != call->depth) ||
            old_thread_key(entry) != thread_key || !same_arguments(call, seq))
            continue;
        if (found >= 0)
            return -1;
        found = (int32_t)seq;
    }
    return found;
}

/* O's entry for this call, marked as used; `first` = the first unused one whatever its arguments. -1 none. */
static int32_t find(const struct mcr_call *call, int32_t *first) {
    uint64_t thread_key = mcr_thread_self_key();
    const struct bucket *bucket = find_bucket(match_key(thread_key, call->kind, call->stack_id));
    int32_t found = -1;
    *first = -1;
    mcr_lock_take(&mcr_locks.replay);
    for (uint32_t at = bucket->head; at && found < 0; at = followers[at - 1]) {
        if (used[at - 1])
            continue;
        if (*first < 0)
            *first = (int32_t)(at - 1);
        if (same_arguments(call, at - 1))
            found = (int32_t)(at - 1);
    }
    if (!bucket->head && call->kind != MCR_OP_TIME)
        found = find_longer_or_shorter(call, thread_key);
    if (found >= 0)
        used[found] = 1;
    mcr_lock_drop(&mcr_locks.replay);
    return found;
}

static bool live(struct mcr_call *call) {
    call->flags |= MCR_OPF_LIVE;
    return true;
}

static bool conflict(struct mcr_call *call, int64_t result) {
    call->flags |= MCR_OPF_CONFLICT;
    call->result = result;
    return false;
}

static bool replay(struct mcr_call *call) {
    call->flags |= MCR_OPF_MATCHED;
    call->match = call->peer;
    call->result = call->old->result;
    call->error = call->old->error;
    if (call->error)
        call->errno_at = call->error;
    return false;
}

static bool waits_for_claim(int64_t fd) {
    return (mcr_fd_flags((int)fd) & (MCR_FD_INHERITED | MCR_FD_CLAIMED)) == MCR_FD_INHERITED;
}

/*
 * What N wants of O's object beyond what O made. Close-on-exec belongs to N's descriptor; whether calls block belongs
 * to the object that O is still using, and waits for commit.
 */
static void want_flags(const struct mcr_call *call, int64_t fd) {
    const struct mcr_kind *kind = &mcr_kinds[call->kind];
    bool duplicate = call->kind == MCR_OP_DUP || call->kind == MCR_OP_DUP2;
    int64_t flags = call->args[duplicate ? 2 : kind->flag_slot];
    bool cloexec = call->kind == MCR_OP_MEMFD ? flags & MFD_CLOEXEC : flags & O_CLOEXEC;
    long status = MCR_SYS(fcntl, fd, F_GETFL);
    MCR_SYS(fcntl, fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);
    if (!(kind->ignored & O_NONBLOCK) || !(flags & O_NONBLOCK) || status < 0 || status & O_NONBLOCK)
        return;
    struct mcr_call later = MCR_CALL(FCNTL, fd, F_SETFL, status | O_NONBLOCK);
    mcr_effect_option(&later);
}

/* N's own object, at O's number. */
static bool make_fresh(struct mcr_call *call) {
    call->flags |= MCR_OPF_MATCHED;
    call->match = call->peer;
    call->fresh = true;
    call->place = (int32_t)call->old->result;
    return true;
}

static bool is_file(int64_t fd) {
    struct stat status;
    return MCR_SYS(fstat, fd, &status) == 0 && S_ISREG(status.st_mode);
}

static bool decide_creation(struct mcr_call *call) {
    const struct mcr_operation *old = call->old;
    if (!old || old->error || old->flags & MCR_OPF_GONE)
        return live(call);
    if (call->kind == MCR_OP_EPOLL_CREATE || call->kind == MCR_OP_SIGNALFD)
        return make_fresh(call);
    if (mcr_kinds[call->kind].makes == 2) {
        if (!waits_for_claim(old->args[0]) || !waits_for_claim(old->args[1]))
            return live(call);
        memcpy(call->args, old->args, 2 * sizeof *call->args);
        want_flags(call, old->args[0]);
        want_flags(call, old->args[1]);
        return replay(call);
    }
    if (!waits_for_claim(old->result))
        return live(call);
    /* Another open file on the same file: N's reading must not move O's position (effects.c brings O's back). */
    if ((call->kind == MCR_OP_OPEN || call->kind == MCR_OP_FOPEN) && is_file(old->result)) {
        mcr_effect_park((int)old->result);
        return make_fresh(call);
    }
    want_flags(call, old->result);
    return replay(call);
}

static bool decide_dup2(struct mcr_call *call) {
    int number = (int)call->args[1];
    bool run = decide_creation(call);
    if (run && call->flags & MCR_OPF_LIVE && mcr_fd_is_protected(number) &&
        !(mcr_fd_flags(number) & MCR_FD_PLACEHOLDER)) {
        call->flags = 0;
        return conflict(call, number);
    }
    return run;
}

/* O has bound another socket, of which N knows nothing, to this address. */
static bool is_address_taken(const struct mcr_call *call) {
    for (uint32_t seq = 0; seq < old_count; seq++) {
        const struct mcr_operation *entry = &old_operations[seq];
        bool others = used[seq] && (int32_t)seq != call->peer; /* another socket of N's has it by right */
        if (entry->kind != MCR_OP_BIND || others || entry->error || !objects[seq] ||
            old_operations[(objects[seq] - 1) / 2].flags & MCR_OPF_GONE)
            continue;
        if (entry->blob_size == call->blob_size && memcmp(mcr_old_blob(entry), call->blob, call->blob_size) == 0)
            return true;
    }
    return false;
}

static bool decide_on_object(struct mcr_call *call, int32_t first) {
    bool option = call->kind == MCR_OP_SETSOCKOPT || call->kind == MCR_OP_FCNTL;
    if (!(mcr_fd_flags((int)call->args[0]) & MCR_FD_CLAIMED))
        return call->kind == MCR_OP_BIND && is_address_taken(call) ? conflict(call, 0) : live(call);
    if (call->kind == MCR_OP_FCNTL && call->args[1] == F_SETFD)
        return live(call);
    if (!call->old && !option)
        return conflict(call, first >= 0 ? old_operations[first].result : 0);
    bool later = !call->old || (call->kind == MCR_OP_LISTEN && call->args[1] != call->old->args[1]);
    if (later) {
        mcr_effect_option(call);
        call->flags |= MCR_OPF_WITHHELD;
    }
    return call->old ? replay(call) : false;
}

bool mcr_replay_decide(struct mcr_call *call) {
    int32_t first;
    call->peer = find(call, &first);
    call->old = call->peer < 0 ? NULL : &old_operations[call->peer];
    switch (call->kind) {
    case MCR_OP_DUP2:
        return decide_dup2(call);
    case MCR_OP_BIND:
    case MCR_OP_LISTEN:
    case MCR_OP_CONNECT:
    case MCR_OP_SETSOCKOPT:
    case MCR_OP_FCNTL:
        return decide_on_object(call, first);
    case MCR_OP_RANDOM:
    case MCR_OP_TIME:
        return call->old && !call->old->error ? replay(call) : live(call);
    case MCR_OP_SHMGET:
        return call->old && !call->old->error && call->args[0] == IPC_PRIVATE ? replay(call) : live(call);
    case MCR_OP_ACCEPT:
        return live(call);
    default:
        return mcr_kinds[call->kind].makes ? decide_creation(call) : live(call);
    }
}

/* O may have made the file itself since, and what is in it N gets from O's memory. */
bool mcr_replay_was_missing(const char *path) {
    size_t size = strlen(path);
    bool found = false;
    for (uint32_t seq = 0; seq < old_count; seq++) {
        const struct mcr_operation *entry = &old_operations[seq];
        if ((entry->kind != MCR_OP_OPEN && entry->kind != MCR_OP_FOPEN) || entry->blob_size != size ||
            memcmp(mcr_old_blob(entry), path, size) != 0)
            continue;
        if (entry->error != ENOENT)
            return false;
        found = true;
    }
    return found;
}

void mcr_replay_logged(const struct mcr_call *call, uint64_t seq) {
    if (seq < PEERS)
        peers[seq] = call->peer;
}

static int32_t find_exec(int fd) {
    for (uint32_t seq = 0; seq < old_count && old_operations[seq].depth == 0; seq++)
        if (old_operations[seq].result == fd && !(old_operations[seq].flags & MCR_OPF_GONE))
            return (int32_t)seq;
    return -1;
}

bool mcr_replay_was_open(int fd) { return find_exec(fd) >= 0; }

void mcr_replay_exec(struct mcr_call *call) {
    call->peer = call->match = find_exec((int)call->result);
    call->flags = call->peer < 0 ? MCR_OPF_LIVE : MCR_OPF_MATCHED;
    if (call->peer >= 0)
        used[call->peer] = 1;
}
