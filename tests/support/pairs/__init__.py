"""Random pairs of C programs, one the successor of the other, that check themselves after an update."""
