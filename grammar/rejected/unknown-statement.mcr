// expect: unknown-statement 2:1, unknown-statement 3:1
renam conn.rbuf -> read_buffer;
transform conn;
