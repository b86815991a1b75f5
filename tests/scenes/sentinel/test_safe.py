"""Archives and servers: hostile, damaged and distant products."""

from __future__ import annotations

import re
import struct
import threading
import warnings
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import xarray as xr

from strandline.errors import SourceNotFoundError, UnknownProductError, UnreadableSourceError
from strandline.scenes.inputs import source_files
from strandline.scenes.open import open_scene
from strandline.scenes.sentinel.safe import is_safe


def repacked(archive, target, change):
    """Copy an archive; `change` gets the list of (name, content) and gives another."""
    with zipfile.ZipFile(archive) as old:
        members = [(n, old.read(n)) for n in old.namelist() if not n.endswith("/")]
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        warnings.simplefilter("ignore", UserWarning)  # names that are there twice are meant
        for name, content in change(members):
            new.writestr(name, content)
    return target


def test_an_archive_that_points_outside_of_itself_is_refused(zipped, tmp_path):
    for name in ("../evil.xml", "/evil.xml", "A.SAFE/..\\..\\evil.xml"):
        path = repacked(zipped(), tmp_path / "a.zip", lambda m, n=name: [*m, (n, b"x")])
        with pytest.raises(UnreadableSourceError, match="points outside of itself"):
            open_scene(path)


def test_an_archive_with_a_bomb_in_it_is_refused(zipped, tmp_path):
    zeros = bytes(100 * 2**20)
    path = repacked(zipped(), tmp_path / "a.zip", lambda m: [*m, ("A.SAFE/bomb.jp2", zeros)])
    assert path.stat().st_size < 5 * 2**20
    with pytest.raises(UnreadableSourceError, match=r"suspiciously large when unpacked.*bomb\.jp2"):
        open_scene(path)


def test_an_xml_file_is_not_inflated_further_than_it_may_be(zipped, tmp_path):
    def swollen(members):
        for name, content in members:
            metadata = name.endswith("MTD_MSIL2A.xml")
            yield name, content + b" " * (15 * 2**20) * 3 if metadata else content

    path = repacked(zipped(), tmp_path / "a.zip", swollen)
    # The archive lies about the size, so that the check of its list does not see it.
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        (size,) = {i.file_size for i in archive.infolist() if i.filename.endswith("MSIL2A.xml")}
    path.write_bytes(content.replace(struct.pack("<I", size), struct.pack("<I", 1000)))
    with pytest.raises(UnreadableSourceError, match=r"cannot be read|suspiciously large"):
        open_scene(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_unreadable(zipped, tmp_path, share):
    content = zipped().read_bytes()
    path = tmp_path / "a.SAFE.zip"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableSourceError, match="truncated or damaged"):
        open_scene(path)


def test_an_archive_with_a_damaged_image_says_which_when_it_is_read(zipped, tmp_path):
    def cut(members):
        for name, content in members:
            yield name, content[: len(content) // 2] if name.endswith("_B04_10m.jp2") else content

    scene = open_scene(repacked(zipped(), tmp_path / "a.zip", cut))
    with pytest.raises(UnreadableSourceError, match="_B04_10m"):
        scene.compute()


def test_archives_without_a_product_or_with_several_are_refused(zipped, tmp_path):
    nothing = repacked(zipped(), tmp_path / "a.zip", lambda m: [("a.txt", b"x")])
    with pytest.raises(UnknownProductError, match="no Sentinel-2 product"):
        open_scene(nothing)
    several = repacked(
        zipped(), tmp_path / "b.zip", lambda m: [*m, *((f"other/{n}", c) for n, c in m)]
    )
    with pytest.raises(UnknownProductError, match="several Sentinel-2 products"):
        open_scene(several)
    twice = repacked(zipped(), tmp_path / "c.zip", lambda m: [*m, *m])
    with pytest.raises(UnknownProductError, match="several"):
        open_scene(twice)


def test_a_locked_archive_says_so(zipped, tmp_path):
    path = tmp_path / "a.zip"
    content = bytearray(zipped().read_bytes())
    # The bit that says "encrypted", in the list of members at the end.
    start = 0
    while (start := content.find(b"PK\x01\x02", start)) >= 0:
        content[start + 8] |= 1
        start += 4
    path.write_bytes(content)
    with pytest.raises(UnreadableSourceError, match="password"):
        open_scene(path)


def test_an_archive_may_have_a_name_full_of_signs(zipped, tmp_path):
    path = tmp_path / "a {b} c%20 é.zip"
    path.write_bytes(zipped().read_bytes())
    xr.testing.assert_equal(open_scene(path), open_scene(zipped()))


def test_what_is_a_product_is_told_by_name_or_content(safe, tmp_path):
    assert is_safe(str(safe()))
    assert is_safe(str(safe().parent))
    assert is_safe("https://example.org/a/S2A_MSIL1C_x.SAFE/")
    assert is_safe("s3://bucket/S2A.SAFE/MTD_MSIL1C.xml")
    assert not is_safe("https://example.org/a/")
    assert not is_safe(str(tmp_path))
    assert not is_safe("scene.tif")


def test_the_files_of_a_source_are_all_that_may_be_read(safe, zipped):
    files = source_files(safe())
    assert len(files) == 18
    assert all(file.startswith(str(safe())) for file in files)
    assert source_files(zipped()) == [str(zipped())]
    (images,) = safe().rglob("R10m")
    assert len(source_files(images, platform="sentinel-2a")) == 4


def test_an_archive_on_a_server_is_read_from_a_copy_or_not_at_all(website, zipped, safe, tmp_path):
    url = f"{website}/{zipped().name}"
    with pytest.raises(UnknownProductError, match="cache=True"):
        open_scene(url)
    scene = open_scene(url, cache=tmp_path)
    xr.testing.assert_equal(scene.compute(), open_scene(safe()).compute())
    assert scene.attrs["source"] == url
    assert source_files(url) == [url]


def test_copies_are_kept_of_the_images_that_are_read(website, safe, tmp_path):
    scene = open_scene(f"{website}/{safe().name}", bands=["red"], cache=tmp_path)
    kept = {path.name[-11:] for path in tmp_path.rglob("*.jp2")}
    assert kept == {"B04_10m.jp2", "SCL_20m.jp2"}
    xr.testing.assert_equal(scene.compute(), open_scene(safe(), bands=["red"]).compute())


class RangeHandler(SimpleHTTPRequestHandler):
    """Serves parts of files, and lists no folders."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        first, last = 0, len(content) - 1
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def website(safe, zipped) -> Iterator[str]:
    """A folder with products of both levels on a server that does not list folders."""
    links = safe().parent
    for level in ("L1C", "L2A"):
        if safe(level).parent != links:
            (links / safe(level).name).symlink_to(safe(level))
    (links / zipped().name).symlink_to(zipped())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=str(links)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    for path in links.iterdir():
        if path.is_symlink():
            path.unlink()


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_a_product_on_a_server_that_lists_nothing_is_read_in_place(website, safe, level):
    scene = open_scene(f"{website}/{safe(level).name}")
    xr.testing.assert_equal(scene.compute(), open_scene(safe(level)).compute())


def test_an_image_that_is_not_on_the_server_is_named(website, safe):
    with pytest.raises(SourceNotFoundError, match=r"nowhere\.SAFE/MTD_MSIL2A\.xml"):
        open_scene(f"{website}/nowhere.SAFE")


def test_a_missing_archive_is_not_found(tmp_path):
    with pytest.raises(SourceNotFoundError):
        open_scene(tmp_path / "S2A.SAFE.zip")
