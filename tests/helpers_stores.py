"""Servers of object stores on this machine, S3-compatible and like Google's, if there are any to start."""

import http.server
import json
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from mirsweep.cache import cache_root

__all__ = ["bucket", "cache", "gcs", "gcs_address", "store_address"]


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
    port = _free_port()
    with _server([program, "-H", "127.0.0.1", "-p", str(port)], port, _reset) as address:
        yield address


@contextmanager
def _server(words, port, prepare):
    """A program that serves at a port of this machine, ready: its address. ``prepare`` fails until it answers."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        address = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with suppress(OSError):
                prepare(address)
                break
            time.sleep(0.2)
        yield address
        server.terminate()


def _free_port():
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        return free.server_port


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


@pytest.fixture(scope="session")
def gcs_address():
    """The address of a server on this machine that speaks as Google's object store does; it has a bucket "genomes"."""
    program = os.environ.get("MIRSWEEP_TEST_GCS") or shutil.which("gcp-storage-emulator")
    if program is None:
        pytest.skip("no gcp-storage-emulator: pip install it, or name it in MIRSWEEP_TEST_GCS")
    port = _free_port()
    words = [program, "start", "--host=127.0.0.1", f"--port={port}", "--in-memory"]
    with _server(words, port, _make_bucket) as address:
        yield address


def _make_bucket(address):
    request = urllib.request.Request(
        f"{address}/storage/v1/b?project=test", data=json.dumps({"name": "genomes"}).encode()
    )
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture
def gcs(gcs_address, cache, tmp_path, monkeypatch):
    """The address of an empty folder of that bucket, keys to which are in the environment."""
    key = tmp_path / "key.pem"
    words = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key]
    if shutil.which("openssl") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no openssl to make a key with")
    account = {"type": "service_account", "project_id": "test", "private_key_id": "1", "client_id": "1"}
    account |= {"client_email": "test@test.iam.gserviceaccount.com", "private_key": key.read_text()}
    (tmp_path / "account.json").write_text(json.dumps(account | {"token_uri": "http://127.0.0.1:9/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", gcs_address)
    return f"gs://genomes/{tmp_path.name}"
