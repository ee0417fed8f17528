"""ELF and DWARF to `model.program.Program` and to the module tables of `mcr_abi.h`. The only importer of elftools."""
