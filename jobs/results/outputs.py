"""Outputs are checked before the work that fills them begins."""

import os
import tempfile
from pathlib import Path

from mirsweep.jobs.results.files import cannot_write, is_folder
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.remote import is_address

__all__ = ["check_file", "check_folder", "check_weights", "here"]

WEIGHTS = ".safetensors"


def check_file(path: str | os.PathLike, *, ending: str | None = None) -> Path:
    """Check that a file can be written, so that no work is lost on it.

    Parameters
    ----------
    path
        The file; its folder is made if absent.
    ending
        What the name must end in, or have no ending, which is then added: ``".safetensors"``.

    Returns
    -------
    The file's path, with the ending.

    Raises
    ------
    InputError
        If the name is empty or ends otherwise, or the place cannot be written.
    """
    if not os.fspath(path):
        raise InputError("no name was given for the output file: give one.")
    path = here(path)
    if ending and path.suffix not in ("", ending):
        raise InputError(f"{path}: the file must end in {ending}: give that ending, or none.")
    if ending and not path.suffix:
        path = path.with_suffix(ending)
    if path.is_dir():
        raise is_folder(path)
    _try_writing(path.parent, path)
    return path


def check_weights(path: str | os.PathLike) -> Path:
    """Check that weights, and their card beside them, can be written.

    Returns
    -------
    The weights file's path, ending in ``.safetensors``.

    Raises
    ------
    InputError
        As ``check_file``.
    """
    weights = check_file(path, ending=WEIGHTS)
    check_file(weights.with_suffix(".json"))
    return weights


def check_folder(path: str | os.PathLike) -> Path:
    """Check that files can be written in a folder, which is made if absent.

    Raises
    ------
    InputError
        If the name is empty, is that of a file, or the place cannot be written.
    """
    if not os.fspath(path):
        raise InputError("no name was given for the output folder: give one.")
    path = here(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file: give the name of a folder.")
    _try_writing(path, path)
    return path


def here(path: str | os.PathLike) -> Path:
    """The path of a file or folder of this machine.

    Raises
    ------
    InputError
        If it is an address.
    """
    if is_address(path):
        raise InputError(f"{os.fspath(path)}: is an address: this is written on this machine only; name a place here.")
    return Path(path)


def _try_writing(folder: Path, output: Path) -> None:
    """Make the folder and, for a moment, a file in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(output, error) from error
