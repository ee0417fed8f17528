// expect: unterminated-comment 3:1
drop old_only;
/* and so on
drop nothing;
