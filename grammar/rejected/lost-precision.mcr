// expect: lost-precision 3:17, lost-precision 4:17, lost-precision 5:17, lost-precision 6:17, lost-precision 7:5
transfer job {
    new.ticks = old.ticks;        // long to int
    new.small = 300;              // to a char
    new.ratio = old.ratio;        // double to float
    new.total = old.ratio;        // double to int
    new.bytes = old.bytes;        // 16 elements to 8
}
