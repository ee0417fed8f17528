// expect: type-mismatch 3:16, type-mismatch 4:14, type-mismatch 5:5, type-mismatch 6:17, type-mismatch 7:15, type-mismatch 8:14
transfer job {
    new.next = old.id;            // a number where a pointer belongs
    new.id = old.next;            // an address is no number that means anything in the new program
    new.slots = old.bytes;        // another kind of elements
    new.other = old.conn;         // another type behind the pointer
    new.id = -old.next;
    new.id = old.next == new.next;
}
