/* What becomes of values that the old server changed since its start. */

keep old settings.backlog;  // was set at run time: it moves
keep new conn.type;         // a field of every object of a type
keep old "b.c"::lock;       // one of two file statics of that name
keep old type conn.rbytes;  // `type` and `variable` settle what a bare name means
keep new variable stats.rate;
counter stats.total;                      // theirs + ours - base
counter stats.hits;                       // an array: each element
drop conn.as_int;                         // a field of an unnamed union inside
drop old_only;                            // a variable that the new program lacks
keep old "src/dict.h"::struct dict.size;  // one of two structs of that name
