"""Views of other processes through /proc and pidfds. A process that has gone is a `TargetError`."""
