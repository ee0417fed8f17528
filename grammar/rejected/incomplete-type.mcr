// expect: incomplete-type 2:13
drop engine.state;
