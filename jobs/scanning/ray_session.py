"""A Ray session to work in: a cluster's that is named, or one of our own, which leaves nothing behind.

By itself Ray takes a folder /tmp/ray, which all users of a machine share, anyone may write to, and each session adds
to; where TMPDIR is long its sockets cannot be made. A session of our own stands in a private folder with a short path.
"""

import fcntl
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from mirsweep.cores import n_cores
from mirsweep.first_run import ONE_THREAD, cache_environment
from mirsweep.scanner.errors import InputError

__all__ = ["private_folder", "ray_session", "store_options"]

_CONNECT_SECONDS = 10
_NEEDLESS = ("start_api_server", "start_monitor", "start_log_monitor")
_OBJECT_STORE_BYTES = 256 << 20
_LEAST_STORE_BYTES = 75 << 20
"""Ray takes no smaller object store."""
_SHM = "/dev/shm"
_LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107
"""Bytes in the path of a socket, unix(7)."""
_SOCKET = "/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store"
"""The longest path of a socket within a session's folder."""
_PREFIX = "mirsweep-"
_LOCK = "ray.lock"
_INNER = "r"
"""Ray lets all write to the folder that it is given, so that must stand within a private one."""
_LEAST_FREE_BYTES = 50 << 20
"""Logs of a session take less than 1 MB; where a place is all but full Ray waits without a word."""
_REMOVAL_SECONDS = 5


@contextmanager
def ray_session(workers: int | None) -> Iterator[Any]:
    """The ray module with a session, which ends here if it began here."""
    address = os.environ.get("RAY_ADDRESS", "local")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # listen on the loopback device only
    import ray

    if ray.is_initialized():
        yield ray
        return
    _check_answers(address)
    own: AbstractContextManager[dict[str, Any]] = _own_options(workers) if address == "local" else nullcontext({})
    with own as options:
        try:
            _init(ray, address, options)
            yield ray
        finally:
            ray.shutdown()


def _init(ray: Any, address: str, options: dict[str, Any]) -> None:
    is_own = address == "local"
    # Workers that are to have an environment of their own are started a second time, beside those that wait: so those
    # of our own session inherit it.
    inherited = _environment(ONE_THREAD | cache_environment()) if is_own else nullcontext()
    told = {} if is_own else {"runtime_env": {"env_vars": ONE_THREAD}}
    with _signals_wait(ray), inherited, _fewer_processes(ray) if is_own else nullcontext():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **told, **options)
        except ConnectionError as error:
            raise _refused(address) from error


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """What is started within has these variables."""
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextmanager
def _fewer_processes(ray: Any) -> Iterator[None]:
    """Ray starts without what a session of one program does not need: dashboard, autoscaler, and collector of logs.

    Each takes half a second of a core to start, and more while it runs.
    """
    node = ray._private.node.Node
    starters = {name: getattr(node, name) for name in _NEEDLESS if hasattr(node, name)}
    for name in starters:
        setattr(node, name, lambda *arguments, **options: None)
    try:
        yield
    finally:
        for name, starter in starters.items():
            setattr(node, name, starter)


@contextmanager
def _own_options(workers: int | None) -> Iterator[dict[str, Any]]:
    """What ``ray.init`` is told about a session of our own."""
    _make_sure_of_token()
    with private_folder() as folder:
        own = {"num_cpus": workers or n_cores(), "include_dashboard": False, "_temp_dir": str(folder / _INNER)}
        yield own | store_options(folder)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that this user alone can enter, with a path short enough for sockets; removed at the end.

    In RAY_TMPDIR, else in TMPDIR, else in /tmp or /var/tmp: the first that is short, can be written and is not full.

    Raises
    ------
    InputError
        If there is none.
    """
    folder = _make_folder()
    _remove_abandoned(folder.parent)
    try:
        with open(folder / _LOCK, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        _remove(folder)


def _remove_abandoned(place: Path) -> None:
    """Remove what sessions left whose program was killed: their locks, which end with it, are free."""
    for lock in place.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), open(lock) as stream:  # another user's cannot be opened
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(stream.fileno()).st_uid == os.getuid():
                shutil.rmtree(lock.parent, ignore_errors=True)


def _make_sure_of_token() -> None:
    """Ray keeps the token by which its processes know each other in ~/.ray; where that cannot be, it comes from here.

    For the whole process: Ray reads the token once.
    """
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() and not _can_keep_token():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _can_keep_token() -> bool:
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and no entry in the list of users
        return False
    token = home / ".ray" / "auth_token"
    if not home.is_absolute() or token.exists():
        return home.is_absolute() and os.access(token, os.R_OK)
    nearest = next(folder for folder in token.parents if folder.exists())
    return os.access(nearest, os.W_OK)


def _make_folder() -> Path:
    asked = [os.environ.get("RAY_TMPDIR"), os.environ.get("TMPDIR"), "/tmp", "/var/tmp"]
    places = list(dict.fromkeys(os.path.abspath(place) for place in asked if place))
    for place in places:
        if _is_short(place) and _free_bytes(place) >= _LEAST_FREE_BYTES:
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))  # of mode 0700
    raise InputError(
        f"Ray finds no place for its files: none of {', '.join(places)} has a short path, can be written and has "
        f"{_LEAST_FREE_BYTES >> 20} MB free; set RAY_TMPDIR to a folder that has, or give --local."
    )


def _is_short(place: str) -> bool:
    return len(os.fsencode(f"{place}/{_PREFIX}{8 * 'x'}/{_INNER}{_SOCKET}")) <= _LONGEST_SOCKET


def _remove(folder: Path) -> None:
    """Remove a session's folder; its processes, which are ending, may still write a last line."""
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(0.1)


def store_options(folder: Path, *, shm: str | os.PathLike = _SHM) -> dict[str, Any]:
    """Size and place of the object store: shared memory as far as there is some, else the session's own folder.

    Containers often have 64 MB of shared memory, less than Ray's least store.
    """
    free = _free_bytes(shm) * 4 // 5
    if free >= _LEAST_STORE_BYTES:
        return {"object_store_memory": min(_OBJECT_STORE_BYTES, free)}
    return {"object_store_memory": _OBJECT_STORE_BYTES, "_plasma_directory": str(folder)}


def _free_bytes(place: str | os.PathLike) -> int:
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return 0


def _check_answers(address: str) -> None:
    """Ray itself would try an address without a cluster for minutes."""
    found = re.fullmatch(r"([\w.-]+):(\d+)", address)
    if not found:
        return  # local, auto, or a form that Ray resolves
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address) from error


def _no_cluster(address: str) -> InputError:
    return InputError(f"no Ray cluster answers at RAY_ADDRESS={address}: fix or unset the variable, or give --local.")


def _refused(address: str) -> InputError:
    return InputError(
        f"the Ray cluster at RAY_ADDRESS={address} does not let this program in: it may ask for its token (set "
        "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as it has it), or run another version of Ray; or give --local."
    )


@contextmanager
def _signals_wait(ray: Any) -> Iterator[None]:
    """Ctrl-C and signals of termination wait until Ray has started, which left halfway may crash; a second does not.

    Ray's own handler of SIGTERM, which ends the process, is not put in place: ours leaves a resumable state.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        received.append(number)
        if len(received) > 1:
            handler = kept[signal.Signals(number)]
            assert callable(handler)
            handler(number, frame)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = {number: signal.getsignal(number) for number in numbers if callable(signal.getsignal(number))}
    utilities, worker = ray._private.utils, ray._private.worker
    rays_own, connect = utilities.set_sigterm_handler, worker.connect

    def connect_undisturbed(*arguments: Any, **options: Any) -> Any:
        """Ray's library puts handlers of its own in place, which end the process: ours must be back before a signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, kept)
        try:
            return connect(*arguments, **options)
        finally:
            for number in kept:
                signal.signal(number, note)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, kept)

    for number in kept:
        signal.signal(number, note)
    utilities.set_sigterm_handler, worker.connect = lambda handler: None, connect_undisturbed
    try:
        yield
    finally:
        utilities.set_sigterm_handler, worker.connect = rays_own, connect
        for number, handler in kept.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])
