/*
 * handlers.h - transfer handlers as the engine runs them: a register machine over one object of O and its place in N.
 *
 * A handler is a run of steps. It sees O's object, what the conversion has made of it in N so far, and through pointers
 * the rest of O's memory. Steps are verified before any runs (handler_verify.c); what only the values can tell (an index,
 * a divisor, where a pointer leads) is checked when it happens, and ends the handler with an event. Registers hold 64
 * bits: integers extended by the sign of their type, floating point numbers as double. Source: DESIGN section 13.
 */
#ifndef MCR_ENGINE_HANDLERS_H
#define MCR_ENGINE_HANDLERS_H

#include <stdint.h>

enum {
    MCR_REGISTERS = 64,
    MCR_NO_REGISTER = 255,  /* in place of an offset's register: the offset is `at` alone */
    MCR_MAX_STEPS = 1 << 16 /* of one handler */
};

enum mcr_step_code {
    MCR_STEP_END = 0,
    MCR_STEP_CONST = 1, /* to = value */
    MCR_STEP_MOVE = 2,  /* to = left */
    /* Values in memory. Their offset is `at` plus register `left`, if there is one; `right` is enum mcr_form. */
    MCR_STEP_LOAD_OLD = 3,   /* to = what stands in O's object */
    MCR_STEP_LOAD_NEW = 4,   /* to = what stands in N's object so far */
    MCR_STEP_READ = 5,       /* to = what stands at address `left` + value of O, inside one object */
    MCR_STEP_STORE = 6,      /* into N's object, from `to`; a number must fit */
    MCR_STEP_STORE_BITS = 7, /* the same into a bit field: right = width, value = first bit; signed if value >> 8 */
    /* Ops from `at` on, as many as the low half of `value` says, into as many bytes of N as the high half says. Offsets
     * in O's and N's object: registers `left` and `right`, if any. */
    MCR_STEP_CONVERT = 8,
    MCR_STEP_TRANSLATE = 9, /* to = where what `left` points to in O is in N */
    /* Integers. */
    MCR_STEP_EXTEND = 10, /* to = the low `at` bits of left; signed if right */
    MCR_STEP_ADD = 11,    /* to = left + right, and so on; results are extended by a step of their own */
    MCR_STEP_SUBTRACT = 12,
    MCR_STEP_MULTIPLY = 13,
    MCR_STEP_DIVIDE = 14, /* signed */
    MCR_STEP_DIVIDE_UNSIGNED = 15,
    MCR_STEP_REMAINDER = 16, /* signed */
    MCR_STEP_REMAINDER_UNSIGNED = 17,
    MCR_STEP_AND = 18,
    MCR_STEP_OR = 19,
    MCR_STEP_XOR = 20,
    MCR_STEP_SHIFT_LEFT = 21, /* by less than `at` bits */
    MCR_STEP_SHIFT_RIGHT = 22,
    MCR_STEP_SHIFT_RIGHT_UNSIGNED = 23,
    MCR_STEP_EQUAL = 24,
    MCR_STEP_LESS = 25,
    MCR_STEP_LESS_UNSIGNED = 26,
    /* Floating point. */
    MCR_STEP_FLOAT_ADD = 27,
    MCR_STEP_FLOAT_SUBTRACT = 28,
    MCR_STEP_FLOAT_MULTIPLY = 29,
    MCR_STEP_FLOAT_DIVIDE = 30,
    MCR_STEP_FLOAT_EQUAL = 31,
    MCR_STEP_FLOAT_LESS = 32,
    MCR_STEP_FLOAT_LESS_EQUAL = 33,
    MCR_STEP_FLOAT_OF = 34, /* to = double of the signed left */
    MCR_STEP_FLOAT_OF_UNSIGNED = 35,
    MCR_STEP_FLOAT_TO = 36, /* to = signed integer of the double left, towards zero */
    MCR_STEP_FLOAT_TO_UNSIGNED = 37,
    MCR_STEP_FLOAT_ROUND = 38, /* to = left as a float */
    /* The way through. */
    MCR_STEP_JUMP = 39,      /* to step `at` of the handler */
    MCR_STEP_JUMP_ZERO = 40, /* the same if left is zero */
    MCR_STEP_BOUND = 41,     /* fails unless left < value, unsigned */
    MCR_STEP_CALL = 42, /* to = function `at` of the handler library, of `right` arguments from register `left` on */
    MCR_STEP_SELF = 43, /* to = where the object is in O */
    MCR_STEP_CODES
};

/* How a value stands in memory: bytes (1 to 8), and how it is read. */
enum mcr_form { MCR_FORM_BYTES = 0x0f, MCR_FORM_SIGNED = 0x10, MCR_FORM_FLOAT = 0x20, MCR_FORM_BOOL = 0x40 };

struct mcr_step {
    uint8_t code;
    uint8_t to;
    uint8_t left;
    uint8_t right;
    uint32_t at;
    int64_t value;
};

struct mcr_handler {
    uint32_t first, count;       /* steps */
    uint32_t old_size, new_size; /* of what it converts, bytes */
    uint32_t rounds;             /* jumps back that one run may take */
    uint32_t registers;          /* that it uses, zero at its start */
};

/* Why a handler ended early. */
enum mcr_handler_failure {
    MCR_HANDLER_DONE = 0,
    MCR_HANDLER_DIVISION = 1, /* by zero, or of the smallest number by -1 */
    MCR_HANDLER_SHIFT = 2,    /* by as many bits as there are, or more */
    MCR_HANDLER_INDEX = 3,    /* behind an array's end */
    MCR_HANDLER_OUTSIDE = 4,  /* outside the object */
    MCR_HANDLER_POINTER = 5,  /* a pointer that leads into no object of O's, or out of it */
    MCR_HANDLER_LONG = 6,     /* more rounds than it may take */
    MCR_HANDLER_NUMBER = 7,   /* a floating point number that no integer can be */
    MCR_HANDLER_NESTED = 8,   /* handlers inside handlers inside handlers */
    MCR_HANDLER_LENGTH = 9,   /* an array is said to be longer than the memory that it is in */
    MCR_HANDLER_LIBRARY = 10, /* a library function says so; its message's number is the value's bits from 8 on */
    MCR_HANDLER_CRASH = 11    /* a library function crashed */
};

#endif
