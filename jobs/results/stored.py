"""Outputs wherever they are: in a folder, or at an address in an object store. Here every command opens its OUT."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from mirsweep.jobs.results.copies import snapshot
from mirsweep.jobs.results.messages import named
from mirsweep.jobs.results.mirror import Mirror
from mirsweep.jobs.results.object_store import is_store
from mirsweep.scanner.errors import InputError

__all__ = ["changes_output", "folder_to_read", "opened_to_change"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def folder_to_read(output: str | os.PathLike) -> Path:
    """The folder of an output; of one in an object store a copy, whose part files come when they are read.

    Raises
    ------
    InputError
        If the store cannot be read, or there is nothing at the address.
    """
    return snapshot(os.fspath(output)) if is_store(output) else Path(output)


@contextmanager
def opened_to_change(output: str | os.PathLike) -> Iterator[Path]:
    """The folder of an output, to work in; of one in an object store a copy, of which what has changed is put there.

    Where the work ends with an error, the store stays as it was.

    Raises
    ------
    InputError
        If the store cannot be read or written, or another process works with the output.
    """
    if not is_store(output):
        yield Path(output)
        return
    with closing(Mirror(os.fspath(output))) as mirror:
        mirror.pull(parts=False)
        if not mirror.listed:
            raise InputError(f"{mirror.address}: there is nothing; give the -o address of a mirsweep scan.")
        try:
            yield mirror.folder
        except InputError as error:
            raise type(error)(named(str(error))) from error
        mirror.finish()


def changes_output(function: _Function) -> _Function:
    """A function whose first argument is an output that it changes, made to work with those in object stores."""

    @wraps(function)
    def opened(output: str | os.PathLike, *args: Any, **kwargs: Any) -> Any:
        if not is_store(output):
            return function(output, *args, **kwargs)
        with opened_to_change(output) as folder:
            return function(folder, *args, **kwargs)

    return cast(_Function, opened)
