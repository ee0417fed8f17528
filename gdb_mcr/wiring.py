"""The one place that picks the concrete parts and puts them together for the front ends."""

from __future__ import annotations

from gdb_mcr.update.api import LiveUpdater


def make_updater() -> LiveUpdater:
    """What the front ends work with. It costs nothing until it is asked for something.

    :raises InstallationError: a file of gdb_mcr is missing.
    """
    # Imported here: help and completion must not wait for ctypes, the grammar and the ELF reader.
    from gdb_mcr.update.updater import Updater

    return Updater()
