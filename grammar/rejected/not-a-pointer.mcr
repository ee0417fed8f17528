// expect: not-a-pointer 2:7, not-a-pointer 3:7, not-a-pointer 4:7, not-a-pointer 5:7, needs-field 6:7, unknown-field 7:12, through-pointer 8:17
bytes conn.rbytes;
bytes conn.bufs;
bytes settings;
bytes thread.run;
bytes conn;
bytes conn.rbfu;
bytes conn.next.data;
