"""Simulated products behind STAC items, on a web server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
import rasterio
from pyproj import Transformer

from servers import Website, website
from strandline import simulate_scene
from strandline.scenes.landsat.product import describe_product

_COUNT = count()
EXTENSIONS = [
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/eo/v1.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v1.0.0/schema.json",
    "https://stac-extensions.github.io/landsat/v2.0.0/schema.json",
]


def item_of_product(folder: Path, address: Callable[[Path], str], **properties) -> dict:
    """Describe a Landsat product as archives do, with addresses of its files."""
    product = describe_product(folder)
    assets = {}
    for kind, name in product.quality.items():
        band = {"data_type": "uint16"} | ({"nodata": 1} if kind == "qa_pixel" else {})
        assets[kind] = {"raster:bands": [band], "roles": ["cloud"], "file": name}
    for name, (number, file) in product.bands.items():
        assets[name] = {
            "eo:bands": [{"name": f"OLI_B{number}", "common_name": name}],
            "raster:bands": [
                {"data_type": "uint16", "nodata": 0, "scale": 2.75e-05, "offset": -0.2}
            ],
            "roles": ["data", "reflectance"],
            "file": file,
        }
    for asset in assets.values():
        asset["href"] = address(folder / asset.pop("file"))
        asset["type"] = "image/tiff; application=geotiff; profile=cloud-optimized"
    first = next(iter(product.bands.values()))[1]
    with rasterio.open(folder / first) as file:
        to_degrees = Transformer.from_crs(file.crs, "EPSG:4326", always_xy=True)
        west, south, east, north = to_degrees.transform_bounds(*file.bounds)
        grid = {
            "proj:epsg": file.crs.to_epsg(),
            "proj:shape": [file.height, file.width],
            "proj:transform": list(file.transform)[:6],
        }
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    time = product.time if isinstance(product.time, datetime) else None
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": EXTENSIONS,
        "id": folder.name,
        "collection": "landsat-c2-l2",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": f"{time:%Y-%m-%dT%H:%M:%SZ}",
            "platform": product.sensor.platform,
            "instruments": [product.sensor.instrument],
            "eo:cloud_cover": 3.0,
            "landsat:correction": "L2SP",
            "landsat:collection_number": "02",
            **grid,
            **properties,
        },
        "assets": assets,
        "links": [],
    }


@pytest.fixture(scope="session")
def products(tmp_path_factory) -> dict[str, Path]:
    """Three simulated products of one place, by year."""
    root = tmp_path_factory.mktemp("archive")
    folders = {}
    for day, clouds in (("1988-10-22", 0.1), ("2017-10-22", 0.0), ("2017-10-06", 0.5)):
        scene, _ = simulate_scene(
            day, size=(300, 280), resolution=60, path=root, cloud_cover=clouds
        )
        folders[day] = Path(scene.attrs["source"])
    return folders


@pytest.fixture(scope="session")
def _served(products) -> Iterator[Website]:
    root = next(iter(products.values())).parent
    with website(root) as site:
        for folder in products.values():
            site.items.append(item_of_product(folder, site.url_of))
        site.items[2]["properties"]["eo:cloud_cover"] = 55.0
        yield site


@pytest.fixture
def site(_served) -> Iterator[Website]:
    """A STAC API at ``site.url/stac`` with the products behind it; well-behaved at first."""
    items = json.loads(json.dumps(_served.items))
    # GDAL remembers what it read from an address, so every test has its own.
    for item in _served.items:
        for asset in item["assets"].values():
            asset["href"] += f"?test={next(_COUNT)}"
    conforms, understands = list(_served.conforms), set(_served.understands)
    _served.forget()
    yield _served
    _served.items, _served.conforms, _served.understands = items, conforms, understands
    _served.forget()


@pytest.fixture
def items(site) -> dict[str, dict]:
    """The items by date."""
    return {item["properties"]["datetime"][:10]: item for item in site.items}
