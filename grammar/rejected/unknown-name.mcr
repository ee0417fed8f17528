// expect: unknown-name 2:10, unknown-name 3:6
keep old setings.backlog;
drop port;
