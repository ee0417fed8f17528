// expect: missing-semicolon 2:32, missing-semicolon 4:19
rename conn.rbuf -> read_buffer
keep old settings.backlog;
counter stats.hits
