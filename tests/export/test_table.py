"""Tables are the same bytes for the same result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.export.table import (
    signature_table,
    write_areas,
    write_evidence,
    write_signatures,
    write_table,
)


def test_areas_have_four_decimals_and_the_index_first(tmp_path):
    areas = pd.DataFrame(
        {"least": [19.5, np.nan], "best": [20.03123456, 5.0]},
        index=pd.Index(["lost", "not observed"], name="class"),
    )
    text = write_areas(areas, tmp_path / "areas.csv").read_bytes()
    assert text == b"class,least,best\nlost,19.5000,20.0312\nnot observed,,5.0000\n"


def test_every_type_has_one_spelling(tmp_path):
    frame = pd.DataFrame(
        {
            "water": [True, False],
            "reason": ["low nir, dark", 'said "no"'],
            "mndwi": np.array([0.1, -1e-9], dtype=np.float32),
            "pixels": [12, 3],
            "when": pd.to_datetime(["1988-10-22", "2017-10-22T18:33:01"], format="ISO8601"),
        },
        index=pd.Index([0, 1], name="cluster"),
    )
    lines = write_evidence(frame, tmp_path / "e.csv").read_text(encoding="utf-8").splitlines()
    assert lines == [
        "cluster,water,reason,mndwi,pixels,when",
        '0,true,"low nir, dark",0.100000,12,1988-10-22',
        '1,false,"said ""no""",0.000000,3,2017-10-22T18:33:01',
    ]


def test_text_is_utf8_and_lines_end_the_same_everywhere(tmp_path):
    frame = pd.DataFrame({"lake": ["Müritz", "湖"]})
    content = write_table(frame, tmp_path / "t.csv").read_bytes()
    assert content == "lake\nMüritz\n湖\n".encode()


def test_differences_below_the_last_decimal_do_not_change_the_bytes(tmp_path):
    values = np.array([0.1234567, 12.3, 1 / 3])
    one = write_table(pd.DataFrame({"v": values}), tmp_path / "1.csv").read_bytes()
    other = write_table(pd.DataFrame({"v": values * (1 + 1e-12)}), tmp_path / "2.csv").read_bytes()
    assert one == other


def test_a_table_reads_back(tmp_path):
    frame = pd.DataFrame({"best": [1.25, 2.5]}, index=pd.Index(["a", "b"], name="class"))
    path = write_table(frame, tmp_path / "t.csv", digits=2)
    pd.testing.assert_frame_equal(pd.read_csv(path, index_col="class"), frame, check_dtype=False)


def test_signatures_have_a_row_per_cluster(tmp_path):
    segmentation = xr.Dataset(
        {
            "signature_mean": (("band", "cluster"), [[0.05, 0.2], [0.01, 0.3]]),
            "signature_std": (("cluster", "band"), [[0.01, 0.02], [0.03, 0.04]]),
            "pixels": ("cluster", [10, 20]),
        },
        coords={"cluster": [0, 1], "band": ["green", "swir16"]},
    )
    assert list(signature_table(segmentation).columns) == [
        "pixels", "green_mean", "green_std", "swir16_mean", "swir16_std",
    ]  # fmt: skip
    lines = write_signatures(segmentation, tmp_path / "s.csv").read_text().splitlines()
    assert lines[1] == "0,10,0.050000,0.010000,0.010000,0.020000"
    assert lines[2] == "1,20,0.200000,0.030000,0.300000,0.040000"


def test_a_cell_with_several_values_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="more than one value"):
        write_table(pd.DataFrame({"v": [[1, 2]]}), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []
