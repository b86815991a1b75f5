"""What tests ask a page with Bokeh figures: where a frame lies, and what the pointer tells."""

from __future__ import annotations

from typing import Any

# Where the frame of the n-th figure lies on the page, and what its ranges are.
FRAME = """(n) => {
  const found = []
  const walk = view => {
    if (view == null) return
    if (view.frame != null) found.push(view)
    for (const child of view.child_views ?? []) walk(child)
  }
  for (const root of Object.values(Bokeh.index)) walk(root)
  if (found.length <= n) return null
  const view = found[n], box = view.el.getBoundingClientRect(), frame = view.frame.bbox
  return {left: box.x + frame.left, top: box.y + frame.top, width: frame.width,
          height: frame.height, x: [view.model.x_range.start, view.model.x_range.end],
          y: [view.model.y_range.start, view.model.y_range.end]}
}"""
TOOLTIP = """() => {
  const text = root => {
    for (const element of root.querySelectorAll('*')) {
      if (element.classList.contains('bk-Tooltip') && element.getBoundingClientRect().width > 0) {
        const rows = (element.shadowRoot ?? element).querySelectorAll('.bk-tooltip-row-value')
        const names = (element.shadowRoot ?? element).querySelectorAll('.bk-tooltip-row-label')
        if (rows.length) return Object.fromEntries([...rows].map(
          (row, i) => [names[i].textContent.replace(':', '').trim(), row.textContent.trim()]))
      }
      if (element.shadowRoot) { const below = text(element.shadowRoot); if (below) return below }
    }
    return null
  }
  return text(document)
}"""


def frame_of(page: Any, number: int = 0) -> dict[str, Any]:
    handle = page.wait_for_function(FRAME, arg=number, timeout=20_000)
    page.wait_for_timeout(300)  # the first layout is followed by another
    del handle
    return page.evaluate(FRAME, number)


def position(frame: dict[str, Any], x: float, y: float) -> tuple[float, float]:
    """Where on the screen a place of the map lies."""
    (left, right), (bottom, top) = frame["x"], frame["y"]
    return (
        frame["left"] + frame["width"] * (x - left) / (right - left),
        frame["top"] + frame["height"] * (top - y) / (top - bottom),
    )


def pointed(page: Any, frame: dict[str, Any], x: float, y: float) -> dict[str, str]:
    """What the pointer tells at a place of the map."""
    across, down = position(frame, x, y)
    page.mouse.move(across - 2, down - 1)
    page.mouse.move(across, down)
    page.wait_for_timeout(200)  # what was told before is gone
    page.wait_for_function(TOOLTIP, timeout=5_000)
    return page.evaluate(TOOLTIP)
