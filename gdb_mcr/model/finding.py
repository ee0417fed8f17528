"""What speaks against an update, or might."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of DESIGN section 11."""

    id: str
    """The same in every run on the same two builds: `R1:redisServer.field`."""
    kind: str
    """R1 to R15."""
    certain: bool
    """False for what may turn out harmless when the memory is looked at."""
    text: str
    """What is the matter, one sentence in the user's terms."""
    path: str
    """A path from a root to the object, "" where there is none."""
    settle: str
    """The annotation or action that settles it, "" if nothing does."""
