"""``mirsweep explain``."""

from typing import Any

import click
import pyarrow as pa

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.outputs import check_file
from mirsweep.jobs.results.writers import write
from mirsweep.jobs.sequences.drawing import draw
from mirsweep.jobs.sequences.explain import as_text, explain
from mirsweep.model.defaults import DEFAULT_MODEL

__all__ = ["command"]


@click.command(
    "explain",
    epilog=options.examples(
        "explain hairpins.fa",
        "explain out --limit 3 --picture attention.svg",
    ),
)
@click.argument("source", metavar="OUT|SEQS.fa")
@click.option(
    "--model",
    help="Bundled model's name, or path of a .safetensors file  "
    f"[default: {DEFAULT_MODEL}; of a scan, the model that scored it]",
)
@options.device
@click.option(
    "--map",
    "activation",
    type=click.Choice(["cam", "gradient"]),
    default="cam",
    show_default=True,
    help="Class activation map of the paper, or each position's own derivative.",
)
@click.option("--region", metavar="CHR:START-END", help="Of a scan: only candidates that overlap; 1-based.")
@click.option("--limit", type=int, metavar="N", help="First N sequences, or best N candidates of a scan (10).")
@click.option(
    "--format", "file_format", type=click.Choice(["text", "tsv", "json", "jsonl"]), default="text", show_default=True
)
@click.option("--picture", metavar="FILE.svg", help="Also draw it, as SVG.")
@options.json_format
@options.no_messages
@click.option("-o", "--output", metavar="FILE", help="Write here instead of to standard output.")
def command(
    source: str, file_format: str, is_json: bool, picture: str | None, output: str | None, **asked: Any
) -> None:
    """Show where the model looks in each hairpin.

    SEQS.fa holds hairpins; OUT is the output folder of a scan, whose best candidates are shown, with their flanks and
    by the model that scored them. For each position: the attention, and the class activation map, above 0 for a
    pre-miRNA and below 0 against.
    """
    drawn = None if picture is None else check_file(picture, ending=".svg")
    if output is not None:
        check_file(output)
    file_format = "json" if is_json else file_format
    table = explain(source, **asked)
    if drawn is not None:
        write_atomically(drawn, draw(table).encode())
    with options.stdout_or_file(output) as stream:
        if file_format == "text":
            stream.writelines(f"{line}\n".encode() for line in as_text(table))
        else:
            write(pa.RecordBatchReader.from_batches(table.schema, table.to_batches()), stream, file_format)
