"""Sphinx: the site of the documentation, `make docs`."""

from importlib.metadata import version as _version

project = "mirsweep"
author = "the authors of mirsweep"
release = version = _version("mirsweep")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.intersphinx", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "mirsweep"
html_copy_source = False
html_static_path: list[str] = []
intersphinx_mapping: dict[str, tuple[str, None]] = {}  # a build reaches for nothing outside
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = False
nitpicky = False
