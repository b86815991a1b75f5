"""Execute the notebooks and store their outputs in them, with static pictures: `make notebooks`.

Interactive pictures would take megabytes of script each. A browser opens them and what it shows is
stored as PNG; run the notebook to have them interactive.
"""

from __future__ import annotations

import base64
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image, ImageChops

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))
from browser import open_browser, open_page  # noqa: E402  as docs/refresh.py does

COLOURS, WIDEST = 128, 860  # of a stored picture: enough for maps, a fifth of the size
LARGEST_HTML = 40_000  # of tables and array summaries; beyond, their plain text is stored

# In the kernel: write what would be interactive into a page, and name the page as the output.
SETUP = """
def _store_pictures(folder):
    import itertools
    import os
    from pathlib import Path

    import holoviews as hv
    from IPython import get_ipython

    os.environ["TQDM_DISABLE"] = "1"  # of what writes the pages
    shell = get_ipython()
    original, count = shell.display_formatter.format, itertools.count()

    def format(obj, *args, **kwargs):
        import panel as pn

        path = Path(folder) / f"{next(count)}.html"
        if isinstance(obj, hv.core.Dimensioned):
            hv.save(obj, path, backend="bokeh", resources="inline")
        elif isinstance(obj, pn.viewable.Viewable):
            from bokeh.resources import INLINE
            obj.save(path, resources=INLINE)
        else:
            return original(obj, *args, **kwargs)
        return {"text/plain": f"picture {path}"}, {}

    shell.display_formatter.format = format
"""


def executed(path: Path) -> nbformat.NotebookNode:
    """Run a notebook and return it with outputs that can be stored.

    That of a real scene reads what ``STRANDLINE_SCENE`` names.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        setup = nbformat.v4.new_code_cell(f"{SETUP}\n_store_pictures({folder!r})")
        notebook.cells.insert(0, setup)
        NotebookClient(
            notebook,
            timeout=180,
            kernel_name="python3",
            resources={"metadata": {"path": tempfile.mkdtemp(dir=folder)}},
        ).execute()
        del notebook.cells[0]
        with open_browser() as browser, open_page(browser, width=1600, offline=True) as (page, _):
            for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
                cell.outputs = [kept for one in cell.outputs for kept in _stored(one, page)]
                cell.execution_count = number + 1
                cell.metadata.pop("execution", None)
                for output in cell.outputs:
                    if "execution_count" in output:
                        output.execution_count = number + 1
    notebook.metadata.pop("widgets", None)
    return notebook


def _stored(output: nbformat.NotebookNode, page: Any) -> list[nbformat.NotebookNode]:
    """Return an output as it is stored, or nothing for scripts and logos."""
    if (
        output.get("name") == "stderr"
    ):  # of what saves the pictures: runs have none, as the tests say
        return []
    if output.output_type not in ("execute_result", "display_data"):
        return [output]
    data = output.data
    picture = re.fullmatch(r"picture (\S+)", str(data.get("text/plain", "")))
    if picture:
        output.data = _photograph(page, Path(picture[1]))
        return [output]
    if "image/png" in data:
        output.data = _small(base64.b64decode(data["image/png"]))
        return [output]
    if output.output_type == "display_data":
        return []
    kept = {k: v for k, v in data.items() if k != "text/html" or len(v) <= LARGEST_HTML}
    output.data = {k: v for k, v in kept.items() if k in ("text/plain", "text/html")}
    return [output]


def _photograph(page: Any, path: Path) -> dict[str, str]:
    page.goto(path.as_uri())
    page.wait_for_timeout(2500)
    shot = page.screenshot(full_page=True)
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    white = Image.new("RGB", image.size, image.getpixel((image.width - 1, image.height - 1)))
    box = ImageChops.difference(image, white).getbbox()
    stream = io.BytesIO()
    image.crop(box).save(stream, format="PNG")
    return _small(stream.getvalue())


def _small(png: bytes) -> dict[str, str]:
    """Encode a picture in the smaller way: few colours, or as a photograph."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)))
    drawn, photograph = io.BytesIO(), io.BytesIO()
    image.quantize(COLOURS).save(drawn, format="PNG", optimize=True)
    image.save(photograph, format="JPEG", quality=82)
    kind, stream = min(
        ("image/png", drawn), ("image/jpeg", photograph), key=lambda one: one[1].tell()
    )
    return {kind: base64.b64encode(stream.getvalue()).decode(), "text/plain": "<picture>"}


def main(names: list[str]) -> None:
    """Execute the notebooks of these names, or all."""
    for path in sorted(HERE.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        nbformat.write(executed(path), path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
