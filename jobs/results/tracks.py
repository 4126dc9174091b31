"""The loci of a scan as tracks of genome browsers: a session for IGV and a configuration for JBrowse 2."""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc

from mirsweep.jobs.results.copies import copy_at
from mirsweep.jobs.results.dataset import Output, open_loci
from mirsweep.jobs.results.files import open_atomically, write_atomically
from mirsweep.jobs.results.genomes import open_scanned_genomes
from mirsweep.jobs.results.layout import INDEX_SUFFIXES
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.jobs.results.stored import changes_output
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fai import write_fai
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.fasta_index import FastaEntry

__all__ = ["IGV", "JBROWSE", "REFERENCE", "Tracks", "tracks"]

IGV, JBROWSE, REFERENCE = "igv_session.xml", "jbrowse.json", "reference.fa"
_BED, _GFF3 = "loci.bed.gz", "loci.gff3.gz"
_LINE_NT = 60
_CHUNK_NT = _LINE_NT * 200_000
_AROUND_NT = 200
_COLOURS = {"mature": "#d55e00", "star": "#9ecae1", "arm": "#f0b27a", "hairpin": "#08519c"}
"""Of a mature sequence, its star, an arm of which neither is known, and the hairpin; told apart by the colour-blind."""
_COLOUR_RULE = (
    f"jexl:get(feature,'role')=='mature'?'{_COLOURS['mature']}':get(feature,'role')=='star'?'{_COLOURS['star']}':"
    f"get(feature,'arm')?'{_COLOURS['arm']}':'{_COLOURS['hairpin']}'"
)


class Tracks(NamedTuple):
    """What was written: the session of IGV, the configuration of JBrowse 2, and the sequence that both name."""

    igv: Path
    jbrowse: Path
    reference: str


@changes_output
def tracks(
    output: str | os.PathLike, *, reference: str | os.PathLike | None = None, copy_reference: bool = False
) -> Tracks:
    """Write a session for IGV and a configuration for JBrowse 2 beside the loci's tracks.

    Parameters
    ----------
    output
        Output folder of a complete scan of one genome, or address of one in an object store.
    reference
        Address or path of the genome for the browsers, with an index (.fai, of bgzip also .gzi) beside it; by default
        the file that was scanned.
    copy_reference
        Write the scanned genome as ``reference.fa`` with its index into the output.

    Raises
    ------
    InputError
        If there is no track, the scan is of several genomes, or browsers could not read its file.
    """
    opened = open_loci(output)
    run = opened.run
    if run is None:
        raise InputError(f"{opened.path}: the scan is not complete; run it again to finish.")
    if len(run["genomes"]) > 1:
        raise InputError(f"{opened.path}: a browser shows one genome, and the scan has several: scan them one by one.")
    for name in (_BED, _GFF3):
        if not (opened.path / name).is_file():
            raise InputError(f"{opened.path / name}: is missing; mirsweep loci {opened.path} makes it anew.")
    genome = run["genomes"][0]
    if copy_reference:
        (scanned,) = open_scanned_genomes([genome])
        reference = _copy(scanned, opened.path / REFERENCE)
    where = _address(genome["file"] if reference is None else reference, opened.path)
    place = _around_best(opened)
    write_atomically(opened.path / IGV, _igv(where, place, opened.path))
    config = _jbrowse(genome["name"], where, place, opened.path)
    write_atomically(opened.path / JBROWSE, (json.dumps(config, indent=1) + "\n").encode())
    return Tracks(opened.path / IGV, opened.path / JBROWSE, where)


def _copy(genome: Genome, path: Path) -> Path:
    """Write a genome with lines of even length, and its index."""
    entries = []
    with open_atomically(path) as stream:
        for contig in genome.contigs:
            name = contig.name.encode()
            stream.write(b">%b\n" % name)
            line = min(_LINE_NT, contig.length)
            entries.append(FastaEntry(name, contig.length, stream.tell(), line, line + 1))
            for letters in _chunks(genome, contig.name, contig.length):
                lines = (letters[i : i + _LINE_NT] for i in range(0, len(letters), _LINE_NT))
                stream.write(b"".join(b"%b\n" % line for line in lines))
    write_fai(Path(f"{path}.fai"), entries, overwrite=True)
    return path


def _chunks(genome: Genome, contig: str, length: int) -> Iterator[bytes]:
    for start in range(0, length, _CHUNK_NT):
        yield genome.fetch(contig, start, min(start + _CHUNK_NT, length))


def _address(reference: str | os.PathLike, output: Path) -> str:
    """What the browsers ask for: an address as it is, a file as seen from the output.

    Raises
    ------
    InputError
        If a file has no index beside it, without which browsers cannot read it.
    """
    text = os.fspath(reference)
    if "://" in text:
        return text
    remedy = f"index it (samtools faidx), or give --copy-reference to have a copy with its index in {output}"
    path = Path(text)
    if copy_at(output) is not None and copy_at(path) is None:
        raise InputError(
            f"{output}: is in an object store, from where browsers see no file of this machine ({path}): name the "
            "genome's address with --reference, or give --copy-reference."
        )
    if not path.is_file():
        raise InputError(f"{path}: there is no such file: name the genome's address or file with --reference.")
    packed = path.suffix in (".gz", ".bgz")
    for suffix in (".fai", ".gzi") if packed else (".fai",):
        if not Path(f"{path}{suffix}").is_file():
            raise InputError(f"{path}: browsers cannot read it without {path.name}{suffix} beside it: {remedy}.")
    return Path(os.path.relpath(path.absolute(), output.absolute())).as_posix()


def _around_best(loci: Output) -> tuple[str, int, int] | None:
    """Contig, first and last base (1-based) to show first; None without a locus."""
    with loci.intact():
        table = sound(loci.dataset().to_table(columns=["contig", "start", "end", "locus_score"]))
    if not table.num_rows:
        return None
    row = table.take(pc.sort_indices(table, [("locus_score", "descending")])[:1]).to_pylist()[0]
    return row["contig"], max(1, row["start"] + 1 - _AROUND_NT), row["end"] + _AROUND_NT


def _igv(reference: str, place: tuple[str, int, int] | None, output: Path) -> bytes:
    """A session of IGV, on the desktop and in web pages."""
    locus = {"locus": "{}:{}-{}".format(*place)} if place else {}
    root = ET.Element("Session", {"genome": reference, "version": "8"} | locus)
    resources = ET.SubElement(root, "Resources")
    panel = ET.SubElement(root, "Panel", {"name": "FeaturePanel"})
    for file, name in ((_BED, "loci, darker with the score"), (_GFF3, "hairpins and both arms")):
        ET.SubElement(resources, "Resource", {"path": file, "name": name, "index": _index(file, output)})
        ET.SubElement(panel, "Track", {"id": file, "name": name, "displayMode": "EXPANDED", "height": "90"})
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _index(track: str, output: Path) -> str:
    """Name of a track's index."""
    for suffix in INDEX_SUFFIXES:
        if (output / f"{track}{suffix}").is_file():
            return f"{track}{suffix}"
    raise InputError(f"{output / track}: has no index; mirsweep loci {output} makes it anew.")


def _jbrowse(genome: str, reference: str, place: tuple[str, int, int] | None, output: Path) -> Mapping[str, Any]:
    """A configuration of JBrowse 2; addresses are as seen from it."""
    is_packed = reference.endswith((".gz", ".bgz"))
    adapter: dict[str, Any] = {
        "type": "BgzipFastaAdapter" if is_packed else "IndexedFastaAdapter",
        "fastaLocation": _uri(reference),
        "faiLocation": _uri(f"{reference}.fai"),
    }
    if is_packed:
        adapter["gziLocation"] = _uri(f"{reference}.gzi")
    track = "mirsweep-loci"
    index = _index(_GFF3, output)
    config: dict[str, Any] = {
        "assemblies": [
            {
                "name": genome,
                "sequence": {"type": "ReferenceSequenceTrack", "trackId": f"{genome}-sequence", "adapter": adapter},
            }
        ],
        "tracks": [
            {
                "type": "FeatureTrack",
                "trackId": track,
                "name": "mirsweep: hairpins and both arms",
                "assemblyNames": [genome],
                "adapter": {
                    "type": "Gff3TabixAdapter",
                    "gffGzLocation": _uri(_GFF3),
                    "index": {"location": _uri(index), "indexType": index.rpartition(".")[2].upper()},
                },
                "displays": [
                    {
                        "type": "LinearBasicDisplay",
                        "displayId": f"{track}-display",
                        "renderer": {"type": "SvgFeatureRenderer", "color1": _COLOUR_RULE},
                    }
                ],
            }
        ],
    }
    if place:
        shown = {"assembly": genome, "loc": "{}:{}..{}".format(*place), "tracks": [track]}
        view = {"id": "loci", "type": "LinearGenomeView", "init": shown}
        config["defaultSession"] = {"name": "mirsweep", "views": [view]}
    return config


def _uri(address: str) -> dict[str, str]:
    return {"uri": address, "locationType": "UriLocation"}
