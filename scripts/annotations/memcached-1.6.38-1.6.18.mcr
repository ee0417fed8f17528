// memcached 1.6.38 -> 1.6.18, back over twenty releases: what 1.6.38 has that 1.6.18 has no place for.

drop LIBEVENT_THREAD.n;         // the event that wakes a worker; 1.6.18's worker has made its own, `notify_event`
drop LIBEVENT_THREAD.cur_sfd;   // set by each command for log lines; 1.6.18 takes the number from the connection
drop _mc_resp_bundle.thread;    // whose cache the bundle goes back to; 1.6.18 asks the response's connection
free cache_free_s;              // what a cache_t keeps for later, whatever it was before
bytes conn.rbuf;                // what clients sent; its memory comes from such a cache
