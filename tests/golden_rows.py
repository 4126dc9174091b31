"""What is kept of the demo's rows to notice any change: a digest of all of them, and some in full.

python tests/golden_rows.py     writes tests/golden/demo.json anew; do so when a change of the rows is meant
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from mirsweep.jobs import demo, query

GOLDEN = Path(__file__).parent / "golden" / "demo.json"
_EVERY = 200
_PLACE = ("contig", "start", "end", "strand")
_EXACT = (*_PLACE, "sequence", "structure", "n_pairs", "loop_start", "loop_end", "flank_5p", "flank_3p")


def golden_rows(output: Path) -> dict[str, Any]:
    """Number of rows, digest of all but their scores, and every 200th row with its score."""
    rows = query(output).to_pylist()
    lines = ["\t".join([*(str(row[name]) for name in _EXACT), f"{row['mfe']:.2f}"]) for row in rows]
    return {
        "n_rows": len(rows),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "model": rows[0]["model"],
        "rows": [{name: row[name] for name in (*_EXACT, "score")} for row in rows[::_EVERY]],
    }


def main() -> None:
    """Scan the slice and keep its rows."""
    with tempfile.TemporaryDirectory() as folder:
        demo(output=folder, quiet=True)
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(golden_rows(Path(folder)), indent=1) + "\n")


if __name__ == "__main__":
    main()
