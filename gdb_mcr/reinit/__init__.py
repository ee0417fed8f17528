"""Mutable reinitialization: rehearsal alignment, placement plan, descriptor inheritance, launcher."""
