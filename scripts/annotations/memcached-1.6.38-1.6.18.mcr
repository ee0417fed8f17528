// memcached 1.6.38 -> 1.6.18, back over twenty releases: what 1.6.38 has that 1.6.18 has no place for.

drop LIBEVENT_THREAD.n;        // the event that wakes a worker; 1.6.18's worker has made its own, `notify_event`
drop LIBEVENT_THREAD.cur_sfd;  // set by each command for log lines; 1.6.18 takes the number from the connection
free cache_free_s;             // what a cache_t keeps for later, whatever it was before
bytes conn.rbuf;               // what clients sent; its memory comes from such a cache

// Not settled here: `_mc_resp_bundle.thread`. The field itself is not needed, but it stands for a change that no type
// shows. 1.6.18 writes into all responses of a new bundle which bundle they are in, and relies on it ever after;
// 1.6.38 writes it when it hands a response out. Where a bundle has responses under way and others that were never
// used, 1.6.18 would hand out one of those and crash when it is given back (memcached.c, resp_free).
// While no client has a request or an answer under way: --yes-to R2:_mc_resp_bundle.thread. Each worker then begins a
// new bundle; its last one, 16 KB, is lost.
keep new LIBEVENT_THREAD.open_bundle;
