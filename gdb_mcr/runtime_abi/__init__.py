"""`native/mcr_abi.h` in Python: control block, logs, heap tables, settings, channel."""
