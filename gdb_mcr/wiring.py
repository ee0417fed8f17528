"""The one place that picks the concrete parts and puts them together for the front ends."""

from __future__ import annotations

from gdb_mcr.errors import InstallationError
from gdb_mcr.update.api import LiveUpdater


def make_updater() -> LiveUpdater:
    """What the front ends work with.

    :raises InstallationError: this build of gdb_mcr has no update machinery.
    """
    raise InstallationError("the update machinery", ())
