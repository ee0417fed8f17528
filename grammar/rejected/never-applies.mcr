// expect: never-applies 2:10, never-applies 3:1, never-applies 5:9, never-applies 6:18, never-applies 8:1
transfer unused { new.size = 1; }
transfer conn {}
transfer job {
    if (old.count < 0) { new.id = 3; }
    foreach i in 4 .. 4 { new.id = i; }
}
transfer stats {
}
