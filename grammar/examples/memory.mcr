// What the old program's memory holds, where its types do not say it.

free struct free_chunk;        // a free list of the program's own: the chunk behind the link is dead
bytes conn.rbuf;               // a buffer: stale words in it are no pointers
bytes thread.buffers;          // an array of pointers: each of them
bytes struct thread.log.text;  // a field of a struct inside
bytes log_line;                // a variable
bytes variable main::line;

tagged conn.next & 3;                     // the two low bits are marks
tagged value.word & ~0xffffffffffff;      // an integer with an address in its low 48 bits
points value.word to struct conn;         // and what stands there
length value.items = old.used;            // the rest of the array was used and is not any more
active value.as.text when old.kind == 1;  // else the union holds no pointer
active value.as.number when old.kind != 1;
precise job.bytes;  // characters that never hold a pointer
opaque value.any;

rename conn.rbuf -> read_buffer;  // what a pointer leads to and what becomes of the pointer are two things
