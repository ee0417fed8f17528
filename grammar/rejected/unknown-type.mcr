// expect: unknown-type 2:8, unknown-type 3:18, unknown-type 4:31, unknown-type 5:8
rename cnn.rbuf -> read_buffer;
never merge type pthread_mutex_t;
library "libevent*" points to struct event;
rename session.id -> ident;
