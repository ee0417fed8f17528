// expect: contradiction 3:1, contradiction 5:1, contradiction 6:1, contradiction 8:1, contradiction 9:1
keep old conn.fd;
keep new conn.fd;
rename conn.rbuf -> read_buffer;
rename conn.rbuf -> tls;
rename conn.rbytes -> read_buffer;
rename variable cur_time -> current_time;
rename variable old_only -> current_time;
never merge type free_chunk;
free struct free_chunk;
