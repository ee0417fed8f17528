"""Brings the verbs into the GDB that this runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache

import gdb

from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.table import available
from gdb_mcr.console.progress import TerminalProgress
from gdb_mcr.plugin.hand_over import HandOver, HandOverSetting
from gdb_mcr.plugin.services import GdbServices
from gdb_mcr.plugin.verbs import Overview, Verb, remark
from gdb_mcr.update.api import LiveUpdater


def make_real_updater() -> LiveUpdater:
    """Imported when a verb first needs it, so that GDB starts as fast as before and help works whatever is wrong."""
    from gdb_mcr import wiring

    return wiring.make_updater()


@cache
def load(make_updater: Callable[[], LiveUpdater] = make_real_updater) -> Context:
    """Register all verbs; once, however often the file is sourced.

    :param make_updater: another `LiveUpdater`'s maker, for tests.
    """
    services = GdbServices(lambda: context.updater, HandOver(HandOverSetting(), remark))
    context = Context(make_updater, FrontEnd.GDB, services)
    # GDB's own standard error is never paged, so that progress cannot wait for a key while a server stands still.
    if os.isatty(sys.__stderr__.fileno() if sys.__stderr__ is not None else -1):
        context.progress = TerminalProgress(sys.stderr)
    Overview()
    for command in available(FrontEnd.GDB):
        Verb(command, context)
    gdb.events.gdb_exiting.connect(lambda event: context.close())
    return context
