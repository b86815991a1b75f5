"""The documentation as a site: `make docs`, or ``sphinx-build -W -c docs . FOLDER``.

The source folder is the whole repository, so that the pages link to one another, and to the
README, as they do on a code host. Nothing is fetched, neither to build the site nor to read it.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

project = "Strandline"
author = "The Strandline developers"
copyright = author
release = version_of("strandline")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["README.md", "CHANGELOG.md", "docs/*.md", "docs/*.rst", "examples/*.ipynb"]
root_doc = "docs/index"
default_role = "py:obj"

# The pages are run, and the notebooks too, by the tests; here they are only shown.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"Strandline {release}"
html_math_renderer = "mathml"
html_copy_source = False
templates_path = ["templates"]
html_additional_pages = {"index": "index.html"}  # leads to docs/index.html


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.math_block) -> None:
    text = node.astext()
    if r"\\" in text and r"\begin{" not in text:
        text = rf"\begin{{align*}}{text}\end{{align*}}"
    writer.body.append(f"<div>{tex2mathml(text, as_block=True)}</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Have formulas written as MathML, which browsers show without a script from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
