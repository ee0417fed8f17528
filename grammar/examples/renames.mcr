// Names that changed from the old program to the new one.

rename conn.rbuf -> read_buffer;
rename conn.retry.tries -> retry.attempts;  // a path into a nested struct
rename type item_v1 -> item;
rename item_v1.refs -> refcount;              // old name of the type, new name of the field
rename struct settings.verbose -> verbosity;  // `struct` tells the tag from the variable
rename variable cur_time -> current_time;
rename variable main::port -> main::listen_port;  // a static variable of a function
