"""The real scenes of ``../shared/data``, and how each is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

C2 = {"scale": 2.75e-5, "offset": -0.2}
SIX = ["blue", "green", "red", "nir08", "swir16", "swir22"]
SEVEN = ["coastal", *SIX]
ETM = [*SIX, "lwir", "fmask"]
NUMBERS = {"reflectance": False}

SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    "Olinda": ("olinda_etm/L7_ETMs.tif", {"band_names": SIX, **NUMBERS}),
    "North Carolina": (
        "nc_etm_labelled/lsat7_2000_?0.tif",
        {"band_names": SIX, "nodata": -32768, **NUMBERS},
    ),
    "Tucuruí": ("tucurui_tm1988/LT52240631988227CUB02_MTL.txt", {}),
    "Tucuruí in numbers": ("tucurui_tm1988/LT52240631988227CUB02_MTL.txt", NUMBERS),
    "Lake Burley Griffin": ("lbg_tm1992/LS5_TM_NBAR_090084_19920323_stack.tif", {"scale": 1e-4}),
    "Liverpool": ("liverpool_oli_2020/*_stack.tif", C2),
    "Momotombo": ("momotombo_oli_2015/*_stack.tif", C2),
    "Brumadinho before": ("brumadinho_oli_pair/*_20190114_*_stack.tif", C2),
    "Brumadinho after": ("brumadinho_oli_pair/*_20190130_*_stack.tif", C2),
    **{
        f"Ucayali {year}": (
            f"ucayali_series/{year}.tif",
            {"band_names": ["swir16", "nir08", "red", "green"], **NUMBERS},
        )
        for year in range(1990, 2016, 5)
    },
    **{
        f"Chiapas {year}": (
            f"chiapas_etm_pair/LE7022049{year}*.gtif",
            {"band_names": ETM, "bands": SIX, "scale": 1e-4, "nodata": -9999},
        )
        for year in (1999, 2002)
    },
    "Walker Lake 1988": ("walker_lake_3km/LT05*_sr_band?.tif", {}),
    "Walker Lake 2017": ("walker_lake_3km/LC08*_sr_band[1-7].tif", {}),
    "South Carolina": ("southcarolina_coast_oli_900m/*.tar.gz", {}),
    "Taylorsville": (
        "taylorsville_oli_lake_is_nodata/L8_Taylorsville.tif",
        {"scale": 1e-4, "band_names": SEVEN},
    ),
    "a rain forest": ("ingest_c2l2_bundles/LC08_L2SP_008059*.tar.gz", {}),
    "Australia 1998": ("ingest_c2l2_bundles/LT05*.tar.gz", {}),
    "Australia 2016": ("ingest_c2l2_bundles/LC08_L1TP*.tar.gz", {}),
    "Australia 2021": ("ingest_c2l2_bundles/LC08_L2SP_098084*.tar.gz", {}),
}
"""Name of a scene: the pattern of its files, and what the files do not say."""

VALIDATION = {
    path: {"time": time, **options}
    for path, time, options in (
        ("alberta_s2", "2020-08-04", {"platform": "sentinel-2a"}),
        ("gulfcoast_toa", "2015-08-04", {}),
        ("maui_20230714_toa", "2023-07-14", {}),
        ("maui_20230831_toa", "2023-08-31", {}),
        ("momotombo_toa", "2015-12-05", {}),
        ("naip_20120731", "2012-07-31", NUMBERS),
        ("naip_20200831", "2020-08-31", NUMBERS),
        ("peru_oli", "2018-09-06", {}),
        ("rondonia_oli", "2019-07-27", {}),
        ("sahara_s2", "2020-02-19", {"platform": "sentinel-2a"}),
        ("zion_4band_toa", "2015-08-18", {}),
    )
}
"""Name of a scene of ``validation``, and what its file does not say."""


def source_of(folder: Path, name: str) -> tuple[str | list[str], dict[str, Any]]:
    """Return the file or files of a scene, and the options of `strandline.open_scene` for it."""
    if name in VALIDATION:
        return str(folder / "validation" / f"{name}.tif"), dict(VALIDATION[name])
    pattern, options = SCENES[name]
    found = sorted(str(path) for path in folder.glob(pattern))
    assert found, pattern
    return (found[0] if len(found) == 1 else found), dict(options)
