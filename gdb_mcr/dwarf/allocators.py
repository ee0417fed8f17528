"""Functions that hand out memory which their caller owns."""

from __future__ import annotations

ALLOCATORS = frozenset(
    {
        *("malloc", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign"),
        *("valloc", "pvalloc"),
    }
)
"""What libmcr interposes (DESIGN section 4)."""

LIBC_WRAPPERS = frozenset(
    {
        *("strdup", "__strdup", "strndup", "__strndup", "wcsdup", "realpath", "canonicalize_file_name", "getcwd"),
        *("get_current_dir_name", "asprintf", "__asprintf", "vasprintf", "__asprintf_chk", "__vasprintf_chk"),
        *("getline", "getdelim", "__getdelim", "__getline", "tempnam", "scandir", "scandir64", "if_nameindex"),
    }
)
"""Functions of libc whose results the program frees. (fopen, opendir, getaddrinfo give libc's own objects.)"""

RAW_ALLOCATORS = frozenset(
    {
        *("strdup", "__strdup", "strndup", "__strndup", "wcsdup", "realpath", "canonicalize_file_name", "getcwd"),
        *("get_current_dir_name", "tempnam"),
    }
)
"""Of these, the ones that return what they allocate: always text."""

LIBRARY_WRAPPERS = frozenset(
    {
        *("event_mm_malloc_", "event_mm_calloc_", "event_mm_realloc_", "event_mm_strdup_"),
        *("CRYPTO_malloc", "CRYPTO_zalloc", "CRYPTO_realloc", "CRYPTO_strdup", "CRYPTO_strndup", "CRYPTO_memdup"),
        *("g_malloc", "g_malloc0", "g_malloc_n", "g_malloc0_n", "g_realloc", "g_strdup", "g_strndup", "xmalloc"),
        *("xcalloc", "xrealloc", "xstrdup", "xzalloc"),
    }
)
"""Allocation wrappers of well-known libraries, for files without debug information."""

LIBC = "libc.so.6"


def is_wrapper_by_name(name: str, soname: str) -> bool:
    """Whether a function of a file without debug information hands out memory.

    In libc, functions without a name count too: they are the inner halves of the public ones (asprintf, fopen), and the
    public one decides.
    """
    if soname == LIBC:
        return not name or name in LIBC_WRAPPERS
    return name in LIBRARY_WRAPPERS
