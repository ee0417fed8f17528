// expect: bad-index 3:15, bad-index 4:24
transfer job {
    new.slots[8].used = 1;
    new.id = old.slots[-1].used;
}
