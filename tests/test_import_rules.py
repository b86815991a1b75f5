"""The house's rules on imports, read from the source: stages, disk and network, plotting."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import strandline

PACKAGE = Path(strandline.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A stage may import those before it. `spectral` is an engine of its own: errors only.
ORDER = (
    "errors",
    "accessors",
    "progress",
    "paths",
    "atomic",
    "configuration",
    "spectral",
    "scenes",
    "prepare",
    "segmentation",
    "water",
    "change",
    "accuracy",
    "show",
    "plot",
    "export",
    "results",
    "workers",
    "streaming",
    "description",
    "stages",
    "replay",
    "study",
    "applying",
    "series",
    "demo",
    "app",
    "cli",
    "__main__",
)
ENGINE_MAY = {"errors", "spectral"}
CONDUCTORS = {
    "results",
    "workers",
    "streaming",
    "description",
    "stages",
    "replay",
    "study",
    "applying",
    "series",
    "demo",
    "app",
    "cli",
}
"""They lead through the stages and hand paths on; the stages read and write."""

DISK_AND_NETWORK = {
    "rasterio", "fsspec", "s3fs", "boto3", "botocore", "requests", "urllib", "http", "socket",
    "aiohttp", "zarr", "netCDF4", "h5netcdf", "h5py", "tarfile", "shutil", "tempfile",
    "pystac_client", "pystac", "planetary_computer", "odc.stac", "intake",
}  # fmt: skip
PLOTTING = {
    "matplotlib", "hvplot", "holoviews", "geoviews", "datashader", "panel", "bokeh", "cartopy",
}  # fmt: skip
# Looks whether a scheduler listens before Dask is asked to connect to it.
KNOCKS_AT_SCHEDULERS = {"workers.py": {"socket"}}
DATA_MAKERS = ("scenes", "export", "atomic")  # the last: how both put a file in its place
PICTURE_MAKERS = ("show", "plot", "app")
# Modules that have no I/O in them although their package's name says so.
HARMLESS = {
    "rasterio.errors", "rasterio.enums", "rasterio.warp", "rasterio.features", "urllib.parse",
}  # fmt: skip
CALLS_THAT_TOUCH_FILES = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir"}


def stage_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def names_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(tree: ast.AST, *, typing_too: bool = True) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, fully named."""
    skipped = set() if typing_too else {node for block in _typing(tree) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            yield node.module
            if node.module == "strandline":
                yield from (f"strandline.{alias.name}" for alias in node.names)


def _typing(tree: ast.AST) -> Iterator[ast.If]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield node


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def starts_with(module: str, families: set[str]) -> bool:
    return any(module == family or module.startswith(family + ".") for family in families)


@pytest.mark.parametrize("path", FILES, ids=names_of)
def test_a_later_stage_imports_an_earlier_one_and_never_back(path):
    stage = stage_of(path)
    if stage in ("__init__", "testing"):
        return
    assert stage in ORDER, f"{stage} has no place in the order of stages"
    allowed = ENGINE_MAY if stage == "spectral" else set(ORDER[: ORDER.index(stage) + 1])
    for module in imports(parsed(path)):
        if module.startswith("strandline.") and not module.endswith("__"):
            assert module.split(".")[1] in allowed, f"{names_of(path)} imports {module}"
        elif module == "strandline":
            assert stage in CONDUCTORS, f"{names_of(path)} imports the package as a whole"


@pytest.mark.parametrize("path", FILES, ids=names_of)
def test_only_scenes_and_export_touch_disk_or_network(path):
    if stage_of(path) in DATA_MAKERS:
        return
    tree = parsed(path)
    found = [
        module
        for module in imports(tree, typing_too=False)
        if starts_with(module, DISK_AND_NETWORK) and not starts_with(module, HARMLESS)
    ]
    if stage_of(path) in CONDUCTORS:
        # A folder to throw away may be asked for; what goes into it, the stages write.
        allowed = {"tempfile"} | KNOCKS_AT_SCHEDULERS.get(names_of(path), set())
        assert set(found) <= allowed, f"{names_of(path)} imports {found}"
        return
    assert not found, f"{names_of(path)} imports {found}"
    calls = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in CALLS_THAT_TOUCH_FILES
    ]
    assert not calls, f"{names_of(path)} calls {calls}"


@pytest.mark.parametrize("path", FILES, ids=names_of)
def test_only_show_and_app_import_plotting(path):
    if stage_of(path) in PICTURE_MAKERS:
        return
    modules = imports(parsed(path), typing_too=False)
    found = [module for module in modules if starts_with(module, PLOTTING)]
    allowed = KNOCKS_AT_SCHEDULERS.get(names_of(path), set())
    assert set(found) <= allowed, f"{names_of(path)} imports {found}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if stage_of(path) == "spectral"], ids=names_of
)
def test_the_engine_knows_nothing_of_rasters(path):
    rasters = {"xarray", "rasterio", "odc", "rioxarray", "pyproj", "shapely", "affine"}
    found = [module for module in imports(parsed(path)) if starts_with(module, rasters)]
    allowed = KNOCKS_AT_SCHEDULERS.get(names_of(path), set())
    assert set(found) <= allowed, f"{names_of(path)} imports {found}"


@pytest.mark.parametrize("path", FILES, ids=names_of)
def test_library_code_neither_prints_nor_asserts(path):
    for node in ast.walk(parsed(path)):
        assert not isinstance(node, ast.Assert), f"{names_of(path)}:{node.lineno} asserts"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"{names_of(path)}:{node.lineno} prints"


@pytest.mark.parametrize("path", FILES, ids=names_of)
def test_no_module_is_named_after_nothing(path):
    assert path.stem not in {"utils", "util", "helpers", "common", "misc", "tools"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_stays_light():
    heavy = {
        "dask.array", "dask", "distributed", "sklearn", "scipy", "matplotlib", "hvplot", "panel",
        "rasterio", "xarray", "pandas", "odc.geo", "pyproj",
    }  # fmt: skip
    assert not modules_after("import strandline") & heavy


def test_preparing_and_comparing_need_neither_plotting_nor_the_engine():
    loaded = modules_after("import strandline.prepare, strandline.change")
    assert not loaded & {"matplotlib", "sklearn", "distributed", "dask.array"}
