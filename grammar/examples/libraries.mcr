// What the merge leaves alone, and what libraries know of our types.

never merge type buf;
never merge library "libc.so*";
library "libevent*" points to struct conn;
