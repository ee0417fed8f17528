"""GDB's event registries. Source: GDB manual, "Events In Python"."""

from collections.abc import Callable
from typing import Generic, TypeVar

import gdb

_EventT = TypeVar("_EventT")

class EventRegistry(Generic[_EventT]):
    def connect(self, function: Callable[[_EventT], object], /) -> None: ...
    def disconnect(self, function: Callable[[_EventT], object], /) -> None: ...

cont: EventRegistry[gdb.ContinueEvent]
stop: EventRegistry[gdb.StopEvent]
exited: EventRegistry[gdb.ExitedEvent]
new_objfile: EventRegistry[gdb.NewObjFileEvent]
new_inferior: EventRegistry[gdb.NewInferiorEvent]
inferior_deleted: EventRegistry[gdb.InferiorDeletedEvent]
new_thread: EventRegistry[gdb.NewThreadEvent]
breakpoint_created: EventRegistry[gdb.Breakpoint]
breakpoint_modified: EventRegistry[gdb.Breakpoint]
breakpoint_deleted: EventRegistry[gdb.Breakpoint]
before_prompt: EventRegistry[None]
gdb_exiting: EventRegistry[gdb.GdbExitingEvent]
