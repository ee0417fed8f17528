// expect: no-fields 2:18
keep old conn.fd.x;
