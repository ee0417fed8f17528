// expect: incomplete 2:17
rename conn.rbuf
