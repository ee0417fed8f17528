"""Mutable Checkpoint-Restart for GDB: replace a running C server by a new build of itself."""
