"""Ray's own processes can be reached from this machine only."""

import os
import signal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from helpers_jobs import SLICE, descendants, make_model, start_mirsweep, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
_LISTENING = "0A"


def listening(pids: list[int]) -> dict[str, str]:
    """Addresses at which processes listen, by the inode of the socket."""
    own = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                own.add(os.readlink(link))
            except OSError:  # it was closed in the meantime
                continue
    found = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in own:
                found[fields[9]] = fields[1].split(":")[0]
    return found


def is_loopback(address: str) -> bool:
    words = b"".join(bytes.fromhex(address[k : k + 8])[::-1] for k in range(0, len(address), 8))
    if len(words) == 4:
        return IPv4Address(words).is_loopback
    return IPv6Address(words).is_loopback or bool((mapped := IPv6Address(words).ipv4_mapped) and mapped.is_loopback)


@pytest.mark.slow
def test_rays_own_session_listens_on_loopback_only(tmp_path):
    model = make_model(tmp_path / "m.safetensors")
    options = ("--ray", "--workers", 1, "--shard-nt", 20_000, "--decoys", "none")
    process = start_mirsweep("scan", SLICE, "-o", tmp_path / "out", "--model", model, *options)
    try:
        wait_until(lambda: list((tmp_path / "out").glob("_shards/0*.json")), process)
        found = listening(descendants(process.pid, ""))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert len(found) >= 3, "Ray's processes do listen"
    assert all(map(is_loopback, found.values())), found
