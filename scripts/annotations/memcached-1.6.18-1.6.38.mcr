// memcached 1.6.18 -> 1.6.38: what its types do not say.

rename LIBEVENT_THREAD.notify_event -> n.notify_event;  // moved into a struct of its own
keep new LIBEVENT_THREAD.notify_event;                  // the new worker makes its own event
free cache_free_s;                                      // what a cache_t keeps for later, whatever it was before
bytes conn.rbuf;                                        // what clients sent; its memory comes from such a cache
keep new conn.cas;                                      // was the number last shown to the client, is the one that its next item gets
