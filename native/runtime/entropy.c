/*
 * entropy.c - random bytes and clocks.
 *
 * What O drew in its start-up N draws in its own, or hash seeds would differ and no key would be found again. Clocks
 * are replayed, too, as long as O's log has an entry for the call. After start-up nothing is.
 */
#include "hooks.h"
#include <string.h>
#include "host_safe.h"

enum { MAX_BYTES = 65536 }; /* more at once is no seed: it would fill the log */

/* Second argument of MCR_OP_RANDOM; getrandom has its flags there. */
enum source { FROM_GETENTROPY = 0x100, FROM_ARC4RANDOM, FROM_ARC4RANDOM_BUF, FROM_ARC4RANDOM_UNIFORM, FROM_DEVICE };

/* Second argument of MCR_OP_TIME is the clock; the first one of these. */
enum time_call { BY_TIME, BY_GETTIMEOFDAY, BY_CLOCK_GETTIME };

bool mcr_is_random_device(const char *path) {
    return path && strncmp(path, "/dev/", 5) == 0 &&
           (strcmp(path + 5, "urandom") == 0 || strcmp(path + 5, "random") == 0 || strcmp(path + 5, "hwrng") == 0);
}

/* False: replayed. */
static bool begin(struct mcr_call *call, void *bytes, size_t size, struct mcr_frame frame) {
    if (mcr_call_begin(call, frame))
        return true;
    size_t old_size = call->old->blob_size;
    memcpy(bytes, mcr_old_blob(call->old), old_size < size ? old_size : size);
    return false;
}

static int64_t end(struct mcr_call *call, const void *bytes, size_t size) {
    call->blob = call->error ? NULL : bytes;
    call->blob_size = size;
    return mcr_call_end(call);
}

static bool is_forwarded(size_t size) {
    mcr_real_load();
    return size > MAX_BYTES;
}

ssize_t mcr_hook_getrandom(void *bytes, size_t size, unsigned int flags) {
    if (MCR_SERVING || is_forwarded(size))
        return mcr_real.getrandom(bytes, size, flags);
    struct mcr_call call = MCR_CALL(RANDOM, (int64_t)size, flags);
    if (begin(&call, bytes, size, MCR_CALLER()))
        mcr_call_result(&call, mcr_real.getrandom(bytes, size, flags));
    return end(&call, bytes, call.result > 0 ? (size_t)call.result : 0);
}

int mcr_hook_getentropy(void *bytes, size_t size) {
    if (MCR_SERVING || is_forwarded(size))
        return mcr_real.getentropy(bytes, size);
    struct mcr_call call = MCR_CALL(RANDOM, (int64_t)size, FROM_GETENTROPY);
    if (begin(&call, bytes, size, MCR_CALLER()))
        mcr_call_result(&call, mcr_real.getentropy(bytes, size));
    return (int)end(&call, bytes, size);
}

uint32_t mcr_hook_arc4random(void) {
    if (MCR_SERVING)
        return mcr_real.arc4random();
    struct mcr_call call = MCR_CALL(RANDOM, sizeof(uint32_t), FROM_ARC4RANDOM);
    uint32_t value = 0;
    if (begin(&call, &value, sizeof value, MCR_CALLER()))
        value = mcr_real.arc4random();
    end(&call, &value, sizeof value);
    return value;
}

void mcr_hook_arc4random_buf(void *bytes, size_t size) {
    if (MCR_SERVING || is_forwarded(size)) {
        mcr_real.arc4random_buf(bytes, size);
        return;
    }
    struct mcr_call call = MCR_CALL(RANDOM, (int64_t)size, FROM_ARC4RANDOM_BUF);
    if (begin(&call, bytes, size, MCR_CALLER()))
        mcr_real.arc4random_buf(bytes, size);
    end(&call, bytes, size);
}

uint32_t mcr_hook_arc4random_uniform(uint32_t bound) {
    if (MCR_SERVING)
        return mcr_real.arc4random_uniform(bound);
    struct mcr_call call = MCR_CALL(RANDOM, bound, FROM_ARC4RANDOM_UNIFORM);
    uint32_t value = 0;
    if (begin(&call, &value, sizeof value, MCR_CALLER()))
        value = mcr_real.arc4random_uniform(bound);
    end(&call, &value, sizeof value);
    return value;
}

bool mcr_random_read(int fd, void *bytes, size_t size, struct mcr_frame frame, ssize_t *ret) {
    if (!(mcr_fd_flags(fd) & MCR_FD_RANDOM) || is_forwarded(size))
        return false;
    struct mcr_call call = MCR_CALL(RANDOM, (int64_t)size, FROM_DEVICE);
    if (begin(&call, bytes, size, frame))
        mcr_call_result(&call, mcr_real.read(fd, bytes, size));
    *ret = end(&call, bytes, call.result > 0 ? (size_t)call.result : 0);
    return true;
}

/* Whole blocks of `size` bytes that come from a random device by a stream. False: the stream is another one. */
static bool read_stream(FILE *stream, void *bytes, size_t size, size_t count, struct mcr_frame frame, size_t *ret) {
    size_t room;
    mcr_real_load();
    if (MCR_SERVING || !(mcr_fd_flags(stream->_fileno) & MCR_FD_RANDOM) || __builtin_mul_overflow(size, count, &room) ||
        room > MAX_BYTES)
        return false;
    struct mcr_call call = MCR_CALL(RANDOM, (int64_t)room, FROM_DEVICE);
    if (begin(&call, bytes, room, frame))
        mcr_call_result(&call, (int64_t)mcr_real.fread(bytes, size, count, stream));
    *ret = (size_t)end(&call, bytes, (size_t)call.result * size);
    return true;
}

size_t mcr_hook_fread(void *bytes, size_t size, size_t count, FILE *stream) {
    size_t result;
    if (MCR_SERVING || !read_stream(stream, bytes, size, count, MCR_CALLER(), &result))
        return mcr_real.fread(bytes, size, count, stream);
    return result;
}

/* The parentheses keep libc's macros out. */
size_t mcr_hook_fread_unlocked(void *bytes, size_t size, size_t count, FILE *stream) {
    size_t result;
    if (MCR_SERVING || !read_stream(stream, bytes, size, count, MCR_CALLER(), &result))
        return (mcr_real.fread_unlocked)(bytes, size, count, stream);
    return result;
}

size_t mcr_hook___fread_chk(void *bytes, size_t room, size_t size, size_t count, FILE *stream) {
    size_t result, needed;
    bool fits = !__builtin_mul_overflow(size, count, &needed) && needed <= room;
    if (MCR_SERVING || !fits || !read_stream(stream, bytes, size, count, MCR_CALLER(), &result))
        return mcr_real.__fread_chk(bytes, room, size, count, stream);
    return result;
}

int mcr_hook_fgetc(FILE *stream) {
    unsigned char byte;
    size_t result;
    if (MCR_SERVING || !read_stream(stream, &byte, 1, 1, MCR_CALLER(), &result))
        return mcr_real.fgetc(stream);
    return result ? byte : EOF;
}

int mcr_hook_getc(FILE *stream) {
    unsigned char byte;
    size_t result;
    if (MCR_SERVING || !read_stream(stream, &byte, 1, 1, MCR_CALLER(), &result))
        return (mcr_real.getc)(stream);
    return result ? byte : EOF;
}

static time_t time_logged(time_t *ret, struct mcr_frame frame) {
    struct mcr_call call = MCR_CALL(TIME, BY_TIME);
    time_t now = 0;
    if (begin(&call, &now, sizeof now, frame)) {
        now = mcr_real.time(NULL);
        mcr_call_result(&call, now);
    }
    end(&call, &now, sizeof now);
    if (ret)
        *ret = now;
    return now;
}

time_t mcr_hook_time(time_t *ret) {
    if (MCR_SERVING)
        return mcr_real.time(ret);
    return time_logged(ret, MCR_CALLER());
}

int mcr_hook_gettimeofday(struct timeval *ret, void *zone) {
    if (MCR_SERVING || !ret)
        return mcr_real.gettimeofday(ret, zone);
    struct mcr_call call = MCR_CALL(TIME, BY_GETTIMEOFDAY);
    if (begin(&call, ret, sizeof *ret, MCR_CALLER()))
        mcr_call_result(&call, mcr_real.gettimeofday(ret, zone));
    return (int)end(&call, ret, sizeof *ret);
}

/* The time that a process or thread has used is its own. */
static bool is_wall_clock(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_TAI;
}

int mcr_hook_clock_gettime(clockid_t clock, struct timespec *ret) {
    if (MCR_SERVING || !is_wall_clock(clock))
        return mcr_real.clock_gettime(clock, ret);
    struct mcr_call call = MCR_CALL(TIME, BY_CLOCK_GETTIME, clock);
    if (begin(&call, ret, sizeof *ret, MCR_CALLER()))
        mcr_call_result(&call, mcr_real.clock_gettime(clock, ret));
    return (int)end(&call, ret, sizeof *ret);
}
