// expect: not-carried-out 2:1, not-a-union 2:8
active conn.rbytes when old.type == 1;
