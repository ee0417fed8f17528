// expect: not-an-integer 2:9, not-an-integer 3:9, not-an-integer 4:9
counter stats.rate;
counter conn.retry;
counter settings;
