// expect: holds-pointers 2:7, holds-pointers 3:7
bytes conn.next;
bytes environment;
