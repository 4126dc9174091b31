"""Commit records: what is told of each finished shard, in a file each while a scan goes on, in one when it is over."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.json_files import MalformedError, check_fields, is_count, is_list_of, parse_object
from mirsweep.jobs.results.layout import RECORDS, SHARDS, part_name, record_path
from mirsweep.regular import read_regular

__all__ = ["FAILED", "Records", "drop_records", "merge_records", "part_of", "read_records", "record_bytes"]


_SHARD_ID = re.compile(r"[0-9][\w-]*", re.ASCII)
_ATTEMPT = re.compile(r"[0-9a-f]{0,32}")


FAILED = "failed"
"""Field of the record of a shard of which pieces failed, which are listed: what was found in the others is there."""


class Records(NamedTuple):
    """Commit records by shard id, and what is damaged.

    Of a finished scan the records come in the order in which the shards were.

    Attributes
    ----------
    damage
        By file, relative to the output, in which way.
    """

    by_shard: dict[str, dict[str, Any]]
    damage: dict[str, str]


def part_of(record: Mapping[str, Any]) -> str | None:
    """File name of the part that a commit record tells of; None for none."""
    return None if record["part"] is None else part_name(record["shard"], record["part"].get("attempt", ""))


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """A commit record as a line of JSON, with the sha256 of its fields, by which damage is told."""
    return (json.dumps({**record, "sha256": _digest(record)}) + "\n").encode()


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def read_records(output: Path) -> Records:
    """All commit records of an output; a shard whose record is absent or damaged counts as not done.

    One in a file of its own is younger than that of the same shard among the others.
    """
    found, damage = _merged(output)
    for path in (output / SHARDS).glob("[0-9]*.json"):
        record = _parsed(_content(path))
        if record is None or record["shard"] != path.stem:
            damage[f"{SHARDS}/{path.name}"] = "is no whole commit record"
        else:
            found[record["shard"]] = record
    return Records(found, dict(sorted(damage.items())))


def _merged(output: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    content = _content(output / RECORDS)
    if content is None:
        return {}, {RECORDS: "cannot be read"} if (output / RECORDS).exists() else {}
    lines = content.splitlines()
    records = [record for record in map(_parsed, lines) if record is not None]
    n_bad = len(lines) - len(records)
    damage = {RECORDS: f"has {n_bad} lines that are no whole commit records"} if n_bad else {}
    return {record["shard"]: record for record in records}, damage


def _content(path: Path) -> bytes | None:
    try:
        return read_regular(path)
    except OSError:
        return None


def _parsed(content: bytes | None) -> dict[str, Any] | None:
    """A commit record; None if it is damaged."""
    try:
        record = parse_object(content or b"")
        told = record.pop("sha256", None)
        _check(record)
        return record if told == _digest(record) else None
    except MalformedError:
        return None


def _check(record: Any) -> None:
    """Make sure that a commit record has all its fields, each of its kind."""
    check_fields(record, {"shard": str, "counts": dict, "seconds": dict, "peak_mb": dict, "part": (dict, type(None))})
    for name, counts in record["counts"].items():
        check_fields(counts, dict.fromkeys(counts if isinstance(counts, dict) else (), int), where=f"counts.{name}")
    for name in ("seconds", "peak_mb"):
        check_fields(record[name], dict.fromkeys(record[name], (int, float)), where=name)
    if not _SHARD_ID.fullmatch(record["shard"]):  # it is part of a file's name
        raise MalformedError("shard is no id")
    if not isinstance(record.get(FAILED, []), list):
        raise MalformedError("failed is no list of pieces")
    part = record["part"]
    if part is None:
        return
    check_fields(part, {"rows": int, "bytes": int, "sha256": str, "first": list, "last": list}, where="part")
    if not (isinstance(attempt := part.get("attempt", ""), str) and _ATTEMPT.fullmatch(attempt)):
        raise MalformedError("part has an attempt that is none")  # it is part of a file's name
    if not (is_count(part["rows"]) and is_count(part["bytes"])):
        raise MalformedError("part has a size that cannot be")
    if not all(is_list_of(part[end], str, str, int) for end in ("first", "last")):
        raise MalformedError("part does not say where it begins and ends")


def merge_records(output: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Put all commit records, by shard id, into one file in their order, and remove those in files of their own.

    Raises
    ------
    InputError
        If the place cannot be written or is full; the records stay as they are.
    """
    write_atomically(output / RECORDS, b"".join(map(record_bytes, records.values())))
    for path in (output / SHARDS).glob("[0-9]*.json"):
        path.unlink()


def drop_records(output: Path, shard_ids: Iterable[str] = ()) -> None:
    """Remove the commit records of some shards, and whatever among all records is damaged."""
    dropped = set(shard_ids)
    for shard_id in dropped:
        (output / record_path(shard_id)).unlink(missing_ok=True)
    if not (output / RECORDS).exists():
        return
    merged, damage = _merged(output)
    if damage or dropped & merged.keys():
        kept = (record for shard_id, record in merged.items() if shard_id not in dropped)
        write_atomically(output / RECORDS, b"".join(map(record_bytes, kept)))
