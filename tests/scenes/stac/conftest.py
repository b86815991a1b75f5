"""Simulated products behind STAC items, on a web server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from servers import Website, item_of_product, website
from strandline import simulate_scene

_COUNT = count()


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
