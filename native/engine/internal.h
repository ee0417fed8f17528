/* internal.h - the engine's own structure, shared by its files. */
#ifndef MCR_ENGINE_INTERNAL_H
#define MCR_ENGINE_INTERNAL_H

#include "engine.h"
#include <stddef.h>
#include <string.h>

struct image {
    const struct mcr_extent *extents;
    uint32_t count;
};

struct deferred { /* a typed pointer into bytes that had no type yet */
    uint32_t object, type, from;
    uint64_t offset;
};

struct end { /* a typed pointer to an object's start, which may be meant as the end of the one before it: ends.c */
    uint32_t object, type, from;
    bool disputed; /* others say that another type stands there, or this type before it */
};

struct work {
    uint32_t *objects;
    uint64_t count, room;
};

struct visits { /* visits.c; key 0 = free */
    uint64_t *keys;
    uint64_t count, mask;
};

enum { POINTERS_AHEAD = 16, POINTERS_UNDER_WAY = 2 * POINTERS_AHEAD, OBJECTS_UNDER_WAY = 8 };

struct met_pointer {
    uint64_t value;
    uint32_t target, from; /* the type of what it points to; the object that holds it */
    uint32_t object;       /* that the value may lie in */
};

struct taken_object {
    uint32_t index;
    const uint8_t *bytes; /* in the THEIRS image; NULL if they are not there */
};

/* What tracing will look at next, while the memory that this takes is on its way (trace.c). Counters run on; a ring's
 * place is the counter modulo its size. */
struct pipeline {
    struct met_pointer pointers[POINTERS_UNDER_WAY];
    uint64_t met, found, followed;
    struct taken_object objects[OBJECTS_UNDER_WAY];
    uint64_t taken, walked;
};

struct length { /* four bytes that tell the length of a table which N has longer: N's value stays */
    uint64_t address;
};

struct store { /* into N's object, by a handler that merges */
    uint64_t offset, size;
};

struct deferred_result { /* of a conversion in place, whose object other handlers still read as O left it */
    uint64_t address, size;
    uint64_t offset; /* in `results` */
    uint8_t *place;
};

struct twin { /* N's object that one of O's is merged with: twins.c */
    uint64_t address, size;
    uint32_t object; /* O's */
};

struct stretch { /* of addresses: moved.c */
    uint64_t start, size;
};
enum { MAX_STRETCHES = 16 };

struct effect { /* what a scan says of one object */
    uint32_t flags, parent, holder;
};

struct region_slot; /* find.c */
struct region;
void mcr_index_free(struct mcr_engine *engine);

struct mcr_engine {
    struct image images[MCR_IMAGES];
    struct mcr_tables tables;
    struct mcr_object *objects;
    uint64_t object_count, object_room;
    struct effect *effects; /* two scanners' books: scan.c */
    uint64_t effect_room;
    struct region_slot *region_slots; /* hash table */
    struct region *regions;
    uint64_t region_mask, region_count, low, high; /* objects lie in [low, high) */
    struct mcr_pair *pairs;
    uint32_t pair_count;
    uint8_t *interest;   /* by type: INTEREST_* */
    struct work work[2]; /* objects still to be walked: small ones, then large ones */
    struct pipeline pipeline;
    struct deferred *deferred;
    uint64_t deferred_count, deferred_room, deferred_walked;
    struct visits visits; /* typed places inside untyped chunks that were met */
    uint8_t *site_bad;    /* by site: a disagreement disqualified it */
    uint8_t *site_tail;   /* by site: one of its chunks has bytes behind its type */
    struct end *ends;
    uint64_t end_count, end_room;
    bool restart;           /* a type turned out to have tails: trace again at once */
    bool misled;            /* stale words were taken for pointers: trace again when all is known that can be */
    struct length *lengths; /* sorted by address */
    uint64_t length_count, length_room;
    struct mcr_event *events;
    uint64_t event_count, event_room;
    struct mcr_patch *patches;
    uint64_t patch_count, patch_room;
    uint8_t *patch_bytes;
    uint64_t patch_size, patch_bytes_room;
    uint8_t *scratch;
    uint64_t scratch_room;
    uint8_t *by_word;       /* by program: still.c */
    uint8_t *readers;       /* by program: NEEDS_* of its handlers */
    bool *given_up;         /* by handler: its loops went on for too long, it is not run again */
    uint32_t handler_depth; /* of handlers that run inside handlers */
    struct store *stores;
    uint64_t store_count, store_room;
    uint8_t *sides; /* N's object as made of O's, and of the base's */
    uint64_t sides_room;
    bool defers;
    struct library *library; /* library.h; NULL: there is none */
    struct deferred_result *results;
    uint64_t result_count, result_room;
    uint8_t *result_bytes;
    uint64_t result_size, result_bytes_room;
    struct twin *twins; /* sorted by address */
    uint64_t twin_count;
    struct stretch stretches[MAX_STRETCHES];
    uint32_t stretch_count;
    struct mcr_touched *touched;
    uint64_t touched_count, touched_room;
    struct mcr_statistics statistics;
    int failure; /* -ENOMEM met where it could not be returned */
};

enum {
    INTEREST_POINTERS = 1,
    INTEREST_SCAN = 2,
    INTEREST_FLEXIBLE = 4,
    INTEREST_KNOWN = 8,
    INTEREST_WORDS = 16 /* all of its bytes are words to be scanned */
};

enum {
    NEEDS_OTHERS = 1, /* reads O's memory outside the object */
    NEEDS_LIBRARY = 2
};

static inline uint32_t object_kind(const struct mcr_object *object) { return object->flags >> MCR_OBJECT_KIND_SHIFT; }

static inline enum mcr_place object_place(const struct mcr_object *object) {
    static const uint8_t places[] = {MCR_PLACE_STATIC, MCR_PLACE_DYNAMIC, MCR_PLACE_DYNAMIC, MCR_PLACE_LIBRARY};
    return places[object_kind(object) % 4];
}

/* What an annotation says of the memory behind a pointer holds whatever other pointers say. */
static inline bool mcr_is_settling(const struct mcr_engine *engine, uint32_t type) {
    return engine->tables.type_flags[type] & (MCR_TYPE_FREE | MCR_TYPE_PLAIN);
}

/* Code, constants or variables of O's executable. */
static inline bool mcr_is_in_image(const struct mcr_engine *engine, uint64_t value) {
    return value - engine->tables.image_start < engine->tables.image_end - engine->tables.image_start;
}

static inline uint64_t load_word(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline void store_word(uint8_t *bytes, uint64_t word) { memcpy(bytes, &word, sizeof word); }

/* engine.c */
void *mcr_zeroed(uint64_t count, size_t entry); /* for large arrays; starts a page; mcr_unmap() gives it back */
void mcr_unmap(void *memory, uint64_t count, size_t entry);
bool mcr_grow(struct mcr_engine *engine, void *array, uint64_t *room, uint64_t need, size_t entry);
void mcr_event_add(struct mcr_engine *engine, uint32_t kind, uint32_t object, uint64_t offset, uint64_t detail,
                   uint64_t value);
uint8_t *mcr_scratch(struct mcr_engine *engine, uint64_t size); /* zeroed, valid until the next call */

/* trace.c */
/* Bytes of clients, as far as anyone can tell: no word of it is changed, whatever it looks like. */
bool mcr_is_text(const struct mcr_engine *engine, const struct mcr_object *object);

/* find.c */
void mcr_index_free(struct mcr_engine *engine);
uint8_t *mcr_image_at(const struct mcr_engine *engine, uint32_t kind, uint64_t address, uint64_t size);
uint32_t mcr_find_object(const struct mcr_engine *engine, uint64_t address); /* MCR_NONE if none holds it */
/* The same in three steps, for who has other work while memory is on its way: ask for what the second step needs; the
 * object that may hold the address, MCR_NONE if none does; whether it does, which needs the object. */
void mcr_find_soon(const struct mcr_engine *engine, uint64_t address);
uint32_t mcr_find_candidate(const struct mcr_engine *engine, uint64_t address);
bool mcr_holds(const struct mcr_object *object, uint64_t address);
void mcr_page_set_still(struct mcr_engine *engine, uint64_t address);
bool mcr_pages_still(const struct mcr_engine *engine, uint64_t address, uint64_t size);
const struct mcr_symbol *mcr_find_symbol(const struct mcr_engine *engine,
                                         uint64_t address); /* the one that covers it */

/* words.c: the aligned words in bytes [from, to) of something at `address`, of those whose values lie in a range */
struct words {
    const uint8_t *bytes; /* at `address` */
    uint64_t at, end;     /* offset of the word to be looked at next in memory */
    uint64_t direct_end;  /* up to here the words are to be looked at in memory */
    struct mcr_hints *hints;
    uint64_t first;                 /* index of the word at offset 0 in the hinted buffer */
    uint64_t page;                  /* the page of that buffer whose hinted values */
    uint64_t *values, *next, *stop; /* stand here; NULL if they are looked at in memory */
    uint64_t low, span;
};
struct words mcr_words_in(const struct mcr_extent *extent, uint64_t address, uint64_t from, uint64_t to);
/* The same for bytes that may be part of the THEIRS image. */
struct words mcr_words_of(const struct mcr_engine *engine, uint64_t address, const uint8_t *bytes, uint64_t from,
                          uint64_t to);
void mcr_words_between(struct words *words, uint64_t low, uint64_t high);
bool mcr_words_next(struct words *words, uint64_t *value);
uint64_t mcr_words_offset(const struct words *words); /* of the word found, from `address` */
/* Stores another value in the word found, in the THEIRS image. */
void mcr_words_replace(struct mcr_engine *engine, struct words *words, uint64_t address, uint64_t value);
/* Bytes of the THEIRS image were replaced by any others. */
void mcr_rewritten(struct mcr_engine *engine, uint64_t address, uint64_t size);

/* scan.c */
struct effect *mcr_effects(struct mcr_engine *engine, uint64_t objects); /* room for them; NULL: no memory */
void mcr_scan_objects(struct mcr_engine *engine);

/* sites.c */
uint32_t mcr_site_type(const struct mcr_engine *engine, const struct mcr_object *object); /* MCR_NONE = not known */
void mcr_check_sites(struct mcr_engine *engine);

/* statistics.c */
void mcr_count_objects(struct mcr_engine *engine);

/* doubts.c: what tracing leaves open, as events */
void mcr_doubt_objects(struct mcr_engine *engine);

/* visits.c */
bool mcr_visits_can_hold(uint32_t type_count);
bool mcr_visit(struct mcr_engine *engine, uint64_t address, uint32_t type); /* whether it is for the first time */
void mcr_visit_soon(const struct mcr_engine *engine, uint64_t address, uint32_t type);
void mcr_visits_clear(struct mcr_engine *engine);

/* types.c */
void mcr_types_learn(struct mcr_engine *engine);
uint32_t mcr_elements(const struct mcr_engine *engine, const struct mcr_object *object);
uint64_t mcr_bytes_in_use(const struct mcr_object *object);
/* The elements of which all bytes are in use. */
uint32_t mcr_elements_in_use(const struct mcr_engine *engine, const struct mcr_object *object);
/* Whether `wanted` stands at `offset` in an object of `type` (itself, a member, an element; offset already reduced). */
bool mcr_type_holds(const struct mcr_engine *engine, uint32_t type, uint64_t offset, uint32_t wanted);
/* Whether a word at `offset` may be a pointer; false for numbers, bit fields and padding. */
bool mcr_type_may_point(const struct mcr_engine *engine, uint32_t type, uint64_t offset);
/* Whether the byte at `offset` lies in a part of a ruled type. */
bool mcr_type_ruled_at(const struct mcr_engine *engine, uint32_t type, uint64_t offset);
uint64_t mcr_reduce_offset(const struct mcr_engine *engine, const struct mcr_object *object, uint64_t offset);
/* Bytes that an object of the type has at least: a flexible array may be empty, and may begin before sizeof. */
uint32_t mcr_least_size(const struct mcr_engine *engine, uint32_t type);

/* ends.c: pointers that mean the end of an array, and those that carry a tag */
/* Bits of a typed pointer that no address of its type has. */
uint64_t mcr_tag(const struct mcr_engine *engine, uint64_t value, uint32_t type);
/* Whether a pointer to `type` with the address of this object may be meant as the end of the object before it. */
bool mcr_may_be_end(const struct mcr_engine *engine, uint32_t object, uint32_t type);
/* Which of the pointers that may mean an end do not agree with each other. */
void mcr_find_disputes(struct mcr_engine *engine);
/* Whether it is, now that types are known. */
bool mcr_is_end(const struct mcr_engine *engine, uint32_t object, uint32_t type);
/* Whether nobody can tell, and it makes a difference. */
bool mcr_is_ambiguous(struct mcr_engine *engine, uint32_t object, uint32_t type);

/* translate.c */
enum landing { LANDS_SAME, LANDS_MOVED, LANDS_CODE, LANDS_UNKNOWN, LANDS_LOST };
enum landing mcr_translate(struct mcr_engine *engine, uint64_t value, uint64_t *ret);
/* Of a pointer by its type, MCR_NONE = void. */
enum landing mcr_translate_pointer(struct mcr_engine *engine, uint64_t value, uint32_t type, uint64_t *ret);
/* Where the end of an object is in N. */
enum landing mcr_translate_end(struct mcr_engine *engine, uint32_t object, uint64_t *ret);
/* For words of opaque memory: only what is certain (DESIGN section 8). `ruled` = the holder's library may point to ruled types. */
enum landing mcr_translate_opaque(struct mcr_engine *engine, uint64_t value, bool ruled, uint64_t *ret);
/* Whether something stands behind its only element. */
bool mcr_has_tail(const struct mcr_engine *engine, const struct mcr_object *object, const struct mcr_program *program);
bool mcr_map_offset(const struct mcr_engine *engine, const struct mcr_object *object, uint64_t offset, uint64_t *ret);
uint32_t mcr_object_program(const struct mcr_engine *engine, const struct mcr_object *object);

/* transfer.c: room for bytes of N, valid until the next call */
uint8_t *mcr_patch_add(struct mcr_engine *engine, uint64_t address, uint64_t size);

/* library.c */
struct library;
void mcr_library_free(struct library *library);

/* moved.c */
void mcr_moved_learn(struct mcr_engine *engine);

/* Whether a pointer with this value may have to be another one in N, or is lost there. Without a branch: values that
 * follow each other lead anywhere. */
static inline bool mcr_may_lead_elsewhere(const struct mcr_engine *engine, uint64_t value) {
    bool found = value - engine->tables.image_start < engine->tables.image_end - engine->tables.image_start;
    for (uint32_t i = 0; i < engine->stretch_count; i++)
        found |= value - engine->stretches[i].start < engine->stretches[i].size;
    return found;
}

/* still.c */
bool mcr_still_learn(struct mcr_engine *engine); /* before the transfer changes anything; false: no memory */
bool mcr_stays(const struct mcr_engine *engine, const struct mcr_object *object); /* as it is, in N */

/* growth.c: tables that are longer in N than in O (DESIGN section 9) */
void mcr_growth_learn(struct mcr_engine *engine);
bool mcr_growth_is_length(const struct mcr_engine *engine, uint64_t address); /* of four bytes in O */
bool mcr_growth_is_own_slot(const struct mcr_engine *engine, const struct mcr_object *table, uint64_t offset);

/* twins.c. O's object, or MCR_NONE; asked rarely, so the table is made when it is. */
uint32_t mcr_twin_at(struct mcr_engine *engine, uint64_t address_in_new);
void mcr_twins_forget(struct mcr_engine *engine);

/* structures.c: linked structures that both sides changed (DESIGN section 9) */
void mcr_structures_settle(struct mcr_engine *engine);
/* Whether a pointer leads into a structure that is taken from O, or would do so with N's value. */
bool mcr_structures_lead(struct mcr_engine *engine, uint64_t theirs, uint64_t ours);

/* convert.c */
struct conversion {
    uint32_t object;
    uint64_t object_offset; /* of the element in the object, for events */
    const uint8_t *theirs;
    const uint8_t *base; /* NULL: everything counts as changed */
    uint64_t base_size;  /* bytes known at base; beyond it the base is zero */
    const uint8_t *ours; /* NULL: nothing of N's there */
    uint8_t *out;
    uint64_t theirs_size, out_size;
    bool ruled, text;
    uint64_t taken, kept_offset;  /* kept_offset: first field where N's own value stayed, UINT64_MAX none */
    uint64_t all_taken, all_kept; /* pointers counted, too */
};
void mcr_convert(struct mcr_engine *engine, uint32_t program, struct conversion *conversion);
/* `count` ops from `first` on, whose offsets are relative to these. */
void mcr_convert_ops(struct mcr_engine *engine, struct conversion *conversion, uint32_t first, uint32_t count,
                     uint64_t old_offset, uint64_t new_offset);
void mcr_convert_opaque(struct mcr_engine *engine, struct conversion *conversion, uint64_t old_offset,
                        uint64_t new_offset, uint64_t length);
/* The words of an opaque object that stays where it is: only those that point to what moved are stored again. */
void mcr_fix_words(struct mcr_engine *engine, uint8_t *bytes, uint64_t address, uint64_t size, bool ruled);

/* question.c: what an annotation says of a place depends on other values of its object. Asked by several threads at
 * once; `object` is told of questions that have no answer, MCR_NONE = none is. */
bool mcr_ask(const struct mcr_engine *engine, uint32_t question, uint32_t object, const uint8_t *bytes, int64_t *ret);
/* The type of a union at `bytes`, by its cases. */
uint32_t mcr_choose(const struct mcr_engine *engine, uint32_t type, uint32_t object, const uint8_t *bytes);
/* A pointer to `value` stands at `bytes`: where it leads is in use as far as its fact says. */
void mcr_note_length(struct mcr_engine *engine, uint32_t from, const struct mcr_type *type, uint64_t value,
                     const uint8_t *bytes);
/* Whether the ops of a CHOICE are to be run. */
struct conversion;
bool mcr_is_chosen(const struct mcr_engine *engine, const struct conversion *c, const struct mcr_op *op,
                   uint64_t old_offset);

static inline const struct mcr_pointer_fact *mcr_pointer_fact(const struct mcr_engine *engine,
                                                              const struct mcr_type *type) {
    return type->count ? &engine->tables.pointer_facts[type->first] : NULL;
}

/* handler.c */
void mcr_handle(struct mcr_engine *engine, struct conversion *conversion, const struct mcr_op *op, uint64_t old_offset,
                uint64_t new_offset);

/* handler_verify.c */
int mcr_handlers_learn(struct mcr_engine *engine); /* -EINVAL: not sound; -ENOMEM */

#endif
