// expect: not-carried-out 2:1
use "handlers.so";
