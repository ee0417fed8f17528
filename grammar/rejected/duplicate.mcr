// expect: duplicate 3:1, duplicate 5:1, duplicate 7:1, duplicate 9:1
keep old conn.fd;
keep old struct conn.fd;
rename conn.rbuf -> read_buffer;
rename conn.rbuf -> read_buffer;
free free_chunk;
free struct free_chunk;
bytes conn.rbuf;
bytes struct conn.rbuf;
