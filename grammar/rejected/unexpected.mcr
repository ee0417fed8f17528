// expect: unexpected 2:6, unexpected 3:18, unexpected 4:11, unexpected 5:13, unexpected 6:20
keep settings.backlog;
rename conn.rbuf read_buffer;
drop conn.;
never merge function "x";
rename type item_v1;
