"""How each server is built: data only. To add one, add an entry and try `scripts/build-server NAME VERSION`."""

from __future__ import annotations

from dataclasses import dataclass

CFLAGS = "-O2 -g"

COMMON_PACKAGES = ("build-essential", "patch", "xz-utils", "bzip2")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One server. Commands run in the patched source tree, with {prefix}, {jobs} and {cflags} filled in."""

    packages: tuple[str, ...]
    """Debian packages that the build needs besides COMMON_PACKAGES."""
    commands: tuple[tuple[str, ...], ...]
    binaries: tuple[str, ...]
    """Where the server's binary may be below the prefix; the first that exists counts."""
    has_autotools: bool = False
    """Whether configure is made by autoconf and automake."""
    skipped_patches: str = r"$^"
    """Pattern of names of Debian patches that only fit Debian's own packaging."""
    security_patches: str = r"$^"
    """Pattern of names of security patches that name no CVE; the others are recognised (`sources.is_security`)."""


_REDIS_MAKE = ("make", "-j{jobs}", "MALLOC=libc", "USE_SYSTEMD=no", "OPTIMIZATION=-O2")

RECIPES = {
    "memcached": Recipe(
        packages=("libevent-dev", "autoconf", "automake"),
        commands=(
            ("./configure", "--prefix={prefix}", "--disable-docs", "CFLAGS={cflags}"),
            ("make", "-j{jobs}", "memcached", "CFLAGS={cflags} -pthread -Wno-error"),
            ("install", "-D", "memcached", "{prefix}/bin/memcached"),
        ),
        binaries=("bin/memcached",),
        has_autotools=True,
    ),
    "nginx": Recipe(
        packages=("libpcre2-dev", "libssl-dev", "zlib1g-dev"),
        commands=(
            (
                "./configure",
                "--prefix={prefix}",
                "--with-cc-opt={cflags} -Wno-error",
                "--with-threads",
                "--with-http_ssl_module",
                "--with-http_v2_module",
                "--with-http_stub_status_module",
                "--with-http_realip_module",
            ),
            ("make", "-j{jobs}"),
            ("make", "install"),
        ),
        binaries=("sbin/nginx",),
        # It names no CVE: header fields without a limit to their number (HTTP/2 bomb).
        security_patches=r"FIX-HTTP2bomb",
    ),
    "redis": Recipe(
        packages=("pkg-config",),
        # 8.x would default to -O3 -flto without OPTIMIZATION. Debug information is on by default.
        commands=(_REDIS_MAKE, (*_REDIS_MAKE, "PREFIX={prefix}", "install")),
        binaries=("bin/redis-server",),
        # 6.0.16: it moves the bundled Lua modules to packages of their own.
        skipped_patches=r"^debian-packaging/0008-Ensure-we-use-the-modules",
    ),
    "tinyproxy": Recipe(
        packages=("autoconf", "automake"),
        commands=(
            ("./configure", "--prefix={prefix}", "--disable-manpage_support", "CFLAGS={cflags}"),
            ("make", "-j{jobs}", "-C", "src"),
            ("make", "-C", "src", "install"),
            ("make", "-C", "data/templates", "install"),
        ),
        binaries=("bin/tinyproxy", "sbin/tinyproxy"),
        has_autotools=True,
    ),
}
