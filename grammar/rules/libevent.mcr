// libevent's tables, queues and heaps hold pointers to the `struct event` that the program embeds in its own objects.
library "libevent*" points to struct event;
library "libevent*" points to struct event_callback;
