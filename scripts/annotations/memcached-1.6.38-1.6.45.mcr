// memcached 1.6.38 -> 1.6.45: what its types do not say.

free cache_free_s;  // what a cache_t keeps for later, whatever it was before
bytes conn.rbuf;    // what clients sent; its memory comes from such a cache

// How the request under way is to be answered was noted in its connection, and is now in the response made for it.
drop conn.noreply;
drop conn.mset_res;
drop conn.set_stale;
transfer struct _mc_resp {
    if (!old.free) {
        foreach i in 0 .. old::max_fds {
            let c = old::conns[i];
            if (c != NULL && c->resp == &old) {
                new.noreply = c->noreply;
                new.mset_res = c->mset_res;
                new.set_stale = c->set_stale;
            }
        }
    }
}
