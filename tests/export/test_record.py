"""A record says what was done, and whether it is still the same."""

from __future__ import annotations

import datetime
import functools
import hashlib
import http.server
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from strandline.errors import RecordError, SourceNotFoundError
from strandline.export.comparison import compare_outputs, verify_inputs
from strandline.export.fingerprint import fingerprint
from strandline.export.record import build_record, read_record, write_record
from strandline.scenes.redaction import redact_url


@pytest.fixture
def server(tmp_path):
    """A real web server that tells size and ETag."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self):
            file = Path(self.translate_path(self.path))
            if file.is_file():
                self.send_header("ETag", f'"{hashlib.md5(file.read_bytes()).hexdigest()}"')
            super().end_headers()

        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


def test_a_fingerprint_is_the_content_of_each_file_once(tmp_path):
    (tmp_path / "b.tif").write_bytes(b"abc")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "MTL.txt").write_bytes(b"")
    found = fingerprint([tmp_path, tmp_path / "b.tif"])
    assert [(Path(f["path"]).name, f["size"]) for f in found] == [("MTL.txt", 0), ("b.tif", 3)]
    # SHA-256 of "abc" as printed in FIPS 180-2, appendix B.1
    assert found[1]["sha256"].startswith("ba7816bf8f01cfea414140de5dae2223")
    assert Path(found[0]["path"]).is_absolute()


def test_a_missing_input_is_named(tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"gone\.tif"):
        fingerprint([tmp_path / "gone.tif"])


def test_a_changed_and_a_vanished_input_are_named(tmp_path):
    same, changed, longer, gone = (tmp_path / n for n in ("same", "changed", "longer", "gone"))
    for file in (same, changed, longer, gone):
        file.write_bytes(b"123")
    record = build_record(config={}, inputs=fingerprint([tmp_path]))
    assert verify_inputs(record) == {}
    changed.write_bytes(b"124")
    longer.write_bytes(b"1234")
    gone.unlink()
    assert verify_inputs(record) == {
        str(changed): "has other bytes now",
        str(longer): "has 4 bytes now, it had 3",
        str(gone): "is gone",
    }


def test_a_remote_input_is_known_by_size_and_etag(server):
    pytest.importorskip("aiohttp")
    folder, address = server
    (folder / "B3.tif").write_bytes(b"old")
    url = f"{address}/B3.tif"
    (entry,) = fingerprint([url])
    assert entry == {"url": url, "size": 3, "etag": hashlib.md5(b"old").hexdigest()}
    record = build_record(config={}, inputs=[entry])
    assert verify_inputs(record) == {}
    (folder / "B3.tif").write_bytes(b"new")
    assert verify_inputs(record) == {url: "has another etag now"}


def test_a_remote_input_that_does_not_answer_is_known_by_its_url_alone():
    (entry,) = fingerprint(["http://127.0.0.1:9/B3.tif"])
    assert entry == {"url": "http://127.0.0.1:9/B3.tif"}


def test_outputs_are_compared_byte_by_byte(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        (folder / "maps").mkdir(parents=True)
        (folder / "maps" / "a.tif").write_bytes(b"same")
        (folder / "b.csv").write_bytes(folder.name.encode())
        (folder / "record.json").write_text(folder.name)
    record = build_record(config={}, outputs=first)
    assert [f["path"] for f in record["outputs"]] == ["b.csv", "maps/a.tif"]
    assert compare_outputs(record, first) == {}
    assert compare_outputs(record, second) == {"b.csv": "has other bytes now"}
    (second / "maps" / "a.tif").unlink()
    assert compare_outputs(record, second)["maps/a.tif"] == "is gone"


def test_any_configuration_becomes_plain_json(tmp_path):
    config = {
        "before": Path("/data/1988"),
        "center": (-118.7, np.float64(38.7)),
        "k": np.int64(4),
        "bands": ["green", "swir16"],
        "when": datetime.date(1988, 10, 22),
        "time": np.datetime64("1988-10-22"),
        "grid": {"resolution": 30.0, "crs": None, "ok": np.True_},
    }
    record = build_record(config=config, seed=3, timings={"open": 1.23456})
    path = write_record(record, tmp_path)
    again = read_record(path)
    assert again == record == json.loads(path.read_text(encoding="utf-8"))
    assert again["config"] == {
        "before": "/data/1988",
        "center": [-118.7, 38.7],
        "k": 4,
        "bands": ["green", "swir16"],
        "when": "1988-10-22",
        "time": "1988-10-22",
        "grid": {"resolution": 30.0, "crs": None, "ok": True},
    }
    assert again["timings"] == {"open": 1.235}
    assert {"numpy", "rasterio", "GDAL", "odc-geo"} <= set(again["packages"])
    assert "unknown" not in again["packages"].values()


def test_keys_are_sorted_and_lines_readable(tmp_path):
    lines = write_record(build_record(config={"b": 1, "a": 2}), tmp_path).read_text().splitlines()
    assert lines.index('    "a": 2,') + 1 == lines.index('    "b": 1')


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), 1j])
def test_what_json_cannot_hold_is_named(value):
    with pytest.raises(RecordError, match=r"config\.grid\.resolution"):
        build_record(config={"grid": {"resolution": value}})


def test_secrets_stay_out(tmp_path):
    url = "https://blob.example/B3.tif?se=2026&sig=SECRET1"
    record = build_record(
        config={
            "source": url,
            "storage_options": {
                "key": "SECRET2",
                "secret": "SECRET3",
                "connection_string": "AccountKey=SECRET5",
                "client_kwargs": {"aws_access_key_id": "SECRET6"},
            },
        },
        inputs=[{"url": redact_url("s3://user:SECRET4@host/bucket/B3.tif")}],
        command=["strandline", "segment", url],
    )
    assert "SECRET" not in write_record(record, tmp_path).read_text()
    assert record["config"]["source"] == "https://blob.example/B3.tif?***"


@pytest.mark.parametrize(
    "text", ["s3://bucket/B3.tif", "https://x.example/a?b=1", "no url: at all"]
)
def test_what_holds_no_secret_stays_as_it_is(text):
    assert redact_url(text) == text


def test_a_search_is_written_as_a_command_line_without_its_secrets():
    words = ["strandline", "search", "https://a.example/?token=hush", "--out", "my list.json"]
    written = build_record(config={}, searches={"my list.json": words})["searches"]
    assert written == {
        "my list.json": "strandline search 'https://a.example/?***' --out 'my list.json'"
    }
    assert build_record(config={}, searches=written)["searches"] == written
    assert "searches" not in build_record(config={}, searches={})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "damaged: it is not JSON"),
        ("[]", "not a record of Strandline"),
        ('{"format": "other"}', "not a record of Strandline"),
        (b"\xff\xfe", "damaged: it is not JSON"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, content, says):
    path = tmp_path / "record.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(RecordError, match=says):
        read_record(path)


def test_a_later_version_names_the_strandline_that_wrote_it(tmp_path):
    record = build_record(config={}) | {"format_version": 99, "strandline": "7.0"}
    with pytest.raises(RecordError, match=r"format_version 1, got 99.*Strandline 7\.0"):
        read_record(write_record(record, tmp_path))


@pytest.mark.parametrize("key", ["config", "inputs", "outputs", "packages", "timings"])
def test_a_record_with_a_part_missing_is_damaged(tmp_path, key):
    record = build_record(config={})
    del record[key]
    with pytest.raises(RecordError, match=f"damaged: '{key}'"):
        read_record(write_record(record, tmp_path))


def test_an_output_without_its_digest_is_damage(tmp_path):
    record = build_record(config={}, outputs=[{"path": "areas.csv"}])
    with pytest.raises(RecordError, match="no path or SHA-256"):
        read_record(write_record(record, tmp_path))
