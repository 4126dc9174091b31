"""Vendored scripts of Vega for the page of a scan, from the npm registry: python benchmarks/make_vega.py.

Writes jobs/report/vega. Vega-Lite's version is the one whose schema Altair has; a test holds the page's charts
against it.
"""

import io
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "jobs" / "report" / "vega"
PACKAGES = {
    "vega.js": ("vega", "6.4.0", "build/vega.min.js"),
    "vega-lite.js": ("vega-lite", "6.4.1", "build/vega-lite.min.js"),
    "vega-interpreter.js": ("vega-interpreter", "2.3.2", "build/vega-interpreter.js"),
}
"""By file name the package, its version, and the file in it."""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    licences = {}
    for name, (package, version, inner) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["npm", "pack", f"{package}@{version}"], cwd=folder, check=True, capture_output=True)
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as files:
                text = files.extractfile(f"package/{inner}").read().decode()
                licences[package] = files.extractfile("package/LICENSE").read().decode()
        text = re.sub(r"\n//# sourceMappingURL=\S+\s*$", "\n", text)
        (FOLDER / name).write_text(_as_global(text) if package == "vega-interpreter" else text)
    (FOLDER / "LICENSE").write_text("\n\n".join(f"{name}\n\n{text}" for name, text in licences.items()))
    versions = {name: f"{package} {version}" for name, (package, version, _) in PACKAGES.items()}
    (FOLDER / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


def _as_global(module: str) -> str:
    """A module that takes from vega-util, as a script beside vega, which has the same names."""
    (names,) = re.findall(r"^import \{(.*)\} from 'vega-util';\n", module, re.MULTILINE)
    (exported,) = re.findall(r"^export \{ (\w+) as expressionInterpreter \};", module, re.MULTILINE)
    body = re.sub(r"^(import|export) .*;\n", "", module, flags=re.MULTILINE)
    return (
        f"(function () {{\n'use strict';\nconst {{{names}}} = vega;\n{body}\n"
        f"globalThis.vegaInterpreter = {{expressionInterpreter: {exported}}};\n}})();\n"
    )


if __name__ == "__main__":
    main()
