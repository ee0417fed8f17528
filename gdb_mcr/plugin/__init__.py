"""The verbs inside the user's own GDB. Together with `debugger/mi_commands.py` the only importer of `gdb`."""
