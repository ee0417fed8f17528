"""Which pages of another process have been written since when, told by the kernel while the process runs on.

The process makes a userfaultfd; whoever has a copy of it says which memory is tracked. Nothing blocks: the first write
to a tracked page costs the process a page fault (1 us) and nothing else. Source: userfaultfd(2), UFFD_FEATURE_WP_ASYNC;
Documentation/admin-guide/mm/pagemap.rst, PAGEMAP_SCAN (both Linux 6.7).
"""

from __future__ import annotations

import fcntl
import os
import struct
from array import array
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from gdb_mcr.errors import TargetError
from gdb_mcr.proc.files import PROC
from gdb_mcr.units import Range

_UFFD_API = 0xAA
_UFFDIO_API, _UFFDIO_REGISTER = 0xC018AA3F, 0xC020AA00
_PAGEFAULT_FLAG_WP, _WP_UNPOPULATED, _WP_ASYNC = 1 << 0, 1 << 13, 1 << 15
_REGISTER_MODE_WP = 2

_PAGEMAP_SCAN = 0xC0606610
_SCAN_AND_PROTECT, _SCAN_CHECK = 1, 2  # PM_SCAN_WP_MATCHING, PM_SCAN_CHECK_WPASYNC
_IS_WRITTEN = 2  # PAGE_IS_WRITTEN
_SCAN_ARGUMENTS = struct.Struct("<12Q")
_WALK_END = 4
_REGIONS = 4096
_REGION_WORDS = 3


class PageTracker(Protocol):
    """Tells which pages of a process were written."""

    tells: bool
    """False: it takes all of them for written."""

    def track(self, place: Range) -> None:
        """From now on writes to private anonymous memory in this range are told, those to pages to come, too."""
        ...

    def written(self, places: Iterable[Range], *, begin_again: bool) -> list[Range]:
        """The pages of tracked memory written since the last beginning, neighbours joined.

        :param begin_again: whether they stop counting as written at the moment at which each is looked at.
        """
        ...

    def close(self) -> None:
        """Ends the tracking."""
        ...


class AllWritten:
    """A `PageTracker` for a process or a kernel that cannot tell."""

    tells = False

    def track(self, place: Range) -> None:
        """Nothing."""

    def written(self, places: Iterable[Range], *, begin_again: bool) -> list[Range]:
        """All that is asked about."""
        return list(places)

    def close(self) -> None:
        """Nothing."""


class WriteTracker:
    """Tracks writes to memory of one process: a `PageTracker`. A context manager; afterwards the process is as it was.

    All of what is tracked counts as written until it is looked at for the first time.

    :param descriptor: a copy of the process's own userfaultfd; it is this object's from now on.
    :raises TargetError: this kernel cannot do it.
    """

    tells = True

    def __init__(self, pid: int, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pagemap = -1
        try:
            self._pagemap = os.open(PROC / str(pid) / "pagemap", os.O_RDONLY | os.O_CLOEXEC)
            self._control(_UFFDIO_API, _UFFD_API, _PAGEFAULT_FLAG_WP | _WP_UNPOPULATED | _WP_ASYNC, 0)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the tracking."""
        for descriptor in (self._descriptor, self._pagemap):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._pagemap = -1

    def track(self, place: Range) -> None:
        """From now on writes to private anonymous memory here are told. :raises TargetError: they cannot be."""
        self._control(_UFFDIO_REGISTER, place.start, place.size, _REGISTER_MODE_WP, 0)

    def written(self, places: Iterable[Range], *, begin_again: bool) -> list[Range]:
        """The pages of tracked memory written since the last beginning, neighbours joined.

        :param begin_again: whether they stop counting as written at the moment at which each is looked at.
        :raises TargetError: some of it is not tracked.
        """
        flags = _SCAN_CHECK | (_SCAN_AND_PROTECT if begin_again else 0)
        return [found for place in places for found in self._scan(place, flags)]

    def _scan(self, place: Range, flags: int) -> list[Range]:
        found: list[Range] = []
        regions = array("Q", bytes(8 * _REGION_WORDS * _REGIONS))
        start = place.start
        while start < place.end:
            arguments = bytearray(self._scan_arguments(Range(start, place.end), flags, regions))
            count = self._ioctl(self._pagemap, _PAGEMAP_SCAN, arguments)
            starts, ends = regions[0 : 3 * count : 3], regions[1 : 3 * count : 3]
            found += map(Range, starts, ends)
            start = _SCAN_ARGUMENTS.unpack(arguments)[_WALK_END] if count == _REGIONS else place.end
        return found

    def _scan_arguments(self, place: Range, flags: int, regions: array[int]) -> bytes:
        address, count = regions.buffer_info()
        vector = (address, count // _REGION_WORDS, 0)  # 0: any number of pages
        categories = (0, _IS_WRITTEN, 0, _IS_WRITTEN)
        return _SCAN_ARGUMENTS.pack(_SCAN_ARGUMENTS.size, flags, place.start, place.end, 0, *vector, *categories)

    def _control(self, request: int, *words: int) -> None:
        self._ioctl(self._descriptor, request, bytearray(struct.pack(f"<{len(words)}Q", *words)))

    def _ioctl(self, descriptor: int, request: int, arguments: bytearray) -> int:
        try:
            result: int = fcntl.ioctl(descriptor, request, arguments, True)
        except OSError as error:
            raise TargetError(f"the kernel does not tell which pages are written: {error.strerror}") from error
        return result
