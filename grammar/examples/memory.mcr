// What the old program's memory holds, where its types do not say it.

free struct free_chunk;        // a free list of the program's own: the chunk behind the link is dead
bytes conn.rbuf;               // a buffer: stale words in it are no pointers
bytes thread.buffers;          // an array of pointers: each of them
bytes struct thread.log.text;  // a field of a struct inside
bytes log_line;                // a variable
bytes variable main::line;
rename conn.rbuf -> read_buffer;  // what a pointer leads to and what becomes of the pointer are two things
