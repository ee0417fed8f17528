"""nginx becomes another process of itself: one process first, whose event loop probes the kernel in its start-up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nginx import PAGE, NginxServer, ask, local_ports
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

VERSION = "1.22.1-9+deb12u9"


def test_update_when_nginx_is_one_process_then_connections_and_shared_counters_go_on(tmp_path: Path) -> None:
    binary = nearest_server("nginx", VERSION).binary
    with NginxServer(binary, tmp_path) as nginx:
        connections = nginx.connect(5)
        ports, accepted = local_ports(connections), nginx.accepted()
        run = nginx.update(binary)
        assert run.status == 0, run.told()
        assert [ask(one) for one in connections] == [PAGE] * 5
        assert local_ports(connections) == ports
        assert nginx.pid_file == nginx.pid
        assert nginx.accepted() == accepted + 1, "it stands in memory that workers share"
        assert "[alert]" not in nginx.log


def test_update_when_the_new_build_puts_other_objects_into_a_pool_then_it_is_refused(tmp_path: Path) -> None:
    """Its security patches add a module, so that every table of configurations in a pool has one entry more."""
    old, new = nearest_server("nginx", VERSION, "nocve").binary, nearest_server("nginx", VERSION).binary
    with NginxServer(old, tmp_path) as nginx:
        connections = nginx.connect(5)
        run = nginx.update(new)
        assert run.status == 1, run.told()
        assert any(one.startswith("R1:pool") for one in run.finding_ids)
        assert [ask(one) for one in connections] == [PAGE] * 5
