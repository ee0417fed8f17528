"""What the system lets this process have. Source: getrlimit(2)."""

from __future__ import annotations

import resource
from collections.abc import Callable


def widen_descriptor_limit() -> Callable[[], None]:
    """Lets this process and those that it starts have as many descriptors as they may; the answer undoes that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
