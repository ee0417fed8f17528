// expect: not-a-union 2:8
active conn.rbytes when old.type == 1;
