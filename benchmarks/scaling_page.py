"""Sentences and tables of docs/scaling.md, from the results of ``measure_scaling.py`` and ``bench_peers.py``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scaling_laws import CORES, DECOYS_MB, GENOME_MB, MOST_MB, STAGES

Figures = Mapping[str, Any]
WHAT = {
    "read": "reading",
    "prefilter": "prefilter",
    "fold": "folding, gate, filter",
    "score": "scoring, mature sequences",
    "write": "writing",
    "second pass": "second pass (loci)",
    "rest": "all else",
    "page": "page",
}


def blocks(scaling: Figures, peers: Figures) -> dict[str, str]:
    """What stands between the markers of the page, by their names."""
    return {
        "measured on": measured_on(scaling),
        "size": size(scaling),
        "stages": stages(scaling),
        "human genome": human_genome(scaling),
        "limits": limits(scaling),
        "span": span(scaling),
        "gc": gc(scaling),
        "contigs": contigs(scaling),
        "cores": cores(scaling),
        "decoys": decoys(scaling),
        "peers": peers_table(peers),
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float, digits: int = 2) -> str:
    """So many significant digits, thousands apart."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:g}"


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{number(100 * share)} %"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever is easy to read."""
    if seconds < 90:
        return f"{number(seconds)} s"
    return f"{number(seconds / 60)} minutes" if seconds < 5400 else f"{number(seconds / 3600)} hours"


def measured_on(scaling: Figures) -> str:
    machine, sizes = scaling["machine"], scaling["sizes"]
    return (
        f"Measured on {machine['cores']} cores of an {machine['cpu']} with {machine['memory_gib']:.0f} GiB "
        f"(`{scaling['command']}`, `benchmarks/results/scaling.json`), on pieces of human chr20 of "
        f"{sizes[0]['mb']:.2g} to {sizes[-1]['mb']:.2g} Mb. {scaling.get('note', '')}".rstrip()
    )


def of_line(law: Figures, unit: str) -> str:
    """``a + b x`` in words' place."""
    fixed = f"{number(law['fixed'], 3)} + " if law["fixed"] >= 5e-3 else ""
    return f"{fixed}{number(law['per_unit'], 3)} · {unit}"


def off(law: Figures) -> str:
    """How far the measured values lie from a law."""
    if not law["largest_residual"]:
        return "through two points"
    return f"{percent(law['rms_residual'])} off in the root mean square, {percent(law['largest_residual'])} at most"


def size(scaling: Figures) -> str:
    laws = scaling["laws"]
    whole, memory = laws["size"]["all"], laws["memory"]
    return (
        f"A scan in one process takes **{of_line(whole, 'Mb')} seconds** of one core ({off(whole)}), of human sequence "
        f"on both strands, second pass included, decoys and page left out. It finds "
        f"{number(laws['candidates']['per_unit'], 3)} candidates a Mb and writes "
        f"{number(laws['output_mb']['per_unit'])} MB a Mb. The process takes "
        f"**{of_line(memory, 'Mb')} MB** of memory at most ({off(memory)}), in the second pass; until then "
        f"{of_line(laws['memory_of_scan'], 'Mb')}."
    )


def stages(scaling: Figures) -> str:
    laws, human = scaling["laws"]["size"], scaling["human_genome"]
    total = sum(human["core_seconds"].values())
    rows = [
        [
            WHAT[name],
            f"{laws[name]['per_unit']:.3f}",
            percent(laws[name]["rms_residual"]),
            duration(human["core_seconds"][name]),
            percent(human["core_seconds"][name] / total),
        ]
        for name in STAGES
    ]
    page = human["core_seconds"]["page"]
    rows.append([WHAT["page"], "", "", duration(page), percent(page / total)])
    rows.append(["whole", f"{laws['all']['per_unit']:.3f}", percent(laws["all"]["rms_residual"]), duration(total), ""])
    return table(["stage", "core seconds a Mb", "residual (rms)", "core time of a human genome", "share"], rows)


def human_genome(scaling: Figures) -> str:
    human = scaling["human_genome"]
    how = {True: "rate measured", False: "divided"}
    rows = [
        [
            str(row["cores"]),
            duration(row["start"] + max(row["together"], row["feeding"])),
            duration(row["alone"]),
            f"**{duration(row['seconds'])}**",
            number(row["cores"] * row["seconds"] / 3600),
            how[row["rate_is_measured"]],
        ]
        for row in human["rows"]
    ]
    longest = scaling["sizes"][-1]["mb"]
    on_more = "On more cores the rate of one was divided"
    if scaling["cores"]:
        on_more = (
            f"Those on {scaling['cores'][-1]['cores']} cores were measured on pieces of up to "
            f"{scaling['cores'][-1]['mb']:.2g} Mb. On more cores this rate was divided"
        )
    said = (
        f"{GENOME_MB:,} Mb on both strands, and {DECOYS_MB} Mb of decoys: about {number(human['n_candidates'] / 1e6)} "
        f"million candidates, {number(human['output_gb'])} GB, and by the law of memory at most "
        f"{number(human['memory_gb'])} GB for the process that makes the loci, which above {number(MOST_MB)} Mb looks "
        f"at no more candidates. No human genome was scanned. The seconds a Mb of one core were measured on pieces of "
        f"up to {longest:.2g} Mb; the rest is multiplication. "
        f"{on_more} as if each core did as much: **not measured**."
    )
    head = ["cores", "all cores together", "one core alone", "whole", "core-hours", "how"]
    return f"{said}\n\n{table(head, rows)}"


def limits(scaling: Figures) -> str:
    human = scaling["human_genome"]
    by_cores = {row["cores"]: row for row in human["rows"]}
    row = by_cores[max(CORES)]
    alone, feeding = row["alone"], row["feeding"]
    together = row["together"] * row["cores"]
    largest = max(STAGES, key=lambda name: human["core_seconds"][name])
    share = human["core_seconds"][largest] / sum(human["core_seconds"].values())
    what = WHAT[largest][0].upper() + WHAT[largest][1:]
    return (
        f"- **{what}** takes {percent(share)} of the core time: whatever makes it faster makes the scan faster, on any "
        "number of cores.\n"
        f"- **The second pass and the page** are made by one process: {duration(alone)} that more cores do not "
        f"shorten. From {number(together / alone)} cores on they take longer than all else.\n"
        f"- **The driver** commits {number((GENOME_MB + DECOYS_MB) / feeding)} shards of 1 Mb a second "
        f"([clusters](clusters.md#how-many-cores-one-driver-feeds)): {duration(feeding)} for a human genome, which "
        f"binds from {number(together / feeding)} cores on. Larger shards (`--shard-nt`) lift that."
    )


def span(scaling: Figures) -> str:
    laws, rows = scaling["laws"]["span"], scaling["spans"]
    plant = next(row for row in rows if row["preset"] == "plant")
    longest = rows[-2]
    return (
        f"With the longest span (`--max-span`) the whole grows as its power {number(laws['all']['exponent'])}: the "
        f"prefilter as {number(laws['prefilter']['exponent'])} ({off(laws['prefilter'])}), folding as "
        f"{number(laws['fold']['exponent'])} ({off(laws['fold'])}). {longest['span']} nt takes "
        f"{number(longest['all'] / longest['mb'])} s a Mb with the animals' preset and "
        f"{number(plant['all'] / plant['mb'])} with the plants', whose filters pass fewer candidates."
    )


def gc(scaling: Figures) -> str:
    laws = scaling["laws"]["gc"]
    real = scaling["gc"]["real"]
    rates = [row["all"] / row["mb"] for row in real]
    tenfold = laws["n_candidates"]["rate"] * 0.1
    return (
        f"In random sequence the candidates grow {number(2.718281828**tenfold)}-fold with each 10 % of G+C, and the "
        f"seconds {number(2.718281828 ** (laws['all']['rate'] * 0.1))}-fold ({off(laws['all'])}). Slices of real "
        f"chromosomes of {percent(min(row['gc'] for row in real))} to {percent(max(row['gc'] for row in real))} take "
        f"{number(min(rates))} to {number(max(rates))} s a Mb."
    )


def contigs(scaling: Figures) -> str:
    law, rows = scaling["laws"]["contigs"]["rest"], scaling["contigs"]
    most = rows[-1]
    return (
        f"The same {most['mb']:.2g} Mb in {rows[0]['n_contigs']} to {most['n_contigs']:,} contigs: planning, records "
        f"and tables take {number(1e3 * law['per_unit'])} ms more a contig ({off(law)}). Short contigs have fewer "
        f"candidates ({most['n_candidates']:,} in place of {rows[0]['n_candidates']:,}), which take less time to fold."
    )


def cores(scaling: Figures) -> str:
    laws = scaling["laws"]["cores"]
    if not laws:
        return "Scans on several cores were not measured in this run."
    most = max(laws, key=int)
    here = (
        f"{most} worker processes take {number(laws[most]['fixed'])} s to start and "
        f"{number(laws[most]['per_unit'])} s a Mb by the clock"
    )
    if "1" not in laws or most == "1":
        return here + "."
    ratio = laws["1"]["per_unit"] / laws[most]["per_unit"]
    of_one = scaling["laws"]["size"]["all"]["per_unit"] - scaling["laws"]["size"]["second pass"]["per_unit"]
    return (
        f"{here}, {number(ratio)} times the rate of one, which takes {number(laws['1']['per_unit'])}; the "
        f"process alone takes {number(of_one)}. The memory of each part stands in `run.json`: "
        + "; ".join(
            f"{row['cores']} cores, {row['mb']:.2g} Mb: folding {row['peaks_mb']['fold']} MB a worker, scoring "
            f"{row['peaks_mb']['score']}, driver {row['peaks_mb']['driver']}"
            for row in scaling["cores"][-1:]
        )
        + "."
    )


def decoys(scaling: Figures) -> str:
    found = scaling["whole_command"]
    whole = found["whole"]
    return (
        f"The whole command on {whole['mb']:.2g} Mb takes {number(whole['all'])} s of one core: "
        f"{number(found['decoys'])} s of them for as many bases of decoys (at most {DECOYS_MB} Mb, so hardly anything "
        f"of a large genome), and {number(found['page'])} s for the page."
    )


def peers_table(peers: Figures) -> str:
    weights = {"published": "", "none": "", "random": "; random weights"}
    rows = [
        [
            row["tool"] + weights[row["weights"]],
            f"{number(1e3 * row['mb'])} kb",
            number(row["per_mb"]["cpu"]),
            str(row["peak_mb"]),
            leaves(row),
            "-" if row["n_known_covered"] is None else f"{row['n_known_covered']} of {row['n_known']}",
        ]
        for row in peers["rows"]
    ]
    head = ["", "piece", "core seconds a Mb", "memory, MB", "leaves, a Mb", "known precursors covered"]
    missing = f" Left out: {', '.join(peers['left_out'])}." if peers["left_out"] else ""
    said = (
        f"Bases from {peers['start']:,} on of {peers['genome']}, which hold the most {peers['known']} precursors, both "
        f"strands, one core, in turn (`python benchmarks/bench_peers.py`, `benchmarks/results/peers.json`).{missing}"
    )
    shares = [
        f"\n\nOf the pipeline around mirDNN windows and folding take {percent(row['cpu_of_folding'] / row['cpu'])}."
        for row in peers["rows"]
        if "cpu_of_folding" in row
    ]
    return f"{said}\n\n{table(head, rows)}{''.join(shares)}"


def leaves(row: Figures) -> str:
    """Hairpins and scores of a row."""
    n_hairpins, n_scored = row["per_mb"]["n_hairpins"], row["per_mb"]["n_scored"]
    if not row["n_hairpins"]:
        return f"{n_scored:,.0f} windows with a score"
    more = ", loci" if row["tool"].startswith("mirsweep") else ""
    return f"{n_hairpins:,.0f} hairpins" + (f" with scores{more}" if n_scored else ", no score")
