/*
 * library.c - calls from transfer handlers into a handler library, and what its functions may ask for.
 *
 * A function is called once before the transfer, to learn what memory of N's it wants, and once in it. Its crash, or an
 * endless loop, ends the call and not the controller; what it may have destroyed is not known, so no function is called
 * again and the update is refused. Source: DESIGN section 13; mcr_handlers.h.
 */
#define _GNU_SOURCE /* gettid */
#include "library.h"
#include "../mcr_handlers.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    MAX_TICKS = 20, /* of one call */
    LARGEST = 1 << 30,
    STACK_SIZE = 1 << 16,
};

struct piece { /* bytes for N */
    uint64_t address, size;
    uint8_t *bytes;
};

struct frame { /* one call; the API's functions get `call` */
    struct mcr_call call;
    struct machine *machine;
    struct piece *pieces;
    uint64_t piece_count, piece_room;
    uint32_t failure;
};

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { CRASHES = sizeof crashes / sizeof crashes[0] };

static struct {
    struct sigaction before[CRASHES], timer_before;
    timer_t timer;
    stack_t stack_before;
    uint8_t *stack;
} guard;
static __thread sigjmp_buf *landing; /* set while a function runs */
static __thread uint32_t ticks;

static void land(int number) {
    sigjmp_buf *to = landing;
    landing = NULL;
    siglongjmp(*to, number);
}

static void on_crash(int number) {
    if (landing)
        land(number);
    signal(number, SIG_DFL); /* a crash of our own */
    raise(number);
}

static void on_tick(int number) {
    if (landing && ++ticks > MAX_TICKS)
        land(number);
}

static int tick_signal(void) { return SIGRTMIN + 6; }

static void start_timer(void) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = tick_signal()};
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_NODEFER | SA_RESTART};
    struct itimerspec every = {{0, TICK_MS * 1000000L}, {0, TICK_MS * 1000000L}};
    event._sigev_un._tid = gettid();
    sigaction(tick_signal(), &action, &guard.timer_before);
    if (timer_create(CLOCK_MONOTONIC, &event, &guard.timer) == 0)
        timer_settime(guard.timer, 0, &every, NULL);
}

void mcr_library_guard(struct mcr_engine *engine) {
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_NODEFER | SA_ONSTACK};
    if (!engine->library || !engine->library->count)
        return;
    guard.stack = malloc(STACK_SIZE);
    stack_t stack = {.ss_sp = guard.stack, .ss_size = STACK_SIZE, .ss_flags = guard.stack ? 0 : SS_DISABLE};
    sigaltstack(&stack, &guard.stack_before);
    for (uint32_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &action, &guard.before[i]);
    start_timer();
}

void mcr_library_unguard(struct mcr_engine *engine) {
    if (!engine->library || !engine->library->count)
        return;
    timer_delete(guard.timer);
    signal(tick_signal(), SIG_IGN); /* a tick that is on its way would end the process by default */
    sigaction(tick_signal(), &guard.timer_before, NULL);
    for (uint32_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &guard.before[i], NULL);
    sigaltstack(&guard.stack_before, NULL);
    free(guard.stack);
}

/* ---- what functions may ask for */

static struct frame *frame_of(struct mcr_call *call) { return (struct frame *)call; }

static uint32_t add_message(struct library *library, const char *why) {
    uint32_t number = library->message_count;
    if (number == MAX_MESSAGES)
        return MAX_MESSAGES - 1;
    strncpy(library->messages[number], why ? why : "", MESSAGE_SIZE - 1);
    return library->message_count++;
}

static void fail(struct mcr_call *call, const char *why) {
    struct frame *frame = frame_of(call);
    if (!frame->failure)
        frame->failure = MCR_HANDLER_LIBRARY | add_message(frame->machine->engine->library, why) << 8;
}

static const void *old_bytes(struct mcr_call *call, uint64_t address, uint64_t size) {
    return size <= LARGEST ? mcr_machine_memory(frame_of(call)->machine, address, size) : NULL;
}

static uint64_t old_size(struct mcr_call *call, uint64_t address) {
    struct mcr_engine *engine = frame_of(call)->machine->engine;
    uint32_t index = mcr_find_object(engine, address);
    return index == MCR_NONE ? 0 : engine->objects[index].address + engine->objects[index].size - address;
}

/* Where in N the next bytes stand: what was given for the same wish in the first run. */
static bool find_place(struct frame *frame, uint64_t size, uint64_t *address) {
    struct library *library = frame->machine->engine->library;
    if (frame->machine->image != MCR_IMAGE_THEIRS || library->prepares)
        *address = 16 * (library->wanted_count + 1); /* any; nobody looks at it */
    if (frame->machine->image != MCR_IMAGE_THEIRS)
        return true;
    if (!library->prepares) {
        bool is_same = library->next < library->wanted_count && library->wanted[library->next].size == size;
        *address = is_same ? library->wanted[library->next++].address : 0;
        return is_same;
    }
    if (!mcr_grow(frame->machine->engine, &library->wanted, &library->wanted_room, library->wanted_count + 1,
                  sizeof *library->wanted))
        return false;
    library->wanted[library->wanted_count++] = (struct mcr_wanted){0, size};
    return true;
}

static void *new_bytes(struct mcr_call *call, uint64_t size, uint64_t *address) {
    struct frame *frame = frame_of(call);
    struct mcr_engine *engine = frame->machine->engine;
    if (!size || size > LARGEST) {
        fail(call, "it asks for no memory, or for more than a gigabyte");
        return NULL;
    }
    if (!find_place(frame, size, address)) {
        fail(call, "it asks for other memory than when it was called first");
        return NULL;
    }
    uint8_t *bytes = calloc(size, 1);
    if (!bytes ||
        !mcr_grow(engine, &frame->pieces, &frame->piece_room, frame->piece_count + 1, sizeof *frame->pieces)) {
        free(bytes);
        return NULL;
    }
    frame->pieces[frame->piece_count++] = (struct piece){*address, size, bytes};
    return bytes;
}

static uint64_t new_address(struct mcr_call *call, uint64_t old_address) {
    uint64_t moved;
    return mcr_translate(frame_of(call)->machine->engine, old_address, &moved) == LANDS_LOST ? 0 : moved;
}

/* Nothing in N may point to what is freed. That is known before the transfer, in which all that does is a finding. */
static bool note_freed(struct mcr_engine *engine, struct mcr_object *object) {
    struct library *library = engine->library;
    if (!library->prepares)
        return library->next_freed < library->freed_count && library->freed[library->next_freed++] == object->address;
    bool again = object->flags & MCR_OBJECT_DROPPED;
    object->flags |= MCR_OBJECT_DROPPED;
    if (!mcr_grow(engine, &library->freed, &library->freed_room, library->freed_count + 1, sizeof *library->freed))
        return false;
    library->freed[library->freed_count++] = object->address | again;
    return true;
}

static void free_old(struct mcr_call *call, uint64_t address) {
    struct frame *frame = frame_of(call);
    struct mcr_engine *engine = frame->machine->engine;
    uint32_t index = mcr_find_object(engine, address);
    if (index == MCR_NONE || engine->objects[index].address != address ||
        object_kind(&engine->objects[index]) != MCR_OBJECT_CHUNK) {
        fail(call, "it frees what is no start of a piece of the old server's heap");
        return;
    }
    if (frame->machine->image == MCR_IMAGE_THEIRS && !note_freed(engine, &engine->objects[index]))
        fail(call, "it frees the same memory twice, or other memory than when it was called first");
}

/* ---- calls */

/* 0, or the signal that ended it. */
static int call_guarded(mcr_handler_function *function, struct mcr_call *call, uint64_t *ret) {
    sigjmp_buf here;
    int number = sigsetjmp(here, 0);
    if (number)
        return number;
    ticks = 0;
    landing = &here;
    *ret = function(call);
    landing = NULL;
    return 0;
}

/* What was made for N is kept if the call counts. */
static void end_pieces(struct frame *frame, bool counts) {
    struct mcr_engine *engine = frame->machine->engine;
    for (uint64_t i = 0; i < frame->piece_count; i++) {
        uint8_t *bytes = counts ? mcr_patch_add(engine, frame->pieces[i].address, frame->pieces[i].size) : NULL;
        if (bytes)
            memcpy(bytes, frame->pieces[i].bytes, frame->pieces[i].size);
        free(frame->pieces[i].bytes);
    }
    free(frame->pieces);
}

uint32_t mcr_library_call(struct machine *m, const struct mcr_step *step) {
    struct library *library = m->engine->library;
    struct frame frame = {.call = {.version = MCR_HANDLERS_VERSION,
                                   .argument_count = step->right,
                                   .old_bytes = old_bytes,
                                   .old_size = old_size,
                                   .new_bytes = new_bytes,
                                   .new_address = new_address,
                                   .free_old = free_old,
                                   .fail = fail},
                          .machine = m};
    if (library->broken)
        return library->broken;
    memcpy(frame.call.arguments, m->registers + step->left, step->right * sizeof frame.call.arguments[0]);
    uint64_t result = 0;
    int number = call_guarded((mcr_handler_function *)library->functions[step->at], &frame.call, &result);
    if (number) /* what it had asked for is not touched again, either */
        return library->broken = number == tick_signal() ? MCR_HANDLER_LONG : MCR_HANDLER_CRASH;
    end_pieces(&frame, !frame.failure && !library->prepares && m->image == MCR_IMAGE_THEIRS);
    m->registers[step->to] = result;
    return frame.failure;
}

/* ---- the engine's side */

int mcr_engine_set_functions(struct mcr_engine *engine, void *const *functions, uint32_t count) {
    engine->library = calloc(1, sizeof *engine->library);
    if (!engine->library)
        return -ENOMEM;
    engine->library->functions = functions;
    engine->library->count = count;
    return 0;
}

struct mcr_wanted *mcr_engine_wanted(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->library ? engine->library->wanted_count : 0;
    return engine->library ? engine->library->wanted : NULL;
}

const uint64_t *mcr_engine_freed(struct mcr_engine *engine, uint64_t *count) {
    *count = engine->library ? engine->library->freed_count : 0;
    return engine->library ? engine->library->freed : NULL;
}

const char *mcr_engine_message(struct mcr_engine *engine, uint32_t number) {
    return engine->library && number < engine->library->message_count ? engine->library->messages[number] : "";
}

void mcr_library_free(struct library *library) {
    if (!library)
        return;
    free(library->wanted);
    free(library->freed);
    free(library);
}
