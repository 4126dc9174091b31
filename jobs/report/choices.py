"""What the page of a scan was last made with, kept in run.json, so that a renewed page has it too."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mirsweep.jobs.report.browsers import DEFAULT_BROWSERS
from mirsweep.scanner.errors import InputError

__all__ = ["PAGE", "Choices", "choices_of"]

PAGE = "page"
"""Their name in run.json."""


class Choices(NamedTuple):
    """What a page is made with.

    Attributes
    ----------
    known
        Absolute path of the known precursors; None for none.
    genome
        That they belong to, of a scan of several.
    browsers
        Names or addresses.
    attention
        Whether hairpins are shaded by it.
    """

    known: str | None = None
    genome: str | None = None
    browsers: Sequence[str] = DEFAULT_BROWSERS
    attention: bool = True

    def with_given(
        self,
        known: str | os.PathLike | None,
        genome: str | None,
        browsers: str | Sequence[str] | None,
        attention: bool | None,
    ) -> "Choices":
        """These, but for what is given now; a genome goes with the precursors that it is given for."""
        kept = self if known is None else self._replace(known=os.path.abspath(known), genome=None)
        listed = [browsers] if isinstance(browsers, str) else browsers
        given: dict[str, Any] = {"genome": genome, "browsers": listed, "attention": attention}
        return kept._replace(**{name: value for name, value in given.items() if value is not None})

    def check_known(self) -> None:
        """Refuse known precursors of the page before that are gone.

        Raises
        ------
        InputError
            If they are.
        """
        if self.known is not None and not Path(self.known).exists():
            raise InputError(
                f"{self.known}: the known precursors of the page before are gone: give others with --known, or "
                "--afresh for a page without."
            )


def choices_of(run: Mapping[str, Any]) -> Choices:
    """What run.json tells of the page before; the defaults where it tells nothing, or nothing that can be."""
    told = run.get(PAGE)
    if not isinstance(told, dict):
        return Choices()
    kinds = {"known": str, "genome": str, "browsers": list, "attention": bool}
    sound = {name: told[name] for name, kind in kinds.items() if isinstance(told.get(name), kind)}
    if not all(isinstance(each, str) for each in sound.get("browsers", ())):
        sound.pop("browsers")
    return Choices(**sound)
