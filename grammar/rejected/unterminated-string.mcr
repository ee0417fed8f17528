// expect: unterminated-string 2:21, unterminated-string 3:9
never merge library "libc.so*;
library "a\n" points to struct conn;
