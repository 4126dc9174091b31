"""An S3-compatible server on this machine, if there is one to start."""

import http.server
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import suppress

import pytest

from mirsweep.cache import cache_root

__all__ = ["bucket", "cache", "store_address"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with nothing in it but the compiled kernels, which take half a minute."""
    folder, usual = tmp_path / "cache", cache_root()
    folder.mkdir(mode=0o700)
    for kernels in usual.glob("kernels-*") if usual else ():
        (folder / kernels.name).symlink_to(kernels)
    monkeypatch.setenv("MIRSWEEP_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def store_address():
    """The address of an S3-compatible server on this machine."""
    program = os.environ.get("MIRSWEEP_TEST_MOTO") or shutil.which("moto_server")
    if program is None:
        pytest.skip("no moto_server: pip install 'moto[server]', or name it in MIRSWEEP_TEST_MOTO")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    with subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL) as server:
        address = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with suppress(OSError):
                _reset(address)
                break
            time.sleep(0.2)
        yield address
        server.terminate()


def _reset(address: str) -> None:
    """Forget all buckets."""
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST"), timeout=10).close()


@pytest.fixture
def bucket(store_address, cache, monkeypatch):
    """The bucket "genomes", empty, of an S3-compatible server on this machine."""
    from pyarrow import fs

    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": store_address,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    _reset(store_address)
    store = fs.S3FileSystem(allow_bucket_creation=True, allow_delayed_open=True, endpoint_override=store_address)
    store.create_dir("genomes")
    return store
