"""One page of a scan: what was found, to look at; made at the end of a scan, and again on demand."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mirsweep.jobs.report import numbers
from mirsweep.jobs.report.browsers import browser_of
from mirsweep.jobs.report.charts import precision_recall
from mirsweep.jobs.report.choices import PAGE, Choices, choices_of
from mirsweep.jobs.report.chosen import attention_of
from mirsweep.jobs.report.content import MOST_LOCI, Content, Fact, best_of, gather, loci_of
from mirsweep.jobs.report.known import REASONS, Known, compare_known
from mirsweep.jobs.report.multiqc import check_name, write_content
from mirsweep.jobs.report.page import render
from mirsweep.jobs.report.provenance import provenance
from mirsweep.jobs.results.dataset import Output, open_loci
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.hold import hold
from mirsweep.jobs.results.layout import REPORT
from mirsweep.jobs.results.messages import say, warn
from mirsweep.jobs.results.object_store import is_store
from mirsweep.jobs.results.outputs import check_file
from mirsweep.jobs.results.run_json import write_run
from mirsweep.jobs.results.stored import opened_to_change
from mirsweep.jobs.results.trained_on import contigs_trained_on
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome

__all__ = ["Look", "page_of", "renew", "report", "write_report"]

Look = Callable[[pa.Table], Sequence[np.ndarray] | None]
"""Gives the attention of the bases of loci, shape (n,) each; None for none."""


def report(
    output: str | os.PathLike,
    *,
    path: str | os.PathLike | None = None,
    known: str | os.PathLike | None = None,
    genome: str | None = None,
    browsers: str | Sequence[str] | None = None,
    attention: bool | None = None,
    multiqc: str | os.PathLike | None = None,
    afresh: bool = False,
) -> Path:
    """Write one page of a scan, a file that any web browser opens without a network.

    What is not given is as it was for the page in the output before; without one, and with ``afresh``, no precursors
    are known, loci are linked to IGV on the reader's computer, and hairpins are shaded.

    Parameters
    ----------
    output
        Output folder of a complete scan with loci.
    path
        File to write; ``report.html`` in the output by default.
    known
        GFF3 or BED of known precursors (:func:`mirsweep.jobs.compare`): how many the loci recover, and why others are
        missed.
    genome
        Of a scan of several genomes, the one that the known precursors belong to.
    browsers
        Genome browsers that loci are linked to, see :func:`mirsweep.jobs.report.browsers.browser_of`.
    attention
        Shade hairpins by the attention of the model that scored them.
    multiqc
        Also write the numbers of loci of each genome here, as custom content of MultiQC; ends in ``_mqc.json``.
    afresh
        Forget what the page before was made with.

    Returns
    -------
    The file.

    Raises
    ------
    InputError
        If the scan is not complete or has no loci, an input is bad, or the place cannot be written.
    """
    if path is None and is_store(output):
        with opened_to_change(output) as folder:
            return report(
                folder,
                known=known,
                genome=genome,
                browsers=browsers,
                attention=attention,
                multiqc=multiqc,
                afresh=afresh,
            )
    opened = open_loci(output)
    if opened.run is None:
        raise InputError(f"{opened.path}: the scan is not complete; run it again to finish, then report.")
    choices = (Choices() if afresh else choices_of(opened.run)).with_given(known, genome, browsers, attention)
    if known is None:
        choices.check_known()
    place = check_file(opened.path / REPORT if path is None else path)
    summary = None if multiqc is None else check_name(multiqc)
    page = _page(opened, opened.run, partial(attention_of, output), choices)
    if summary is not None:
        write_content(summary, loci_of(opened), opened.run)
    if path is not None:
        write_atomically(place, page)
        return place
    with closing(hold(opened.path)):
        write_atomically(place, page)
        write_run(opened.path, opened.run | {PAGE: choices._asdict()})
    return place


def renew(output: str | os.PathLike, *, quiet: bool = False) -> Path | None:
    """Write the page of a scan anew, if it has one, after something was learnt of its loci.

    Whatever fails leaves the page as it is, with a warning.

    Returns
    -------
    The file; None if there is no page, or it stays as it is.
    """
    place = Path(output) / REPORT
    if not place.exists():
        return None
    try:
        report(output)
    except Exception as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        warn(f"{place} is as before ({' '.join(reason.split())[:300]}): mirsweep report {output} renews it.")
        return None
    if not quiet:
        say(f"{place} is renewed")
    return place


def write_report(output: Path, run: Mapping[str, Any], look: Look, genomes: Sequence[Genome] = ()) -> Path | None:
    """Write the page of a scan whose loci are found, before its run.json stands.

    Whatever fails but the writing costs the page, with a warning, not the scan.

    Parameters
    ----------
    run
        What run.json will tell.
    look
        Gives the attention of the bases of loci.
    genomes
        Of the scan, those that are open; the files of others are opened if need be.

    Returns
    -------
    The file; None if there is none.

    Raises
    ------
    InputError
        If the place cannot be written or is full.
    """
    opened = Output(output, dict(run), is_loci=True, is_joined=True)
    try:
        choices = choices_of(run)
        choices.check_known()
        page = _page(opened, run, look, choices, {genome.name: genome for genome in genomes})
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        warn(f"{output / REPORT} is not written ({reason[:200]}): mirsweep report {output} makes it.")
        return None
    write_atomically(output / REPORT, page)
    return output / REPORT


def _page(
    opened: Output,
    run: Mapping[str, Any],
    look: Look,
    choices: Choices,
    genomes: Mapping[str, Genome] | None = None,
) -> bytes:
    browsers = [browser_of(each) for each in choices.browsers]
    known = None if choices.known is None else compare_known(opened, choices.known, choices.genome)
    best = best_of(opened)
    shades = look(best) if choices.attention else None
    if known is not None:
        keys = zip(best["genome"].to_pylist(), best["locus"].to_pylist(), strict=True)
        names = [known.names.get(key) for key in keys]
        best = best.append_column("known", pa.array(names, pa.string()))
    content = gather(opened, run, best, attention=shades, browsers=browsers)
    trained_on = contigs_trained_on(opened, opened=genomes)
    told = page_of(content, run, known, trained_on=trained_on, reads=opened.about_reads)
    return told.encode()


def page_of(
    content: Content,
    run: Mapping[str, Any],
    known: Known | None = None,
    *,
    trained_on: Sequence[str] = (),
    reads: Mapping[str, Any] | None = None,
) -> str:
    """The page.

    Parameters
    ----------
    content
        What it tells of the loci.
    run
        What run.json tells.
    known
        Known precursors beside them.
    trained_on
        Contigs of the scan that its model was trained on.
    reads
        What the table of evidence tells of the reads.
    """
    drawn = [*content.charts, *([content.contigs.chart] if content.contigs.chart else [])]
    if known is not None and known.comparison.curve:
        drawn.append(precision_recall(known.comparison.curve))
    return render(
        **content._asdict() | {"charts": None},
        specs={chart.id: chart.spec for chart in drawn},
        labels={chart.id: chart.label for chart in drawn},
        title=", ".join(genome["name"] for genome in run["genomes"][:3]) + (" …" if len(run["genomes"]) > 3 else ""),
        lead=_lead(content, run),
        note=_note(trained_on),
        cards=_cards(content, run),
        table_lead=_table_lead(content),
        places_lead=_places_lead(content),
        looks=_LOOKS,
        known=known,
        known_lead="" if known is None else _known_lead(known, content),
        most_known=_MOST_KNOWN,
        reasons=REASONS,
        n_ranked=min(len(content.rows), MOST_LOCI),
        made=provenance(run, reads),
        version=version("mirsweep"),
        count=numbers.count,
        small=numbers.small,
        length=numbers.length,
        decimals=numbers.decimals,
        minus=numbers.minus,
        place=numbers.place,
        share=numbers.share,
    )


_MOST_KNOWN = 1000
"""Known precursors that are listed one by one."""
_LOOKS = (
    ("lengths", "Length of the hairpins, in bins of 5 nt: the likely loci beside all."),
    ("energies", "Folding energy, in bins of 2.5 kcal/mol; further left is more stable."),
)


def _lead(content: Content, run: Mapping[str, Any]) -> str:
    balanced = content.trust.levels[1]
    of = numbers.length(run["counts"]["n_scanned"])
    if not balanced.n_loci:
        return f"No locus in {of} passes the balanced limit ({balanced.limit}); the best ones are below all the same."
    loci = "locus" if balanced.n_loci == 1 else "loci"
    if content.trust.decoys:
        n = numbers.count(balanced.n_loci)
        return f"{n} likely {loci} in {of}, of which up to one in ten is expected to be false."
    return (
        f"{numbers.count(balanced.n_loci)} likely {loci} in {of}, at an expected 1 false one per Mb on other genomes."
    )


def _note(trained_on: Sequence[str]) -> str | None:
    if not trained_on:
        return None
    more = f" and {len(trained_on) - 3} more" if len(trained_on) > 3 else ""
    contigs = "contig" if len(trained_on) == 1 else "contigs"
    return (
        f"The model was trained on {contigs} {', '.join(trained_on[:3])}{more} of this scan: the page shows how well "
        "it knows that, not what it finds elsewhere."
    )


def _cards(content: Content, run: Mapping[str, Any]) -> list[Fact]:
    counts, balanced = run["counts"], content.trust.levels[1]
    cards = [
        Fact(f"likely loci ({balanced.limit})", numbers.count(balanced.n_loci)),
        Fact("loci of any score", numbers.count(content.n_loci)),
        Fact("clusters within 10 kb", numbers.count(content.n_clusters)),
        Fact("candidate hairpins", numbers.count(counts["n_candidates"])),
        Fact("scanned, both strands", numbers.length(counts["n_scanned"])),
    ]
    if content.n_supported is not None:
        cards.insert(1, Fact("supported by reads", numbers.count(content.n_supported)))
    if content.trust.decoys:
        cards.append(Fact("decoys scanned", numbers.length(content.trust.decoys["n_scanned"])))
    return cards


def _table_lead(content: Content) -> str:
    n = len(content.rows)
    what = f"All {n} loci."
    if n < content.n_loci:
        n_best = min(n, MOST_LOCI)
        further = f", and {n - n_best} further down that reads support" if n > n_best else ""
        what = f"The {n_best} best of {numbers.count(content.n_loci)} loci{further}."
    return f"{what} A blue edge marks the likely ones."


def _places_lead(content: Content) -> str:
    contigs = content.contigs
    if not contigs.n_others:
        return f"The {len(contigs.drawn)} contigs that were read." if len(contigs.drawn) > 1 else ""
    others = f"{numbers.count(contigs.n_others)} shorter ones ({numbers.length(contigs.others_nt)} in all)"
    n = contigs.n_loci_on_others
    return f"The {len(contigs.drawn)} longest contigs; {others} hold {n} of the {len(content.rows)} loci of the table."


def _known_lead(known: Known, content: Content) -> str:
    result, balanced = known.comparison, content.trust.levels[1]
    n_likely = sum(each.rank is not None and each.rank <= balanced.n_loci for each in known.rows)
    n_found, n_known, n_listed = map(numbers.count, (result.n_recovered, result.n_known, balanced.n_loci))
    share, precision = result.n_recovered / result.n_known, numbers.decimals(result.average_precision, 3)
    return (
        f"{n_found} of {n_known} known precursors ({numbers.share(share)}) are among the loci of any score, and "
        f"{numbers.count(n_likely)} among the {n_listed} likely ones. The average precision of the ranking is "
        f"{precision}. A known precursor counts as found when a locus on its strand covers 70 % of it and lies on it "
        "by 40 %."
    )
