// expect: not-writable 3:5, not-writable 4:5, not-writable 5:27
transfer job {
    old.id = 1;
    1 = new.id;
    foreach i in 0 .. 4 { i = 2; }
}
