// expect: duplicate 3:1, duplicate 5:1
keep old conn.fd;
keep old struct conn.fd;
rename conn.rbuf -> read_buffer;
rename conn.rbuf -> read_buffer;
