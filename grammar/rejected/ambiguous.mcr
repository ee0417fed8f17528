// expect: ambiguous 2:10, ambiguous 3:10, ambiguous 4:17, ambiguous 5:8
keep old queue;
keep new lock;
rename variable lock -> new_only;
rename dict.size -> length;
