// expect: unknown-field 2:13, unknown-field 3:34, unknown-field 4:21
rename conn.rbfu -> read_buffer;
rename conn.retry.tries -> retry.atempts;
keep old conn.retry.trees;
