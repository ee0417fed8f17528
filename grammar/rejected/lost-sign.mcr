// expect: lost-sign 2:33
transfer job { let n = 1U;  n = old.id; new.id = n; }
