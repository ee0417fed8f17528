// Transfer handlers: what the new object holds, computed from the old one.

rename job.count -> total;

transfer job {
    let seconds = old.ticks / 1000;
    new.ticks = fits(seconds);             // an int now: a value that does not fit ends the update
    new.small = (char)(old.small & 0x7f);  // a cast cuts off as C does
    new.busy = old.next != NULL && old.state != old::idle;
    new.ratio = (float)old.ratio;
    foreach i in old.slots {  // i goes over the indices
        new.slots[i].used = old.slots[i].used;
        new.slots[i].room = old.slots[i].limit - old.slots[i].used;
    }
    foreach i in 0 .. sizeof(new.bytes) {
        new.bytes[i] = old.bytes[i];
    }
    let others = 0L;
    foreach other in old.next via next {  // a list: from its first element along a field
        others += other->id > 0 ? 1 : 0;
    }
    if (old.state == old::lost) {
        new.state = new::closing;
    } else if (others > 100) {
        new.state = new::fresh;
    } else {
        new.state = old.state;  // two enums: by name
    }
    new.conn = old.conn;  // where it leads to now
    new.run = old.run;
}

transfer stats {
    new.hits[7] = old.hits[0] + old.hits[1];
    new.rate = old.rate * 60.0;
}

transfer variable started {
    new = fits(old / 1000000 + old::queue);  // a variable that is no struct; another variable's value
}
