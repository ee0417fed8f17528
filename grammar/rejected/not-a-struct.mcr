// expect: not-a-struct 2:6, incomplete-type 3:6, unknown-type 4:6, wrong-side 5:6
free enum color;
free struct engine;
free free_chnk;
free struct tls_state;
