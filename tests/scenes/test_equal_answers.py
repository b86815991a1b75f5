"""One scene, however it comes: the same numbers, and no more bytes than are needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.shutil import copy as copy_raster

import strandline as sl
from servers import Website, item_of_product, website

_COUNT = count()


def stored_again(folder: Path, target: Path) -> dict[str, object]:
    """The product's surface reflectance in every other form, below a folder."""
    bands = {path.stem.rsplit("_B", 1)[1]: path for path in sorted(folder.glob("*_SR_B*.TIF"))}
    cogs = target / f"{folder.name}-cog"
    cogs.mkdir()
    for path in [*bands.values(), *folder.glob("*_QA_*.TIF")]:
        copy_raster(str(path), str(cogs / path.name), driver="COG", blocksize=128)
    for path in folder.glob("*MTL.txt"):
        shutil.copy(path, cogs)
    stored = sl.open_scene(folder, reflectance=False, mask=())
    numbers = stored.fillna(0).astype("uint16")
    factors = {"scale_factor": 2.75e-5, "add_offset": -0.2, "_FillValue": np.uint16(0)}
    dataset = numbers.to_dataset(dim="band", promote_attrs=True)
    for variable in dataset.data_vars.values():
        variable.attrs = dict(factors)
        variable.encoding = {"grid_mapping": "spatial_ref"}
    dataset.attrs = {
        name: value for name, value in stored.attrs.items() if name in ("platform", "source")
    }
    dataset.to_netcdf(target / "scene.nc")
    dataset.chunk(64).to_zarr(target / "scene.zarr", consolidated=False)
    (target / "catalog.yml").write_text(
        "sources:\n"
        "  scene:\n"
        "    driver: rasterio\n"
        "    args:\n"
        f"      urlpath: '{folder}/{folder.name}_SR_B{{band:d}}.TIF'\n"
        "      chunks: {band: 1, x: 64, y: 64}\n"
        "      concat_dim: band\n"
    )
    return {
        "band files": [str(path) for path in bands.values()],
        "pattern": f"{folder}/{folder.name}_SR_B{{band:d}}.TIF",
        "COG set": cogs,
        "NetCDF": target / "scene.nc",
        "Zarr": target / "scene.zarr",
        "catalogue": f"{target / 'catalog.yml'}:scene",
    }


@pytest.fixture(scope="module", params=["simulated", "real"])
def product(request, tmp_path_factory) -> Path:
    """The folder of a product: simulated, or as it came from the archive."""
    if request.param == "real":
        return request.getfixturevalue("unpacked")("LC08_L2SP_008059")
    scene, _ = sl.simulate_scene(
        "2017-10-22",
        size=(200, 230),
        resolution=90,
        cloud_cover=0.2,
        path=tmp_path_factory.mktemp("simulated"),
    )
    return Path(scene.attrs["source"])


def test_the_same_scene_in_every_form_gives_the_same_numbers(product, tmp_path):
    expected = sl.open_scene(product, mask=())
    assert np.isfinite(expected.values).mean() > 0.5
    forms = stored_again(product, tmp_path)
    root = tmp_path
    with website(root) as site:
        folder = forms["COG set"]
        assert isinstance(folder, Path)
        forms["STAC item"] = item_of_product(folder, site.url_of)
        forms["STAC item of files"] = item_of_product(folder, str)
        forms["COG over HTTP"] = [site.url_of(path) for path in sorted(folder.glob("*_SR_B*.TIF"))]
        for form, source in forms.items():
            scene = sl.open_scene(source, mask=())
            assert scene["band"].values.tolist() == expected["band"].values.tolist(), form
            assert scene.odc.geobox == expected.odc.geobox, form
            assert scene.dtype == np.float32, form
            np.testing.assert_array_equal(scene.values, expected.values, err_msg=form)
            assert scene.attrs["platform"] == "landsat-8", form


def test_quality_is_the_same_in_products_and_items(product, tmp_path):
    expected = sl.open_scene(product)
    item = item_of_product(product, str)
    scene = sl.open_scene(item)
    np.testing.assert_array_equal(scene.values, expected.values)
    assert scene.attrs["masked"] == expected.attrs["masked"]


# --- bytes --------------------------------------------------------------------


@pytest.fixture(scope="module")
def full_scene(tmp_path_factory) -> Iterator[tuple[Website, dict]]:
    """A web server with a whole scene, 7,800 × 7,600 pixels of 30 m, and its STAC item.

    A simulated landscape is repeated, with noise of its own for every tile, so that it can be
    compressed about as much as a real one.
    """
    root = tmp_path_factory.mktemp("full")
    small, _ = sl.simulate_scene("2017-10-22", size=(520, 512), resolution=30, path=root / "small")
    source = Path(small.attrs["source"])
    folder = root / source.name
    folder.mkdir()
    shutil.copy(next(source.glob("*_MTL.txt")), folder)
    random = np.random.default_rng(0)
    noise = random.integers(-60, 61, (520, 512), dtype=np.int16)
    for path in sorted(source.glob("*.TIF")):
        with rasterio.open(path) as file:
            numbers, profile = file.read(1), file.profile
        profile |= {
            "height": 7800, "width": 7600, "compress": "lzw", "predictor": 2,
            "blockxsize": 512, "blockysize": 512,
        }  # fmt: skip
        noisy = "_SR_B" in path.name
        with rasterio.open(folder / path.name, "w", **profile) as file:
            for top in range(0, 7800, 520):
                strip = np.tile(numbers, (1, 15))[:, :7600]
                if noisy:
                    shifted = np.roll(np.tile(noise, (1, 15)), top + 7, axis=1)[:, :7600]
                    strip = (strip.astype(np.int32) + shifted).clip(1, 65535).astype(np.uint16)
                file.write(strip, 1, window=rasterio.windows.Window(0, top, 7600, 520))
    with website(root) as site:
        yield site, item_of_product(folder, site.url_of)


@pytest.mark.slow
def test_a_window_of_a_whole_scene_costs_less_than_a_twentieth_of_its_bytes(full_scene):
    site, item = full_scene
    grid = _window(item, 1000)
    total = sum(
        path.stat().st_size for path in site.root.glob("LC08*/*.TIF") if "small" not in str(path)
    )
    assert total > 300e6
    site.forget()
    scene = sl.open_scene(item, grid=grid)
    assert not site.asked
    values = scene.values
    assert values.shape == (7, 1000, 1000)
    assert np.isfinite(values).all()
    assert sum(site.sent.values()) < 0.05 * total
    crop = sl.regrid(sl.open_scene(item), grid)  # the lazy way round, by chunks
    np.testing.assert_array_equal(crop.values, values)


def _window(item: dict, side: int):
    """A grid of 30 km in the middle of an item."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    fields = item["properties"]
    transform = Affine(*fields["proj:transform"]) * Affine.translation(3300, 3400)
    return GeoBox((side, side), transform, f"EPSG:{fields['proj:epsg']}")


def test_opening_a_stack_of_a_hundred_items_asks_for_no_pixels(tmp_path):
    scene, _ = sl.simulate_scene("2017-10-22", size=(100, 100), resolution=300, path=tmp_path)
    with website(tmp_path) as site:
        one = item_of_product(Path(scene.attrs["source"]), site.url_of)
        for number in range(100):
            moment = f"2017-{number // 28 + 1:02}-{number % 28 + 1:02}T18:34:00Z"
            site.items.append(
                one | {"id": f"{number}", "properties": one["properties"] | {"datetime": moment}}
            )
        found = sl.search_scenes(f"{site.url}/stac", center=(-118.72, 38.69), buffer=5000)
        grid = sl.make_grid(center=(-118.72, 38.69), buffer=5000, resolution=300)
        scenes = [sl.open_scene(part, grid=grid) for part in found.passes]
        stack = sl.stack_scenes(scenes, grid)
        assert stack.sizes["time"] == 100
        assert isinstance(stack, xr.DataArray)
        assert stack.chunks is not None
        asked = [path for path in site.asked if path.endswith(".TIF")]
        assert asked == []
        assert sum(site.sent.values()) == 0
