// expect: not-carried-out 2:1
opaque job.bytes;
