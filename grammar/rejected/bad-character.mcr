// expect: bad-character 2:13, bad-character 3:6
drop conn.fd@;
drop 7up;
