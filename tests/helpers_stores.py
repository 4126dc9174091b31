"""An S3-compatible server on this machine, if there is one to start."""

import http.server
import os
import shutil
import subprocess
import time

import pytest

__all__ = ["bucket", "cache"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bucket(tmp_path, cache, monkeypatch):
    """The bucket "genomes" of an S3-compatible server on this machine."""
    program = os.environ.get("MIRSWEEP_TEST_MOTO") or shutil.which("moto_server")
    if program is None:
        pytest.skip("no moto_server: pip install 'moto[server]', or name it in MIRSWEEP_TEST_MOTO")
    from pyarrow import fs

    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL) as server:
        store = fs.S3FileSystem(
            allow_bucket_creation=True, allow_delayed_open=True, endpoint_override=f"http://127.0.0.1:{port}"
        )
        for _ in range(100):
            try:
                store.create_dir("genomes")
                break
            except OSError:
                time.sleep(0.2)
        yield store
        server.terminate()
