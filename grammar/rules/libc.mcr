// The C library, the loader and our own runtime keep their state: N has its own (FACTS-E2E obstacle 15).
never merge library "libc.so*";
never merge library "libc-*.so";
never merge library "ld-linux*";
never merge library "ld-*.so";
never merge library "libpthread*";
never merge library "libdl*";
never merge library "librt*";
never merge library "libgcc_s*";
never merge library "libmcr.so*";
