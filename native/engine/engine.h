/*
 * engine.h - the engine of mutable tracing: loops over objects and words. Python builds the tables, the engine walks them.
 *
 * Life: create, add images, types, programs, objects, pairs, translations; index; trace; transfer; read results; destroy.
 * Nothing here touches a process: images are byte ranges in the caller's memory. Every table stays the caller's and must
 * outlive the engine; results point into the engine and die with it.
 * Source: seed, "mutable tracing"; DESIGN sections 8 to 11.
 */
#ifndef MCR_ENGINE_H
#define MCR_ENGINE_H

#include "handlers.h"
#include <stdbool.h>
#include <stdint.h>

#define MCR_NONE   UINT32_MAX
#define MCR_EXPORT __attribute__((visibility("default")))

/* ---- images ---- */
enum mcr_image_kind {
    MCR_IMAGE_THEIRS = 0, /* O now; the transfer writes results for unmoved objects into it */
    MCR_IMAGE_BASE = 1,   /* O at the end of its start-up */
    MCR_IMAGE_OURS = 2,   /* N after its start-up */
    MCR_IMAGES
};

struct mcr_hints;
struct mcr_extent {
    uint64_t address; /* with hints: page-aligned */
    uint64_t size;
    uint8_t *bytes;
    struct mcr_hints *hints; /* which words may be addresses; NULL: any may */
    uint64_t offset;         /* of `bytes` in the buffer that the hints are about */
};

/* ---- types (data type tags) ---- */
enum mcr_type_kind {
    MCR_TYPE_DATA = 0,    /* never a pointer: small integers, floats */
    MCR_TYPE_WORDS = 1,   /* bytes that could hide pointers (long, char[]): scanned, never rewritten */
    MCR_TYPE_OPAQUE = 2,  /* ambiguous (unions): scanned; exact entries and named starts of O's image are rewritten */
    MCR_TYPE_POINTER = 3, /* target = pointee type, MCR_NONE = void */
    MCR_TYPE_CODE = 4,    /* pointer to a function */
    MCR_TYPE_STRUCT = 5,  /* members [first, first + count) */
    MCR_TYPE_ARRAY = 6,   /* count elements of target; count MCR_NONE = to the end of the chunk */
    MCR_TYPE_CHOICE =
        7 /* a union of which cases [first, first + count) tell the member in use; target = if none does */
};

enum mcr_type_flag {
    MCR_TYPE_NEVER = 1, /* never merged: locks, libc's own */
    MCR_TYPE_RULED = 2, /* a library's opaque memory may point into objects of this type */
    MCR_TYPE_TAIL = 4,  /* found out: chunks of this type carry bytes behind it */
    MCR_TYPE_FREE = 8,  /* a chunk that begins with it is free: what follows in it is dead, what points into it stale */
    MCR_TYPE_PLAIN = 16 /* plain bytes up to the chunk's end, never pointers whatever stands there */
};

struct mcr_type {
    uint8_t kind;
    uint8_t flags;
    uint16_t alignment; /* what addresses of such objects are multiples of; 1 = not certain */
    uint32_t size;      /* bytes; 0 = incomplete */
    uint32_t target;
    uint32_t first; /* of a pointer with count 1: its entry in the pointer facts */
    uint32_t count;
};

/* A question is a handler without an object of N's whose register 0 is the answer. It is asked about the object that
 * begins `back` bytes before the place. */
struct mcr_case {
    uint32_t question; /* not 0: the union has `type` */
    uint32_t type;
    uint32_t back;
    uint32_t reserved;
};

struct mcr_pointer_fact { /* what an annotation says of a pointer */
    uint64_t tags;        /* bits that are no part of the address */
    uint32_t length;      /* question: how many elements are in use where it leads; MCR_NONE = all */
    uint32_t back;
};

struct mcr_member {
    uint32_t offset;
    uint32_t type;
};

/* ---- conversion programs: one O type to one N type ---- */
enum mcr_op_code {
    MCR_OP_DATA = 0,    /* length bytes as they are */
    MCR_OP_INTEGER = 1, /* old_bytes -> new_bytes, sign by flag, range checked */
    MCR_OP_ENUM = 2,    /* as INTEGER, then mapped: aux = first of `length` entries in the enum maps */
    MCR_OP_POINTER = 3, /* aux and length: high and low half of the bits that are no part of the address; `old_stride` =
                           O's type of what it points to, MCR_NONE = void */
    MCR_OP_CODE = 4,
    MCR_OP_OPAQUE = 5,   /* length bytes: words, exact image words rewritten */
    MCR_OP_WORDS = 6,    /* length bytes: never rewritten */
    MCR_OP_LOOP = 7,     /* aux times the next `length` ops, whose offsets are relative to the element */
    MCR_OP_BITS = 8,     /* old_bytes/new_bytes = widths; aux = old bit << 16 | new bit, from the byte offsets; an enum
                            has `length` entries in the enum maps from `old_stride` on */
    MCR_OP_DROPPED = 9,  /* length old bytes without a home; aux = id for the finding */
    MCR_OP_KEEP = 10,    /* length new bytes that stay N's; old_bytes = 1: O has it too (never-merged), 0: added */
    MCR_OP_NESTED = 11,  /* no bytes: an aggregate of `length` old bytes starts here (for interior pointers) */
    MCR_OP_HANDLER = 12, /* no bytes: handler `aux` runs on the aggregate that starts here */
    /* The next `length` ops if question `aux` is answered by other than 0, and then not the `old_stride` ops behind
     * them; it is asked about the object that begins `new_stride` bytes before. */
    MCR_OP_CHOICE = 13,
    MCR_OP_REAL = 14 /* old_bytes -> new_bytes of float or double; aux = 0: from an integer, sign by flag */
};

enum mcr_op_flag {
    MCR_OPFLAG_SIGNED = 1,
    MCR_OPFLAG_KEEP_OLD = 2, /* annotation: O's value whatever the base says */
    MCR_OPFLAG_KEEP_NEW = 4,
    MCR_OPFLAG_COUNTER = 8,     /* theirs + ours - base */
    MCR_OPFLAG_RULED = 16,      /* opaque bytes inside an object of a ruled type */
    MCR_OPFLAG_HANDLED = 32,    /* a handler sets what stands there in N; the op tells only where that is */
    MCR_OPFLAG_NEW_SIGNED = 64, /* of a number: it is signed in N */
    MCR_OPFLAG_BOOLEAN = 128    /* of a number: N keeps only 0 and 1 */
};

struct mcr_op {
    uint8_t code;
    uint8_t flags;
    uint8_t old_bytes;
    uint8_t new_bytes;
    uint32_t old_offset; /* relative to the innermost loop's element */
    uint32_t new_offset;
    uint32_t length;
    uint32_t aux;
    uint32_t old_stride; /* loops only */
    uint32_t new_stride;
};

struct mcr_program {
    uint32_t first, count; /* ops */
    uint32_t old_type, new_type;
    uint32_t old_size, new_size; /* sizeof; a flexible member is not in it */
    uint32_t tail_program;       /* elements behind: flexible array member, MCR_NONE = raw bytes */
    uint32_t identical;          /* same layout: only pointers need a look */
    uint32_t old_tail, new_tail; /* where what stands behind begins: a flexible member may begin before sizeof */
};

struct mcr_enum_entry {
    int64_t old_value, new_value; /* sorted by old_value within a map */
};

/* ---- objects ---- */
enum mcr_object_kind {
    MCR_OBJECT_GLOBAL = 0, /* of the executable's writable data */
    MCR_OBJECT_CHUNK = 1,
    MCR_OBJECT_MAPPING = 2, /* memory the program mapped itself */
    MCR_OBJECT_LIBRARY = 3  /* writable data of a library at the same address */
};

enum mcr_object_flag {
    MCR_OBJECT_REACHED = 1 << 0,
    MCR_OBJECT_PRECISE = 1 << 1,      /* typed by a pointer's type (or its own) */
    MCR_OBJECT_SITE_TYPED = 1 << 2,   /* typed by its allocation site */
    MCR_OBJECT_IMMUTABLE = 1 << 3,    /* a likely pointer holds it in place */
    MCR_OBJECT_NONUPDATABLE = 1 << 4, /* a likely pointer points inside it, or it holds one */
    MCR_OBJECT_CONFLICT = 1 << 5,     /* two types claim it */
    MCR_OBJECT_NEVER = 1 << 6,        /* never merged: N's own stays (libc's) */
    MCR_OBJECT_STARTUP = 1 << 7,
    MCR_OBJECT_TOO_SMALL = 1 << 8,       /* smaller than the type that points to it */
    MCR_OBJECT_DROPPED = 1 << 9,         /* not taken over */
    MCR_OBJECT_INTERIOR_TYPED = 1 << 10, /* typed pointers of a changed type point into its untyped bytes */
    MCR_OBJECT_RULED_OWNER = 1 << 11,    /* its library's words may point into ruled types */
    MCR_OBJECT_HELD_INSIDE = 1 << 12,    /* a likely pointer points to a field that N has elsewhere */
    MCR_OBJECT_SETTLED = 1 << 13,        /* free or plain by annotation: no other pointer's type counts */
    MCR_OBJECT_OLD_WINS = 1 << 14,       /* part of a linked structure that both sides changed: O's values count */
    MCR_OBJECT_SUPPOSED = 1 << 15,       /* settled in the round of tracing before: only what settles it again counts */
    MCR_OBJECT_LOOKED_INTO = 1 << 16,    /* untyped, but typed places inside it were followed */
    MCR_OBJECT_BYTES = 1 << 17,          /* a pointer to characters leads to it */
    MCR_OBJECT_FOREIGN = 1 << 18,        /* its site says that it is no struct of the executable's */
    MCR_OBJECT_TEXT = 1 << 19,           /* its site says that it is text */
    MCR_OBJECT_HOLDS_OTHERS = 1 << 20 /* typed pointers lead to places inside it of which its own type knows nothing */
};
#define MCR_OBJECT_KIND_SHIFT 28

struct mcr_object {
    uint64_t address;
    uint64_t size;     /* exact, bytes */
    uint32_t type;     /* O's type, MCR_NONE = opaque */
    uint32_t site;     /* allocation site, MCR_NONE */
    uint32_t parent;   /* the object it was first reached from, MCR_NONE = root */
    uint32_t flags;    /* enum mcr_object_flag | kind << MCR_OBJECT_KIND_SHIFT */
    uint32_t pair;     /* index in the pairs, MCR_NONE = moves as a whole to the same address */
    uint32_t capacity; /* bytes available at its address, at least `size` (saturating) */
    uint32_t holder;   /* an object whose likely pointer holds this one, MCR_NONE */
    uint32_t in_use;   /* bytes that are in use, plus one; 0 = all */
};

/* Where an object goes when that is not simply its own address. */
struct mcr_pair {
    uint32_t object;      /* filled by index from `address` */
    uint32_t program;     /* MCR_NONE = opaque, word by word */
    uint64_t address;     /* of O's object */
    uint64_t new_address; /* 0 = no home in N */
    uint64_t new_size;
    uint64_t base_address;
    uint64_t base_size; /* 0 = it did not exist at the base: nothing to merge with */
    uint64_t merges;    /* 1 = N has its own object there: three-way merge; 0 = moved */
    uint64_t own_size;  /* bytes of N's own object if O's has grown beyond them in its place; 0 = new_size */
};

enum mcr_symbol_kind {
    MCR_SYMBOL_CONSTANT = 0,
    MCR_SYMBOL_CODE = 1,
    MCR_SYMBOL_RESIZED = 2 /* a constant that N has in another size: only its start has a counterpart */
};

/* Functions and named constants of O's image, sorted by old_address, not overlapping. */
struct mcr_symbol {
    uint64_t old_address, size, new_address; /* new_address 0 = N lacks it */
    uint64_t kind;                           /* enum mcr_symbol_kind */
};

/* ---- results ---- */
enum mcr_place { /* of a pointer, and of what it leads to */
                 MCR_PLACE_STATIC = 0,
                 MCR_PLACE_DYNAMIC = 1, /* heap chunks and mappings */
                 MCR_PLACE_LIBRARY = 2,
                 MCR_PLACES
};

struct mcr_statistics {
    uint64_t objects, reached, typed_precise, typed_site, opaque;
    uint64_t pointers, likely_pointers, code_pointers, pinned, nonupdatable;
    uint64_t merged_fields, both_changed, kept_new, taken_old;
    uint64_t translated, bytes_moved, objects_moved, objects_converted, patches, patch_bytes;
    uint64_t site_agreements, site_disagreements, disqualified_sites, old_structures;
    uint64_t bytes, transferred,
        bytes_transferred; /* of all objects; objects that O's values go over of, and of these */
    /* Pointers to objects, by [enum mcr_place of the pointer][of its target]: typed ones, likely ones. */
    uint64_t precise[MCR_PLACES][MCR_PLACES], likely[MCR_PLACES][MCR_PLACES];
};

enum mcr_event_kind {
    MCR_EVENT_DROPPED_FIELD = 1,     /* R2: detail = op aux, offset = field offset */
    MCR_EVENT_LOST_POINTER = 2,      /* R3: detail = O address pointed to */
    MCR_EVENT_TYPE_CONFLICT = 3,     /* R4: detail = the other type */
    MCR_EVENT_PINNED_MOVE = 4,       /* R5: must move or change but is held; detail = holder object */
    MCR_EVENT_BOTH_CHANGED = 5,      /* O's value won; detail = 1 if a pointer, value = N's */
    MCR_EVENT_OUT_OF_RANGE = 6,      /* a number has no equal in its new form; detail = its bits there */
    MCR_EVENT_CHANGED_IN_OPAQUE = 7, /* R1: detail = O type; value = UINT64_MAX: only its size and words tell */
    MCR_EVENT_UNKNOWN_ENUM = 8,
    MCR_EVENT_NO_HOME = 9, /* R2: O changed a whole object that N lacks */
    MCR_EVENT_MIXED = 10,  /* R11: the object took fields from O while another one, at `offset`, has N's own value */
    MCR_EVENT_STRUCTURE =
        11, /* R11: N has linked it otherwise; its structure is O's; detail = 1: objects of N's own are lost (R13) */
    MCR_EVENT_ELEMENT = 12,        /* the array element at `offset` took fields from O and has others of N's */
    MCR_EVENT_HANDLER_FAILED = 13, /* R15: detail = step, value = enum mcr_handler_failure */
    MCR_EVENT_HANDLED_RANGE = 14,  /* R15: detail = the step that stored `value`, which does not fit there */
    MCR_EVENT_AMBIGUOUS =
        15 /* R4: detail = 0: an array, or one and a tail; else what a pointer at `offset` may lead to:
                                the object at this address, or the end of the array before it */
};

struct mcr_event {
    uint32_t kind;
    uint32_t object;
    uint64_t offset;
    uint64_t detail;
    uint64_t value;
};

/* Bytes to write into N: data stands at patch_bytes + offset. */
struct mcr_patch {
    uint64_t address;
    uint64_t size;
    uint64_t offset;
};

/* Pages [start, end) of the THEIRS image that the transfer has changed; in no order, they may overlap. */
struct mcr_touched {
    uint64_t start, end;
};

struct mcr_tables {
    const struct mcr_type *types; /* writable flags: TAIL is found out */
    const struct mcr_member *members;
    const struct mcr_program *programs;
    const struct mcr_op *ops;
    const struct mcr_enum_entry *enums;
    const struct mcr_symbol *symbols;
    const uint32_t *site_types;    /* by site; MCR_NONE = unknown */
    const uint32_t *type_programs; /* by O type: program to its N type, MCR_NONE = identical */
    uint8_t *type_flags;           /* by O type: enum mcr_type_flag, found out while tracing */
    uint8_t *type_changed;         /* by O type: 1 = layout differs in N */
    const struct mcr_handler *handlers;
    const struct mcr_step *steps;
    const struct mcr_case *cases;
    const struct mcr_pointer_fact *pointer_facts;
    uint32_t type_count, program_count, op_count, symbol_count, site_count;
    uint32_t handler_count, step_count, case_count, pointer_fact_count, reserved;
    const uint32_t *own_fds; /* descriptor numbers that only N has, ascending: O's slots for them are stale */
    uint64_t own_fd_count;
    uint64_t image_start, image_end; /* O's executable */
    uint64_t text_start, text_end;
};

struct mcr_engine;

MCR_EXPORT struct mcr_engine *mcr_engine_create(void);
MCR_EXPORT void mcr_engine_destroy(struct mcr_engine *engine);
MCR_EXPORT void mcr_engine_set_image(struct mcr_engine *engine, uint32_t kind, const struct mcr_extent *extents,
                                     uint32_t count);
/* -EINVAL: the steps of a handler are not sound. */
MCR_EXPORT int mcr_engine_set_tables(struct mcr_engine *engine, const struct mcr_tables *tables);
MCR_EXPORT int mcr_engine_add_objects(struct mcr_engine *engine, const struct mcr_object *objects, uint64_t count);
/* Live chunks from packed columns. `site_flags` by site: object flags that the chunk's owner brings (NEVER, RULED_OWNER). */
/* Gets memory for so many objects before it is needed, so that adding and tracing them meets no page faults. Only advice:
 * -ENOMEM does no harm. */
MCR_EXPORT int mcr_engine_reserve(struct mcr_engine *engine, uint64_t objects);
MCR_EXPORT int mcr_engine_add_chunks(struct mcr_engine *engine, uint64_t count, const uint64_t *addresses,
                                     const uint64_t *sizes, const uint64_t *capacities, const uint32_t *sites,
                                     const uint32_t *site_flags, uint32_t site_count);
/* Sorts objects, checks that they do not overlap (-EINVAL), builds the address index. */
MCR_EXPORT int mcr_engine_index(struct mcr_engine *engine);
/* May be called again, before the transfer, with more pairs (objects that were given a new place). */
MCR_EXPORT int mcr_engine_set_pairs(struct mcr_engine *engine, struct mcr_pair *pairs, uint32_t count);
/* The seed's mutable tracing: precise from the roots, then by site, then conservative. */
MCR_EXPORT int mcr_engine_trace(struct mcr_engine *engine);
/* After tracing: unpaired objects that outgrow their place. Fills up to `capacity` indexes and new sizes, returns how many. */
MCR_EXPORT uint64_t mcr_engine_outgrown(struct mcr_engine *engine, uint32_t *objects, uint64_t *sizes,
                                        uint64_t capacity);
/* After placing those: chunks that stay at their address and have another size in N. Fills up to `capacity` rows, returns
 * how many there are. */
struct mcr_chunk_size;
MCR_EXPORT uint64_t mcr_engine_resized(struct mcr_engine *engine, struct mcr_chunk_size *rows, uint64_t capacity);
/* The size in N of one object: converted elements plus tail. */
MCR_EXPORT uint64_t mcr_engine_new_size(struct mcr_engine *engine, uint32_t object);
/* Functions of a handler library, by the number that steps call them by; before the tables. */
MCR_EXPORT int mcr_engine_set_functions(struct mcr_engine *engine, void *const *functions, uint32_t count);
/* After tracing: runs the handlers that call library functions to learn what memory of N's they want. Before the transfer
 * `address` must be set in each. */
struct mcr_wanted {
    uint64_t address, size;
};
MCR_EXPORT int mcr_engine_prepare(struct mcr_engine *engine);
MCR_EXPORT struct mcr_wanted *mcr_engine_wanted(struct mcr_engine *engine, uint64_t *count);
MCR_EXPORT int mcr_engine_transfer(struct mcr_engine *engine);
/* After the transfer: chunks of O's that library functions need no copy of. */
MCR_EXPORT const uint64_t *mcr_engine_freed(struct mcr_engine *engine, uint64_t *count);
/* What a library function said when it failed. */
MCR_EXPORT const char *mcr_engine_message(struct mcr_engine *engine, uint32_t number);
/* Where a pointer of O points in N: a word that the kernel holds (epoll data). Unknown targets stay as they are. */
MCR_EXPORT uint64_t mcr_engine_translate(struct mcr_engine *engine, uint64_t value);
MCR_EXPORT uint32_t mcr_engine_find(struct mcr_engine *engine, uint64_t address);
MCR_EXPORT struct mcr_object *mcr_engine_objects(struct mcr_engine *engine, uint64_t *count);
MCR_EXPORT const struct mcr_event *mcr_engine_events(struct mcr_engine *engine, uint64_t *count);
MCR_EXPORT const struct mcr_patch *mcr_engine_patches(struct mcr_engine *engine, uint64_t *count);
MCR_EXPORT const uint8_t *mcr_engine_patch_bytes(struct mcr_engine *engine, uint64_t *size);
MCR_EXPORT const struct mcr_statistics *mcr_engine_statistics(struct mcr_engine *engine);
/* After the transfer: what differs from what was in the THEIRS image before. */
MCR_EXPORT const struct mcr_touched *mcr_engine_touched(struct mcr_engine *engine, uint64_t *count);
/* After the transfer: words of N that still lead to where O's moved objects were, or into the middle of O's code. Fills
 * up to `capacity` hits, returns how many there are. */
struct mcr_hit;
MCR_EXPORT uint64_t mcr_engine_audit(struct mcr_engine *engine, struct mcr_hit *hits, uint64_t capacity);

/* ---- audit and mark: plain scans, no engine needed ---- */
struct mcr_hit {
    uint64_t address, value;
};
/* Aligned words in `extents` whose value lies in one of the half-open `ranges` (pairs of addresses, sorted). */
MCR_EXPORT uint64_t mcr_scan_words(const struct mcr_extent *extents, uint32_t extent_count, const uint64_t *ranges,
                                   uint32_t range_count, struct mcr_hit *hits, uint64_t capacity);
/* Conservative mark: which of the sorted chunks are reachable from the root extents (words, interior and tagged pointers
 * included); contents are looked up in `memory`. reached[i] becomes 1. */
MCR_EXPORT int mcr_mark_chunks(const struct mcr_extent *roots, uint32_t root_count, const struct mcr_extent *memory,
                               uint32_t memory_count, const uint64_t *starts, const uint64_t *sizes,
                               uint64_t chunk_count, uint8_t *reached);

/* ---- the heap of a process under libmcr ---- */
struct mcr_heap_columns { /* room for `capacity` rows in each */
    uint64_t *addresses, *sizes, *capacities;
    uint32_t *sites;
    uint8_t *flags; /* enum mcr_slot_flag */
    uint64_t capacity;
};
/* The live chunks sorted by address. `spans`: struct mcr_span[span_count], in 8-byte alignment; `slots`: copies of the
 * slot arrays by their address there, sorted. Returns how many there are (columns NULL: only counts), -EINVAL if the
 * tables are damaged, -ENOMEM. */
MCR_EXPORT int64_t mcr_heap_live_chunks(const void *spans, uint64_t span_count, const struct mcr_extent *slots,
                                        uint32_t slot_extents, const struct mcr_heap_columns *columns);

/* ---- a process's memory (process_memory.c): plain transfers, no engine needed ---- */
struct mcr_piece { /* bytes [address, address + size) of the process are bytes [offset, offset + size) of the buffer */
    uint64_t address;
    uint64_t size;
    uint64_t offset;
};
/* What is known of a buffer's words: which lie in [low, high) and so may be addresses. NULL: no memory. */
MCR_EXPORT struct mcr_hints *mcr_hints_create(uint64_t size, uint64_t low, uint64_t high);
MCR_EXPORT void mcr_hints_destroy(struct mcr_hints *hints);
/* Looks at these pieces of the buffer, whole pages of it; 0 or -ENOMEM. */
MCR_EXPORT int mcr_hints_learn(struct mcr_hints *hints, const struct mcr_piece *pieces, uint64_t count,
                               const uint8_t *buffer);
/* 0, or -errno: -EFAULT nothing is mapped there, -EINVAL a piece lies outside the buffer, -EPERM, -ESRCH. *failed is the
 * address of the first byte that was not moved; what comes before it was. */
MCR_EXPORT int mcr_process_read(int pid, const struct mcr_piece *pieces, uint64_t count, uint8_t *buffer,
                                uint64_t buffer_size, uint64_t *failed);
MCR_EXPORT int mcr_process_write(int pid, const struct mcr_piece *pieces, uint64_t count, const uint8_t *buffer,
                                 uint64_t buffer_size, uint64_t *failed);

#endif
