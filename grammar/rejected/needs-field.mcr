// expect: needs-field 2:6
drop conn;
