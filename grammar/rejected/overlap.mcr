// expect: overlap 4:5, overlap 6:10, overlap 8:1, overlap 9:1, overlap 10:1
transfer job {
    new.id = 1;
    new.id = 2;
}
transfer job { new.total = 0; }
transfer conn { new.read_buffer = NULL; new.tls = 0; }
rename conn.rbuf -> read_buffer;
keep new job.id;
keep old conn.rbuf;
