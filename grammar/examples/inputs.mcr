// Files that the old server read when it started.

input "dump.rdb" absent;
input "/etc/server/*.conf" new;
