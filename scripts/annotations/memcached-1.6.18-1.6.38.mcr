// memcached 1.6.18 -> 1.6.38. The worker's notification event moved into a struct of its own; N makes a new one.
drop LIBEVENT_THREAD.notify_event;
