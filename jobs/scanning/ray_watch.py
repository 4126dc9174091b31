"""Watching a Ray session of our own: when its processes end, Ray ends this one some seconds later, unexplained."""

import _thread
import signal
import threading
from typing import Any

from mirsweep.scanner.errors import InputError

__all__ = ["SessionWatch"]

_SECONDS = 0.5
_NEEDED = ("raylet", "gcs_server")


class SessionWatch:
    """Notices the end of a session's processes, and interrupts the main thread, which may wait for them.

    Parameters
    ----------
    ray
        The ray module, initialised. A cluster's session is not watched: its processes are not ours.

    Attributes
    ----------
    is_own
        Whether the session is ours, and ends with this program.
    """

    def __init__(self, ray: Any):
        self._node: Any = getattr(ray._private.worker, "_global_node", None)
        self._ended: str | None = None
        self._stop = threading.Event()
        self.is_own = bool(getattr(self._node, "all_processes", None)) and hasattr(self._node, "dead_processes")
        if self.is_own:
            threading.Thread(target=self._watch, daemon=True, name="mirsweep-ray-watch").start()

    @property
    def is_lost(self) -> bool:
        """Whether a process that the session needs has ended."""
        return self._ended is not None

    def check(self) -> None:
        """Make sure that the session lives.

        Raises
        ------
        InputError
            If it does not.
        """
        if self._ended is not None:
            raise InputError(
                f"Ray's process {self._ended} has ended (killed, or out of memory): what is finished is kept; run the "
                "same command again to go on, or give --local."
            )

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(_SECONDS):
            dead = [kind for kind, _ in self._node.dead_processes() if kind in _NEEDED]
            if dead and not self._stop.is_set():
                self._ended = dead[0]
                _interrupt()
                return


def _interrupt() -> None:
    """Ctrl-C for the main thread, or what ends a scan as well where that is ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(signal.getsignal(number)):
            _thread.interrupt_main(number)
            return
