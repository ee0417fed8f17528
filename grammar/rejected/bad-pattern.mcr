// expect: bad-pattern 2:1, bad-pattern 3:1, bad-pattern 4:1
never merge library "";
library "/usr/lib/libevent*" points to struct conn;
input "" absent;
