"""End to end with a real STAC API: stac-fastapi-pgstac on PostgreSQL, and files in parts."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import strandline as sl
from strandline.errors import SearchError

pytestmark = pytest.mark.slow

LAKE = (-118.72, 38.69)


def postgres_programs() -> Path | None:
    """Folder of a PostgreSQL server that has PostGIS, the newest if there are several."""
    extensions = sorted(Path("/usr/share/postgresql").glob("*/extension/postgis.control"))
    folders = [Path("/usr/lib/postgresql") / path.parts[-3] / "bin" for path in extensions]
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def as_owner(*command: object) -> list[str]:
    """A command as the user who may run PostgreSQL, which refuses to run as root."""
    words = [str(word) for word in command]
    return ["runuser", "-u", "postgres", "--", *words] if os.geteuid() == 0 else words


def run(*command: object, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command], env=env, capture_output=True, text=True, timeout=120,
        cwd="/", check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Environment of a PostgreSQL server of our own, with pgstac in it; stopped at the end."""
    programs = postgres_programs()
    if programs is None or shutil.which("runuser") is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL with PostGIS is not installed, and CI must have it")
        pytest.skip("PostgreSQL with PostGIS is not installed")
    # Not below pytest's folder, which is closed to the server's user.
    folder = Path(f"/tmp/strandline-pgstac-{os.getpid()}")
    folder.mkdir(mode=0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    port = free_port()
    env = {
        **os.environ,
        **{"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres"},
        **{"PGPASSWORD": "x", "PGDATABASE": "postgis"},
    }
    try:
        run(*as_owner(programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"))
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        control = (programs / "pg_ctl", "-D", folder / "data")
        run(*as_owner(*control, "-o", options, "-l", folder / "log", "-w", "start"))
        try:
            run(programs / "psql", "-d", "postgres", "-c", "create database postgis", env=env)
            run(sys.executable, "-m", "pypgstac.pypgstac", "migrate", env=env)
            yield env
        finally:
            run(*as_owner(*control, "-m", "immediate", "-w", "stop"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def api(database, _served, tmp_path_factory) -> Iterator[str]:
    """URL of the API, with the simulated products in it."""
    folder = tmp_path_factory.mktemp("documents")
    collection = {
        **{"type": "Collection", "id": "landsat-c2-l2", "stac_version": "1.0.0"},
        **{"description": "Simulated", "license": "other", "links": []},
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["1982-01-01T00:00:00Z", None]]},
        },
    }
    (folder / "collection.json").write_text(json.dumps(collection))
    lines = [json.dumps(item) for item in _served.items]
    (folder / "items.ndjson").write_text("\n".join(lines))
    for kind, name in (("collections", "collection.json"), ("items", "items.ndjson")):
        run(
            *(sys.executable, "-m", "pypgstac.pypgstac", "load", kind, folder / name),
            *("--method", "upsert"),
            env=database,
        )
    port = free_port()
    log = (folder / "api.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "stac_fastapi.pgstac.app:create_app", "--factory",
         "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"],
        env=database, stdout=log, stderr=log, cwd=folder,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert process.poll() is None, (folder / "api.log").read_text()[-3000:]
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_conditions_are_understood_by_the_real_server(api):
    def found(**conditions) -> list[str]:
        scenes = sl.search_scenes(api, center=LAKE, buffer=5000, **conditions)
        return [str(item.datetime)[:10] for item in scenes]

    assert found() == ["1988-10-22", "2017-10-06", "2017-10-22"]
    assert found(datetime="2017") == ["2017-10-06", "2017-10-22"]
    assert found(max_cloud=10) == ["1988-10-22", "2017-10-22"]
    assert found(platforms="landsat-5") == ["1988-10-22"]
    assert found(max_cloud=10, platforms="landsat-8", limit=5) == ["2017-10-22"]
    assert len(found(collections="landsat-c2-l2", limit=1)) == 1
    assert found(collections=["nothing"]) == []
    assert not sl.search_scenes(api, bbox=(10, 10, 11, 11))
    inside = {"type": "Point", "coordinates": list(LAKE)}
    assert len(sl.search_scenes(api, geometry=inside)) == 3


def test_what_the_server_refuses_is_said(api):
    with pytest.raises(SearchError, match="queryables"):
        sl.search_scenes(f"{api}/collections/landsat-c2-l2/queryables")


def test_from_a_search_to_the_areas_of_the_local_files(api, products):
    """Search, choose the clearest, read both dates on one grid, cluster, map, compare."""
    place = {"center": LAKE, "buffer": 6000}
    grid = sl.make_grid(**place, resolution=60, crs="EPSG:32611")
    scenes = []
    for year in ("1988", "2017"):
        clearest = sl.search_scenes(api, **place, datetime=year).clearest()
        scenes.append(sl.open_scene(clearest, grid=grid))
    assert [str(scene["time"].values)[:10] for scene in scenes] == ["1988-10-22", "2017-10-22"]
    local = [
        sl.regrid(sl.open_scene(products[day]), grid, "nearest")
        for day in ("1988-10-22", "2017-10-22")
    ]
    for remote, there in zip(scenes, local, strict=True):
        np.testing.assert_array_equal(remote.values, there.values)
    pd.testing.assert_frame_equal(change_areas(scenes), change_areas(local))


def change_areas(scenes) -> pd.DataFrame:
    segmentation = sl.segment(scenes, n_clusters=4)
    before, after = sl.water_mask(segmentation)
    return sl.areas(sl.compare(before, after))
