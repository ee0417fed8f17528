// expect: still-exists 2:6, still-exists 3:6
drop conn.fd;
drop settings;
