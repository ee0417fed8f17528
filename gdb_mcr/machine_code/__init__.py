"""Machine code to instructions; the only importer of capstone."""
