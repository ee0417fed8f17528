/*
 * modules.h - the loaded modules as stack.c needs them: address -> module -> row of its tables.
 */
#ifndef MCR_MODULES_H
#define MCR_MODULES_H

#include "hooks.h"

enum mcr_owner { MCR_OF_PROGRAM, MCR_OF_LIBC, MCR_OF_LIBMCR }; /* whose module it is; libraries are the program's */

struct mcr_rows {
    const char *first; /* of `count` entries of `stride` bytes, sorted; each begins with its 32-bit pc */
    uint64_t count, stride;
    uint32_t *index; /* of each block of code: how many rows begin at or before its first byte; NULL without a table */
};

struct mcr_loaded {
    uint64_t start, end, bias, blocks; /* [start, end); blocks of code from address `bias` to `end` */
    struct mcr_rows unwind, names;
    uint64_t hash; /* of the file's name: stands for the names of functions that have none */
    enum mcr_owner owner;
};

/* Never changed once published; a new set gets a new epoch (> 0). */
struct mcr_modules {
    uint64_t count, epoch;
    struct mcr_loaded entries[]; /* sorted by start */
};

const struct mcr_modules *mcr_modules_now(void); /* NULL before the first mcr_stack_load_modules() */
const struct mcr_loaded *mcr_module_at(const struct mcr_modules *modules, uint64_t address); /* NULL: in none */
/* The row that is valid at an absolute address of the module, NULL if none is. */
const void *mcr_row_at(const struct mcr_loaded *module, const struct mcr_rows *rows, uint64_t address);

/* The row that leads from a return address in a wrapper to the wrapper's caller; MCR_CFA_NONE where a site ends. */
struct mcr_unwind_row mcr_stack_site_row(uint64_t pc);

#endif
