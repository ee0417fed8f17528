// expect: bad-number 3:14, bad-number 4:22, bad-number 5:19, bad-number 6:14
transfer job {
    new.id = 089;
    new.total = 7 / (4 - 4);
    new.id = 1 << 32;
    new.id = 0x1ffffffffffffffff;
}
