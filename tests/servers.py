"""A web server on loopback: files in parts, a STAC API, and misbehaviour on request.

`Website` counts what it sends. Faults are asked for by path: ``site.faults["/B4.tif"] = [500]``
fails once with 500; ``[403] * 9`` keeps refusing; ``["short"]`` breaks off in the middle,
``["slow"]`` answers after `Website.delay` seconds, ``["html"]`` is a page in place of the file,
``["hang"]`` no answer at all, ``["whole"]`` knows no ranges.

Who does not know how often a file will be asked for says it in the address:
``site.address("B4.tif", "short")`` always breaks off, ``"403"`` always refuses, ``"get500"`` fails
when bytes are asked for, ``"once503"`` the first time only, ``"shortonce"`` the second.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import rasterio
import uvicorn
from pyproj import Transformer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from strandline.scenes.landsat.product import describe_product

CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#query",
]


class Website:
    """Files below a folder, and a STAC API at ``/stac`` over items in memory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = ""
        self.items: list[dict] = []
        self.conforms = list(CONFORMS)
        self.understands = {"bbox", "datetime", "collections", "query", "intersects"}
        self.page_size = 10
        self.delay = 1.0
        self.forget()

    def forget(self) -> None:
        """Start counting anew, and behave."""
        self.sent: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.log: list[tuple[str, str, str | None]] = []
        self.searches: list[dict] = []
        self.faults: dict[str, list] = {}

    def url_of(self, path: Path) -> str:
        return f"{self.url}/{path.relative_to(self.root).as_posix()}"

    def address(self, name: str, mode: str = "") -> str:
        """Address of a file, at which the server misbehaves in a way of its own."""
        return f"{self.url}/" + (f"~{mode}/" if mode else "") + name

    def fault_of(self, request: Request) -> tuple[int | str | None, str]:
        """What goes wrong with a request, and which file it is for."""
        path = request.url.path
        found = re.fullmatch(r"/~(?P<mode>\w+)(?P<path>/.*)", path)
        if found:
            return _fault_of_mode(found["mode"], request.method, self.asked[path]), found["path"]
        faults = self.faults.get(path, [])
        return (faults.pop(0) if faults else None), path

    # --- answers ----------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked[path] += 1
        self.log.append((request.method, path, request.headers.get("range")))
        fault, path = self.fault_of(request)
        if isinstance(fault, int):
            return Response(f"fault {fault}", status_code=fault)
        if fault == "slow":
            await asyncio.sleep(self.delay)
        if fault == "hang":
            await asyncio.sleep(60)
        if fault == "html":
            return Response("<html><body>Hello</body></html>", media_type="text/html")
        if path.startswith("/stac"):
            return await self.stac(request)
        return self.file(request, path, short=fault == "short", whole=fault == "whole")

    def file(self, request: Request, name: str, *, short: bool, whole: bool) -> Response:
        path = (self.root / name.lstrip("/")).resolve()
        if not path.is_file() or not path.is_relative_to(self.root.resolve()):
            return Response("not found", status_code=404)
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        asked = None if whole else asked
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2]) if asked and asked[2] else size - 1, size - 1)
        if first > last and asked:
            return Response(status_code=416)
        headers = {
            "accept-ranges": "none" if whole else "bytes",
            "content-length": str(max(last - first + 1, 0)),
            "etag": f'"{size:x}-{path.stat().st_mtime_ns:x}"',
        }
        if asked:
            headers["content-range"] = f"bytes {first}-{last}/{size}"
        if request.method == "HEAD":
            return Response(status_code=200, headers=headers)
        with path.open("rb") as file:
            file.seek(first)
            content = file.read(last - first + 1)
        if short:
            content = content[: len(content) // 2]
        self.sent[request.url.path] += len(content)
        status = 206 if asked else 200
        if short:
            return StreamingResponse(iter([content]), status, headers)
        return Response(content, status, headers)

    async def stac(self, request: Request) -> Response:
        parts = request.url.path.strip("/").split("/")[1:]
        if not parts:
            return JSONResponse(self.landing())
        if parts == ["search"]:
            body = await request.json() if request.method == "POST" else _query(request)
            self.searches.append(body)
            return JSONResponse(self.search(body, request.method))
        if parts == ["collections"]:
            return JSONResponse({"collections": self.collections(), "links": []})
        if len(parts) == 4 and parts[2] == "items":
            for item in self.items:
                if item["id"] == parts[3]:
                    return JSONResponse(item)
        for collection in self.collections():
            if parts[1:] == [collection["id"]]:
                return JSONResponse(collection)
        return JSONResponse({"code": "NotFound"}, status_code=404)

    def landing(self) -> dict:
        base = f"{self.url}/stac"
        links = [
            {"rel": "self", "href": base, "type": "application/json"},
            {"rel": "root", "href": base, "type": "application/json"},
            {"rel": "data", "href": f"{base}/collections", "type": "application/json"},
        ]
        links += [
            {"rel": "search", "href": f"{base}/search", "method": method,
             "type": "application/geo+json"}
            for method in ("GET", "POST")
        ]  # fmt: skip
        links += [
            {"rel": "child", "href": f"{base}/collections/{one['id']}", "type": "application/json"}
            for one in self.collections()
        ]
        return {
            "type": "Catalog",
            "id": "loopback",
            "description": "A STAC API",
            "stac_version": "1.0.0",
            "conformsTo": self.conforms,
            "links": links,
        }

    def collections(self) -> list[dict]:
        names = sorted({item.get("collection") or "none" for item in self.items})
        extent = {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["1982-01-01T00:00:00Z", None]]},
        }
        return [
            {"type": "Collection", "id": name, "stac_version": "1.0.0", "description": name,
             "license": "other", "extent": extent,
             "links": [{"rel": "self", "href": f"{self.url}/stac/collections/{name}"}]}
            for name in names
        ]  # fmt: skip

    def search(self, body: dict, method: str) -> dict:
        body = {key: value for key, value in body.items() if key in self.understands | {"token"}}
        found = [item for item in self.items if _fits(item, body)]
        first = int(body.pop("token", 0))
        page = found[first : first + self.page_size]
        links = []
        if first + self.page_size < len(found):
            token = str(first + self.page_size)
            link = {"rel": "next", "href": f"{self.url}/stac/search", "method": method}
            if method == "POST":
                link |= {"body": {**body, "token": token}}
            else:
                link["href"] += f"?token={token}"
            links.append(link)
        return {"type": "FeatureCollection", "features": page, "links": links}


def _fault_of_mode(mode: str, method: str, count: int) -> int | str | None:
    """Turn the mode of an address into the fault of a request, the count-th at this address."""
    status = re.fullmatch(r"(?P<when>get|once|)(?P<status>\d{3})", mode)
    if status:
        now = {"get": method == "GET", "once": count == 1, "": True}[status["when"]]
        return int(status["status"]) if now else None
    if mode == "shortonce":
        return "short" if count == 2 else None
    return mode


def _query(request: Request) -> dict:
    body: dict = dict(request.query_params)
    if "bbox" in body:
        body["bbox"] = [float(number) for number in body["bbox"].split(",")]
    if "collections" in body:
        body["collections"] = body["collections"].split(",")
    return body


def _fits(item: dict, body: dict) -> bool:
    if body.get("collections") and item.get("collection") not in body["collections"]:
        return False
    if "bbox" in body:
        west, south, east, north = body["bbox"]
        w, s, e, n = item["bbox"]
        if e < west or w > east or n < south or s > north:
            return False
    if "datetime" in body:
        first, _, last = body["datetime"].partition("/")
        moment = item["properties"]["datetime"]
        if first != ".." and moment < first:
            return False
        if last not in ("", "..") and moment > last:
            return False
    for name, condition in body.get("query", {}).items():
        value = item["properties"].get(name)
        if "lte" in condition and (value is None or value > condition["lte"]):
            return False
    return True


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Signals belong to the test run."""


@contextmanager
def serving(app, port: int = 0):
    """Run an ASGI application on loopback while the block runs; gives its URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", port))
    config = uvicorn.Config(app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def website(root: Path):
    """Serve a folder, and a STAC API that is empty at first."""
    site = Website(root)
    routes = [Route("/{path:path}", site.answer, methods=["GET", "HEAD", "POST"])]
    with serving(Starlette(routes=routes)) as site.url:
        yield site


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
