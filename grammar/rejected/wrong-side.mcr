// expect: wrong-side 2:13, wrong-side 3:21, wrong-side 4:10, wrong-side 5:18, wrong-side 5:34, wrong-side 6:10, wrong-side 7:10
rename conn.read_buffer -> rbuf;
rename conn.rbuf -> rbuf;
keep old new_only;
rename variable  current_time -> cur_time;
keep new old_only;
counter  conn.rbuf;
