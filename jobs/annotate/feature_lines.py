"""Features of GFF3, GTF and BED files, read line by line, and what each is."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from mirsweep.jobs.annotate.places import check_contig
from mirsweep.jobs.results.known import Line, read_lines
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.names import did_you_mean, some
from mirsweep.scanner.errors import InputError

__all__ = ["REPEAT", "Feature", "Span", "features_of", "read_spans"]

REPEAT = "repeat"
"""Kind of every repeat."""
_RNA = re.compile(r"(?<![a-z])(?:mt_|mt-|\d+(?:\.\d+)?s_|pre_|pre-)?(mirna|trna|rrna|snorna|snrna)", re.IGNORECASE)
_RNAS = {name.lower(): name for name in ("miRNA", "tRNA", "rRNA", "snoRNA", "snRNA")}
_EXON = re.compile(r"exon|CDS|.*UTR.*|start_codon|stop_codon", re.IGNORECASE)
_SPAN = re.compile(r".*(gene|transcript|RNA|intron).*", re.IGNORECASE)
_REPEAT = re.compile(r".*(repeat|transpos|satellite|low_complexity|retro|helitron).*", re.IGNORECASE)
_WHOLE = {"region", "chromosome", "contig", "scaffold", "supercontig", "biological_region", "sequence_assembly"}
_REPEAT_CLASSES = {
    *("sine", "line", "ltr", "dna", "rc", "retroposon", "simple_repeat", "low_complexity", "satellite"),
    *("helitron", "mite", "erv", "rolling_circle"),
}
_SIMPLE_REPEAT = re.compile(r"\([ACGTUN]+\)n", re.IGNORECASE)
_REPEAT_FILE = re.compile(r"rmsk|repeat|dfam|transpos", re.IGNORECASE)
_NAME_TAGS = ("Name", "gene_name", "gene", "Parent", "ID", "gene_id", "transcript_id")
_REPEAT_TAGS = ("repeat_class", "class", "repClass", "classification", "Classification", "Name", "Target", "ID")
_BIOTYPE_TAGS = ("gene_biotype", "transcript_biotype", "biotype", "gene_type", "transcript_type", "ncRNA_class")
_BED12 = 12


class Span(NamedTuple):
    """A record's place, 0-based half-open, and its line."""

    contig: str
    start: int
    end: int
    line: Line


class Feature(NamedTuple):
    """What a record is.

    Attributes
    ----------
    kind
        ``miRNA``, ``tRNA``, ``rRNA``, ``snoRNA``, ``snRNA``, ``exon``, ``intron`` (what lies within a gene), ``repeat``
        or ``other``.
    name
        Its name; of a repeat the class if there is one.
    strand
        ``+``, ``-``, or ``.`` for none.
    start, end
        0-based half-open.
    """

    kind: str
    name: str
    strand: str
    start: int
    end: int


def read_spans(
    path: str | os.PathLike, lengths: Mapping[str, int], shared: frozenset[str], *, with_loci: frozenset[str]
) -> Iterator[Span]:
    """Records that lie on contigs with loci, one by one.

    Parameters
    ----------
    path
        GFF3, GTF or BED, plain or packed.
    lengths
        Length of each contig of the scan, nt.
    shared
        Contigs that several genomes have.
    with_loci
        Contigs with loci; one without a record is told of at the end.

    Raises
    ------
    InputError
        If a line is malformed, a record reaches beyond its contig's end, or none lies on a contig of the scan.
    """
    path = Path(path)
    seen: dict[str, None] = {}
    for line in read_lines(path):
        span = _span(line)
        seen.setdefault(span.contig)
        length = lengths.get(span.contig)
        if length is not None and span.end > length:
            raise line.wrong(
                f"ends at {span.end} of contig {span.contig}, which has {length} nt in the scan: give features of the "
                "same assembly"
            )
        if span.contig in with_loci:
            check_contig(shared, span.contig, path)
            yield span
    if not seen:
        raise InputError(f"{path}: holds no feature; give GFF3, GTF or BED.")
    if not seen.keys() & lengths.keys():
        first = next(iter(seen))
        raise InputError(
            f"{path}: none of its contigs ({some(sorted(seen))}) is in the scan ({some(sorted(lengths))}): give "
            f"features of the same assembly, with the same contig names; of {first!r}: {did_you_mean(first, lengths)}"
        )
    bare = sorted(with_loci - seen.keys())
    if bare:
        warn(f"{path}: has no feature on {len(bare)} of {len(with_loci)} contigs with loci ({some(bare)}).")


def _span(line: Line) -> Span:
    fields = line.fields
    is_gff = _is_gff(fields)
    first, last = (fields[3:5] if is_gff else fields[1:3]) if len(fields) >= 3 else ("", "")
    if not (first.isdecimal() and last.isdecimal()):
        raise line.wrong("is neither GFF3 or GTF (nine columns, by tabs) nor BED (contig, start and end, by tabs)")
    start, end = int(first[:20]) - is_gff, int(last[:20])
    if not 0 <= start <= end:
        raise line.wrong(f"has an interval that cannot be, {first} to {last}")
    return Span(unquote(fields[0]) if is_gff else fields[0], start, end, line)


def _is_gff(fields: list[str]) -> bool:
    return len(fields) == 9 and fields[3].isdecimal() and fields[4].isdecimal() and not fields[1].isdecimal()


def features_of(span: Span) -> list[Feature]:
    """What a record is: one feature, none for a record of a whole contig, exons and introns for a gene in BED12."""
    fields = span.line.fields
    if _is_gff(fields):
        feature = _of_gff(span)
        return [] if feature is None else [feature]
    name = fields[3].strip() if len(fields) > 3 else ""
    strand = fields[5] if len(fields) > 5 and fields[5] in ("+", "-") else "."
    feature = Feature("other", name, strand, span.start, span.end)
    repeat = _repeat_class([name, *fields[6:]])
    if repeat or _REPEAT_FILE.search(span.line.path.name):
        return [_rna_of(repeat or "", feature) or feature._replace(kind=REPEAT, name=repeat or name)]
    if len(fields) >= _BED12 and fields[9].isdecimal():
        return _of_blocks(feature, fields)
    return [_rna_of(name, feature) or feature]


def _of_gff(span: Span) -> Feature | None:
    kind, strand, attributes = span.line.fields[2], span.line.fields[6], span.line.fields[8]
    if kind in _WHOLE:
        return None
    tags = _tags(attributes)
    feature = Feature("other", _first(tags, _NAME_TAGS), strand if strand in ("+", "-") else ".", span.start, span.end)
    if _REPEAT.fullmatch(kind):
        told = _first(tags, _REPEAT_TAGS)
        return feature._replace(kind=REPEAT, name=_repeat_class([told, *tags.values()]) or told or kind)
    if _EXON.fullmatch(kind):
        return _rna_of(_first(tags, _BIOTYPE_TAGS), feature) or feature._replace(kind="exon")
    rna = _rna_of(kind, feature) or _rna_of(_first(tags, _BIOTYPE_TAGS), feature)
    return rna or feature._replace(kind="intron" if _SPAN.fullmatch(kind) else "other")


def _tags(attributes: str) -> dict[str, str]:
    """Attributes of GFF3 (``a=b;``) or GTF (``a "b";``)."""
    tags: dict[str, str] = {}
    for part in attributes.split(";"):
        name, mark, value = part.strip().partition("=")
        if not mark or " " in name:
            name, _, value = part.strip().partition(" ")
            value = value.strip().strip('"')
        if name:
            tags.setdefault(name, unquote(value))
    return tags


def _first(tags: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((tags[name] for name in names if tags.get(name)), "")


def _rna_of(text: str, feature: Feature) -> Feature | None:
    found = _RNA.search(text)
    return feature._replace(kind=_RNAS[found[1].lower()]) if found else None


def _repeat_class(texts: list[str]) -> str | None:
    """The first text that is the class of a repeat, such as ``SINE/Alu``, or within a name, ``AluY#SINE/Alu``."""
    for text in texts:
        for part in re.split(r"[#;|, ]", text):
            if part.partition("/")[0].lower() in _REPEAT_CLASSES:
                return part
        if _SIMPLE_REPEAT.search(text):
            return "Simple_repeat"
    return None


def _of_blocks(feature: Feature, fields: list[str]) -> list[Feature]:
    sizes, starts = (field.strip(",").split(",") for field in fields[10:12])
    if not all(text.isdecimal() for text in (*sizes, *starts)):
        return [feature]
    firsts = [feature.start + int(start) for start in starts]
    exons = [
        feature._replace(kind="exon", start=first, end=first + int(size))
        for first, size in zip(firsts, sizes, strict=False)
    ]
    return [*exons, feature._replace(kind="intron")]
