"""The app, served by a process of its own as users have it, and a browser on it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from browser import Watch, open_page
from strandline.app.library import Library

RESOLUTION = 300.0
"""Pixel size of the demo, metres."""

_SERVE = """
import json, sys
from strandline.app.serve import serve
options = json.loads(sys.argv[1])
say = lambda text: print(text, flush=True)
serve(options.pop("folders"), 0, open_browser=False, say=say, **options)
"""

# The frames of all figures: where they are on the page, and which coordinates they show.
_FRAMES = """() => {
  const found = []
  const walk = (view) => {
    const seen = view.el?.checkVisibility?.({visibilityProperty: true})
    if (view.model?.type?.endsWith("Figure") && seen) {
      const at = view.canvas_view.el.getBoundingClientRect(), frame = view.frame.bbox
      const {x_range, y_range} = view.model
      if (at.width > 0) found.push({
        x: at.x + frame.left, y: at.y + frame.top, width: frame.width, height: frame.height,
        left: x_range.start, right: x_range.end, bottom: y_range.start, top: y_range.end,
      })
    }
    for (const child of view.child_views ?? []) walk(child)
  }
  for (const root of Object.values(Bokeh.index)) walk(root)
  return found
}"""

_TEXT = """(name) => {
  const inside = (root) => {
    let text = ""
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) text += inside(element.shadowRoot)
      const said = element.classList?.contains(name)
      if (said) text += (element.shadowRoot ?? element).textContent + " "
    }
    return text
  }
  return inside(document)
}"""


@dataclass
class Served:
    """A running server."""

    url: str
    process: Any

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


@contextmanager
def served(folders: list[Path], cache: Path, **options: Any) -> Iterator[Served]:
    """Serve the app on a free port until the block ends."""
    given = {"folders": [str(folder) for folder in folders], "demo_resolution": RESOLUTION}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _SERVE, json.dumps(given | options)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "STRANDLINE_CACHE": str(cache)},
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"http://\S+/", line):
                break
        else:
            raise AssertionError(f"the server said {lines!r}")
        assert lines[0].startswith("Starting"), "what happens is said at once"
        yield Served(found[0], process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


class Visit:
    """A page of the app as somebody uses it."""

    def __init__(self, page: Any, watch: Watch) -> None:
        self.page = page
        self.watch = watch

    def has_map(self, seconds: float = 60) -> None:
        """Wait until a map is drawn."""
        self.page.locator("canvas").first.wait_for(state="visible", timeout=1000 * seconds)
        self.page.wait_for_function(f"() => ({_FRAMES})().length > 0", timeout=1000 * seconds)

    def ready(self, seconds: float = 60) -> Visit:
        """Wait until the work is done, and what it found is drawn."""
        self.page.locator(".ready").wait_for(timeout=1000 * seconds)
        self.has_map(seconds)
        return self

    def frame(self, number: int = 0) -> dict[str, float]:
        """Where a figure is, and what it shows."""
        self.page.wait_for_function(f"() => ({_FRAMES})().length > {number}", timeout=20_000)
        return dict(self.page.evaluate(_FRAMES)[number])

    def at(self, x: float, y: float, number: int = 0) -> tuple[float, float]:
        """Turn coordinates of a figure into those of the page."""
        f = self.frame(number)
        return (
            f["x"] + (x - f["left"]) / (f["right"] - f["left"]) * f["width"],
            f["y"] + (f["top"] - y) / (f["top"] - f["bottom"]) * f["height"],
        )

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a place of the map."""
        across, down = self.at(x, y)
        self.page.mouse.move(across - 12, down - 9)
        self.page.mouse.move(across, down, steps=4)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the map."""
        self.page.mouse.click(*self.at(x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from one place of the page to another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=8)
        self.page.mouse.up()

    def text(self, name: str) -> str:
        """All text of elements of a class."""
        return str(self.page.evaluate(_TEXT, name))

    def says(self, name: str, text: str, seconds: float = 20) -> None:
        """Wait until elements of a class say something."""
        self.page.wait_for_function(
            f"([name, text]) => ({_TEXT})(name).includes(text)", arg=[name, text],
            timeout=1000 * seconds,
        )  # fmt: skip

    def has_address(self, part: str, seconds: float = 20) -> None:
        """Wait until the address of the page has a part."""
        self.page.wait_for_function(
            "part => location.search.includes(part)", arg=part, timeout=1000 * seconds
        )

    def has_area(self, km2: float, seconds: float = 20) -> None:
        """Wait until the first card shows an area."""
        end = time.monotonic() + seconds
        while abs(self.areas()[0] - km2) > 0.06:
            assert time.monotonic() < end, f"expected {km2:.2f} km², got {self.areas()}"
            self.page.wait_for_timeout(50)

    def has_clusters(self, count: int, seconds: float = 20) -> None:
        """Wait until so many clusters are listed."""
        last, none = (self.page.locator(f"[data-cluster='{n}']") for n in (count - 1, count))
        last.wait_for(timeout=1000 * seconds)
        none.wait_for(state="detached", timeout=1000 * seconds)

    def colour(self, across: float, down: float) -> tuple[int, int, int]:
        """The colour of a pixel of the screen."""
        from PIL import Image

        clip = {"x": across, "y": down, "width": 1, "height": 1}
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB")
        red, green, blue = shot.getpixel((0, 0))
        return red, green, blue

    def tab(self, name: str) -> None:
        self.page.locator(".bk-tab", has_text=name).first.click()

    def areas(self) -> list[float]:
        """Areas that the cards show, km²: of the dates, and the change."""
        said = self.page.locator(".card .much").all_inner_texts()
        return [float(text.replace("km²", "").replace("−", "-").replace(",", "")) for text in said]

    def choose(self, label: str, option: str) -> None:
        """Choose from a list."""
        self.page.get_by_label(label, exact=True).first.select_option(label=option)

    def set(self, label: str, text: str) -> None:
        """Type into a field, as if nothing had been in it."""
        field = self.page.get_by_label(label, exact=True).first
        field.fill(text)
        field.press("Enter")

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)


@contextmanager
def visit(browser: Any, url: str, **options: Any) -> Iterator[Visit]:
    """Open a page; at the end it must have asked nobody else, and complained of nothing."""
    with open_page(browser, **options) as (page, watch):
        page.goto(url, wait_until="commit")
        yield Visit(page, watch)
        assert watch.elsewhere == []
        assert watch.errors == []


def library_of(cache: Path, folders: list[Path], kept: Path) -> Library:
    """The same library that the server has, here."""
    from strandline.app.serve import demo_products

    before = os.environ.get("STRANDLINE_CACHE")
    os.environ["STRANDLINE_CACHE"] = str(cache)
    try:
        return Library(folders, kept, demo_products(RESOLUTION))
    finally:
        if before is None:
            del os.environ["STRANDLINE_CACHE"]
        else:
            os.environ["STRANDLINE_CACHE"] = before
