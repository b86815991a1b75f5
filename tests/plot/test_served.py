"""A large raster served to a real browser: zooming reads what is in view, and asks nobody else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import dask.array as da
import numpy as np
import panel as pn
import pytest
import xarray as xr

import strandline as sl
from bokeh_page import frame_of, pointed
from browser import open_page
from strandline.prepare.georeference import attach_grid
from strandline.testing.lakes import lake_grid

ROWS, COLUMNS = 3000, 2400

# Columns of the image that the first figure draws.
DRAWN = """() => {
  for (const root of Object.values(Bokeh.index)) {
    const found = root.model.references()
    for (const model of found)
      if (model.type == 'ColumnDataSource' && model.data.image?.[0]?.shape)
        return {shape: model.data.image[0].shape, width: model.data.dw[0]}
  }
  return null
}"""


@pytest.fixture(scope="module")
def labels() -> xr.DataArray:
    values = np.random.default_rng(30).integers(0, 4, (ROWS, COLUMNS), dtype=np.uint8)
    lazy = xr.DataArray(da.from_array(values, chunks=600), dims=("y", "x"))
    lazy.attrs = {"flag_values": [0, 1, 2, 3], "flag_meanings": "a b c d"}
    return attach_grid(lazy, lake_grid((ROWS, COLUMNS)))


@pytest.fixture
def address(labels: xr.DataArray) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = pn.serve(
        lambda: pn.pane.HoloViews(sl.plot.label_map(labels)),
        port=port,
        websocket_origin=f"127.0.0.1:{port}",
        address="127.0.0.1",
        threaded=True,
        show=False,
        verbose=False,
    )
    for _ in range(100):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.stop()


def test_zooming_in_draws_every_pixel_of_what_is_in_view(browser, address, labels):
    with open_page(browser) as (page, watch):
        page.goto(address)
        frame = frame_of(page)
        page.wait_for_function(DRAWN, timeout=20_000)
        far = page.evaluate(DRAWN)
        assert far["shape"] == [1000, 800]
        page.mouse.move(frame["left"] + frame["width"] / 2, frame["top"] + frame["height"] / 2)
        for _ in range(4):
            page.mouse.wheel(0, -200)
            page.wait_for_timeout(60)
        page.wait_for_function(
            f"() => {{ const d = ({DRAWN})(); return d && d.width < {far['width'] / 3} }}",
            timeout=20_000,
        )
        page.wait_for_timeout(1500)  # the last of the steps
        near, frame = page.evaluate(DRAWN), frame_of(page)
        assert near["shape"][1] == pytest.approx(near["width"] / 30, abs=0.1)
        for part in (0.3, 0.5, 0.7):
            x = frame["x"][0] + part * (frame["x"][1] - frame["x"][0])
            y = frame["y"][0] + part * (frame["y"][1] - frame["y"][0])
            pixel = labels.sel(x=x, y=y, method="nearest")
            told = pointed(page, frame, float(pixel["x"]), float(pixel["y"]))
            assert told["cluster"] == str(int(pixel.compute()))
        for _ in range(30):
            page.mouse.wheel(0, -500)
        page.wait_for_timeout(1000)
        assert frame_of(page)["x"][1] - frame_of(page)["x"][0] >= 8 * 30  # and no closer
        assert not watch.elsewhere
        assert not watch.errors
