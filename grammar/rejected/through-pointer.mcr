// expect: through-pointer 2:20
keep old conn.next.used;
