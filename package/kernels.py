"""Numba's settings for all of mirsweep: where compiled kernels are kept, and a cache that survives damage.

numba keeps what it compiles as an index file and some data files for each kernel. Here the data carry a digest,
writers wait for each other, and what is damaged or cannot be written costs time, never the work.
"""

import hashlib
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, UserProvidedCacheLocator

from mirsweep.cache import locked, private_folder, warn_once

__all__ = ["NotCompiledError", "jit", "kernel_folder", "nothing_compiled"]


def _spare_scipy() -> None:
    """Load numba's functions of arrays without the BLAS that they look for.

    SciPy takes 0.2 s to import, in every process, and no kernel here multiplies matrices; others that do still find it
    when they are compiled.
    """
    modules: Any = sys.modules
    if "scipy.linalg" in modules:
        return
    modules["scipy.linalg"] = None  # as if it were not installed
    try:
        import_module("numba.np.arraymath")
    finally:
        del modules["scipy.linalg"]


_spare_scipy()

_DIGEST_BYTES = 32
_CACHE_VARIABLE = "NUMBA_CACHE_DIR"
_INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class _ThisThread(threading.local):
    may_compile = True


_this_thread = _ThisThread()


class NotCompiledError(Exception):
    """A kernel that is not in the cache was called within :func:`nothing_compiled`."""


class _CheckedFile(IndexDataCacheFile):
    """Data files start with the SHA-256 of the rest: damaged machine code would end the process."""

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as stream:
            stream.write(hashlib.sha256(content).digest() + content)

    def _load_data(self, name: str) -> Any:
        stored = Path(self._data_path(name)).read_bytes()
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("its digest is another")
        return pickle.loads(content)


class _OwnFolder(CompileResultCacheImpl):
    """In mirsweep's folder only: numba's other places may be another user's, or ``~`` where there is no home."""

    _locator_classes = [UserProvidedCacheLocator]  # noqa: RUF012  # as numba has it


class _KernelCache(FunctionCache):
    """numba's cache of one kernel, for which a damaged entry is none, and a full disk no error."""

    def __init__(self, kernel: Callable):
        if _CACHE_VARIABLE not in os.environ:
            self._impl_class = _OwnFolder
        super().__init__(kernel)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CheckedFile(self._cache_path, self._impl.filename_base, stamp)
        self._folder = kernel_folder() or Path(self._cache_path)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel, or None."""
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # unpickling damaged bytes can end in any error
            self._forget()
            found = None
        if found is None and not _this_thread.may_compile:
            raise NotCompiledError(self._impl.filename_base)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel if that can be done."""
        try:
            with locked(Path(self._cache_path)):  # of two writers at once, one would number its data as the other does
                super().save_overload(sig, data)
        except OSError as error:
            warn_once(
                f"{self._folder}: compiled kernels cannot be kept ({error.strerror}) and will be compiled in "
                "every run; free space or fix permissions there, or set MIRSWEEP_CACHE to another folder."
            )
        except Exception:
            self._forget()

    def _forget(self) -> None:
        """Remove the index of this kernel, so that it is compiled and kept anew."""
        warn_once(f"{self._folder}: kernels kept there are damaged; they are compiled anew.")
        with suppress(OSError), locked(Path(self._cache_path)):
            Path(self._cache_file._index_path).unlink(missing_ok=True)


@cache
def kernel_folder() -> Path | None:
    """Folder of compiled kernels for this numba and this processor; None if there is none.

    NUMBA_CACHE_DIR if the user has set it. Else in mirsweep's cache, outside of site-packages, so that uninstalling
    leaves nothing stale there; one for each kind of processor, since a home folder may be that of many machines.
    """
    given = os.environ.get(_CACHE_VARIABLE)
    if given is not None:
        return Path(given) if given else None
    processor = f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
    digest = hashlib.sha256(processor.encode()).hexdigest()[:8]
    return private_folder(f"kernels-numba-{numba.__version__}-{digest}")


@contextmanager
def nothing_compiled() -> Iterator[None]:
    """Let the kernels that this thread calls come from the cache only.

    Raises
    ------
    NotCompiledError
        From a call of a kernel that would have to be compiled.
    """
    _this_thread.may_compile = False
    try:
        yield
    finally:
        _this_thread.may_compile = True


def jit(*, is_inner: bool = False, **options: Any) -> Callable[[Callable], Any]:
    """Decorator: a kernel compiled on first use, kept in the cache, and run without the interpreter lock.

    Parameters
    ----------
    is_inner
        Only other kernels call it, and become a part of what is kept of them: without an entry for Python and a
        place in the cache, compiling takes a tenth less.
    options
        More of ``numba.njit``'s.
    """

    def decorate(function: Callable) -> Any:
        if is_inner:
            return numba.njit(nogil=True, **_INNER, **options)(function)
        kernel = numba.njit(nogil=True, **options)(function)
        if not numba.config.DISABLE_JIT and _is_cached():  # type: ignore[attr-defined]  # as below
            try:
                kernel._cache = _KernelCache(function)
            except RuntimeError:  # no folder that numba could write to
                warn_once("numba finds no folder for compiled kernels: they are compiled in every run.")
        return kernel

    return decorate


@cache
def _is_cached() -> bool:
    """Set numba's cache folder, once; False if there is none."""
    if _CACHE_VARIABLE in os.environ:
        return True
    folder = kernel_folder()
    if folder is not None:
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]  # numba makes its settings at run time
    return folder is not None
