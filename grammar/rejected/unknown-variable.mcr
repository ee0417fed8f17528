// expect: unknown-variable 2:17, unknown-variable 3:19
rename variable curtime -> current_time;
keep old variable main::prt;
