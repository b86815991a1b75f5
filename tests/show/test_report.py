"""The report is one page that says all, safely, and needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from strandline.change import areas, compare
from strandline.export.record import build_record
from strandline.prepare import stack_scenes
from strandline.results.areas import area_table
from strandline.segmentation import segment
from strandline.show.captions import true_minus
from strandline.show.charts import signature_chart
from strandline.show.report import report
from strandline.show.report.pictures import sections_of
from strandline.show.report.tables import MOST_CLUSTERS, MOST_ROWS, transition_tables
from strandline.show.sheets import label_sheet
from strandline.testing.lakes import round_lake
from strandline.water import find_water, water_mask
from strandline.water.verdict import verdict_text


@pytest.fixture(scope="module")
def study():
    before = round_lake(radius=600).assign_coords(time=np.datetime64("1988-10-22", "ns"))
    after = round_lake(radius=450).assign_coords(time=np.datetime64("2017-10-22", "ns"))
    before.attrs["platform"], after.attrs["platform"] = "landsat-5", "landsat-8"
    scenes = stack_scenes([before, after])
    segmentation = segment(scenes, n_clusters=3)
    evidence = find_water(segmentation)
    masks = water_mask(segmentation, evidence)
    return scenes, segmentation, evidence, masks, compare(masks[0], masks[1])


class Reader(html.parser.HTMLParser):
    """Collects what a browser would load, run or show."""

    void = frozenset({"meta", "img", "br", "link", "input", "source"})

    def __init__(self):
        super().__init__()
        self.links, self.tags, self.text, self.open, self.alts = [], [], [], [], []
        self.scripts, self.policy = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [
            v
            for k, v in attrs
            if k in ("src", "href", "action", "data", "srcset") and not v.startswith("#")
        ]
        self.alts += [v for k, v in attrs if k == "alt" and "src" in dict(attrs)]
        if tag == "script":
            self.scripts.append(dict(attrs).get("id", "run"))
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)


def read_scripts(page: str) -> list[str]:
    return re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_self_contained(study):
    page = report(*study, areas(study[-1]), title="Walker Lake")
    reader = read(page)
    assert len(page) < 5_000_000
    assert {"link", "iframe", "object", "form"}.isdisjoint(reader.tags)
    assert reader.scripts == ["explorer-data", "run"]
    assert all(link.startswith("data:image/") for link in reader.links)
    text = re.sub(r"base64,[^\"]*|\"packed\":\"[^\"]*", "", page)
    assert "http" not in text.replace("http-equiv", "")
    assert len(reader.links) == 8  # two scenes; change, labels, spectra, also for a phone
    assert all(reader.alts)
    for link in reader.links:
        Image.open(io.BytesIO(base64.b64decode(link.split(",")[1]))).verify()


def test_the_numbers_at_the_top_are_the_areas(study):
    table = areas(study[-1])
    text = " ".join("".join(read(report(*study, table)).text).split())
    # Two discs of known radius: pi r² = 1.131 and 0.636 km².
    assert table.loc["water before", "best"] == pytest.approx(np.pi * 0.36, rel=0.03)
    for name, shown in (("water before", "water 1988-10-22"), ("lost", "lost")):
        assert f"{shown} {table.loc[name, 'best']:.2f} km²" in text
    assert "Landsat 5 TM 1988-10-22; Landsat 8 OLI 2017-10-22" in text
    assert "3 clusters" in text


def test_several_tables_keep_their_captions_and_the_first_leads(study):
    table = areas(study[-1]).rename_axis("quantity").reset_index()
    small = table.assign(best=0.25, least=0.125, most=0.5)
    text = " ".join(
        "".join(read(report(*study, {"the lake": small, "whole map": table})).text).split()
    )
    assert "The lake water 1988-10-22 0.25 km² 0.12 to 0.50" in text
    assert text.index("Whole map") > text.index("The lake water")


def test_one_scene_without_areas_or_record_has_a_report_too(study):
    scenes, *_ = study
    alone = segment(scenes[0], n_clusters=3)
    evidence = find_water(alone)
    text = "".join(read(report(scenes[0], alone, evidence, water_mask(alone, evidence))).text)
    assert "One scene" in text
    assert "Where the water is" in text


def words(page: str) -> str:
    return " ".join(" ".join(read(page).text).split())


def test_no_water_is_said_in_words():
    scenes = stack_scenes([round_lake(radius=0.1), round_lake(radius=0.1, time="2017-10-22")])
    segmentation = segment(scenes, n_clusters=3)
    evidence = find_water(segmentation)
    masks = water_mask(segmentation, evidence)
    assert evidence.attrs["verdict"] == "no water"
    text = words(report(scenes, segmentation, evidence, masks, compare(masks[0], masks[1])))
    assert true_minus(verdict_text(evidence)) in text
    assert "None of them is water" in text
    assert "Why this is not water" in text
    assert "water 2017-10-22 0 km²" in text


def test_the_verdict_names_how_many_classes_are_water(study):
    evidence = study[2]
    wet = int(evidence["water"].sum())
    assert f"Water was found in {wet} of {len(evidence)} subclusters" in words(report(*study))


def test_intervals_are_shown_at_the_top_and_in_the_table(study):
    table = areas(study[-1]).assign(low_90=1.0, high_90=1.0, low_95=0.123, high_95=np.nan)
    table.loc["water after", "high_95"] = 0.789
    text = words(report(*study, table))
    assert "95 %: 0.12 to 0.79" in text
    assert text.count("95 %: ") == 1
    assert "95 % from 95 % to" in text
    assert "low 90" not in text


def test_every_map_says_date_and_sensor_also_to_who_cannot_see_it(study):
    scenes = study[0]
    alone = segment(scenes[0], n_clusters=3)
    evidence = find_water(alone)
    pages = [report(*study), report(scenes[0], alone, evidence, water_mask(alone, evidence))]
    for page, dates, sensors in zip(
        pages,
        (("1988-10-22", "2017-10-22"), ("1988-10-22",)),
        (("Landsat 5 TM", "Landsat 8 OLI"), ("Landsat 5 TM",)),
        strict=True,
    ):
        said = read(page).alts
        count = len(dates)
        for alt, date, sensor in zip(said[:count], dates, sensors, strict=True):
            assert date in alt
            assert sensor in alt
        for alt in said[count:-1]:  # the last is the chart of the spectra
            assert all(word in alt for word in (*dates, *sensors)), alt


def test_what_became_what_is_told_in_km2(study):
    scenes, _, evidence, _, change = study
    text = words(report(*study))
    table = areas(change)["best"]
    section = text[text.index("What became what, in km²") :]
    land, lost, stable = (table[name] for name in ("stable land", "lost", "stable water"))
    assert f"not water {land:.2f} ·" in section
    assert f"water {lost:.2f} {stable:.2f} {table['water before']:.2f}" in section
    alone = water_mask(segment(scenes[0], n_clusters=3))
    assert "What became what" not in words(
        report(scenes[0], segment(scenes[0], n_clusters=3), evidence, alone)
    )


def test_of_many_clusters_the_smaller_ones_are_summed_up(study):
    scenes = study[0]
    segmentation = segment(scenes, n_clusters=20)
    masks = water_mask(segmentation)
    found = transition_tables(list(scenes), segmentation, list(masks), [0])
    assert len(found["clusters"]["columns"]) == MOST_CLUSTERS + 1
    assert found["clusters"]["columns"][-1] == "the others"
    assert found["clusters"]["sum"] == found["states"]["sum"]


def test_clusters_that_colours_do_not_tell_apart_are_said_so(study):
    scene, evidence, mask = study[0][0], study[2], study[3][0]
    for count, said in ((12, False), (14, True)):
        segmentation = segment(scene, n_clusters=count)
        sections = sections_of([scene], segmentation, [mask], None, evidence)
        (labels,) = [section for section in sections if section["name"] == "labels"]
        assert ("More than 12 clusters" in labels["text"]) is said
        legend = label_sheet(segmentation["labels"], segmentation=segmentation).legend
        assert ("More than 12 clusters" in " ".join(legend.foot)) is said


def test_a_scene_without_coordinates_is_told_in_shares_and_columns():
    scene = round_lake(radius=600).drop_vars(["spatial_ref", "x", "y"])
    segmentation = segment(scene, n_clusters=3)
    evidence = find_water(segmentation)
    mask = water_mask(segmentation, evidence)
    page = report(scene, segmentation, evidence, mask)
    assert f"{100 * float((mask == 1).mean()):.1f} % of the pixels" in words(page)
    data = json.loads(read_scripts(page)[0])
    assert data["place"] is None
    assert 'class="bar"' not in page


def test_many_dates_are_on_one_sheet_and_can_all_be_chosen():
    dates = [f"{year}-07-01" for year in range(1990, 1998)]
    lakes = [round_lake(radius=700 - 60 * i, time=when, seed=i) for i, when in enumerate(dates)]
    scenes = stack_scenes(lakes)
    segmentation = segment(scenes, n_clusters=3)
    evidence = find_water(segmentation)
    page = report(scenes, segmentation, evidence, water_mask(segmentation, evidence))
    assert "one model for all dates, so that" in page
    assert len(read(page).links) == 7  # scenes; water, labels, spectra, also for a phone
    for side in ("left", "right"):
        options = re.search(f'<select id="date-{side}">(.*?)</select>', page, re.DOTALL)[1]
        assert re.findall(">([^<]+)</option>", options) == dates
    assert page.count('<li class="water">') == 2  # the first and the last
    assert "8 scenes (Landsat 5 TM; 1990-07-01 to 1997-07-01) on a grid" in words(page)


def test_tables_of_many_rows_are_folded(study):
    many = pd.DataFrame({"quantity": [f"part {n}" for n in range(500)], "best": 1.0})
    page = report(*study, many)
    assert f"{500 - MOST_ROWS} rows more" in page
    assert "part 499" in page


def test_the_evidence_of_many_classes_is_summed_up_by_cluster(study):
    evidence = study[2]
    first = evidence[evidence["cluster"] == 0]
    weighted = np.average(first["mndwi"], weights=first["share"])
    wet = first.loc[first["water"], "share"].sum() / first["share"].sum()
    text = words(report(*study))
    row = f"0 water {first['share'].sum():.1%} yes {wet:.1%}"
    assert row in text
    assert f"{weighted:.3f}" in text[text.index(row) :][:200]


def test_text_from_outside_is_escaped(study):
    scenes, segmentation, evidence, masks, change = study
    hostile = "<script>alert(1)</script>"
    evidence = evidence.assign(reason=hostile)
    record = build_record(
        config={"name": hostile, "nested": {"a<b": [hostile]}},
        command=f"strandline {hostile}",
        inputs=[{"path": f"/data/{hostile}.tif", "size": 3, "sha256": hostile}],
    )
    page = report(scenes, segmentation, evidence, masks, change, None, record, title=hostile)
    assert read(page).scripts == ["explorer-data", "run"]
    assert "alert" not in "".join(read_scripts(page))
    assert "&lt;script&gt;" in page


def test_names_from_files_cannot_leave_the_data_of_the_page(study):
    scenes, segmentation, evidence, masks, change = study
    hostile = "</script><img src=x onerror=alert(1)><!--"
    scenes = scenes.assign_coords(platform=("time", [hostile, hostile]), band=renamed(scenes))
    segmentation = segmentation.assign_coords(band=renamed(segmentation))
    reader = read(report(scenes, segmentation, evidence, masks, change))
    assert reader.scripts == ["explorer-data", "run"]
    assert all(link.startswith("data:image/") for link in reader.links)
    data = json.loads(read_scripts(report(scenes, segmentation, evidence, masks, change))[0])
    assert data["bands"][0] == f"{hostile}0"
    assert data["dates"][0]["sensor"].lower().startswith("</script><img src=x onerror")


def renamed(array):
    hostile = "</script><img src=x onerror=alert(1)><!--"
    return [f"{hostile}{number}" for number in range(array.sizes["band"])]


def test_the_policy_allows_the_script_and_the_style_of_the_page_alone(study):
    page = report(*study)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    script = read_scripts(page)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in read(page).policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"
    assert not re.search(r"<[^>]* (style|on[a-z]+)=", re.sub(r"<script.*?</script>", "", page))


def test_the_record_is_told_without_what_differs_between_equal_runs(study):
    one = build_record(config={"grid": {"resolution": 30}}, seed=7, timings={"open": 1.0})
    other = one | {"timings": {"open": 99.0}, "finished": "2031-01-01T00:00:00Z"}
    page = report(*study, None, one)
    assert page == report(*study, None, other)
    text = "".join(read(page).text)
    for said in ("grid.resolution", "seed", "rasterio", one["packages"]["rasterio"]):
        assert said in text


def test_long_evidence_is_folded_into_what_looks_like_water_and_the_rest(study):
    scenes, segmentation, evidence, masks, change = study
    long = pd.concat([evidence] * 12, ignore_index=True).rename_axis("subcluster")
    long.attrs = evidence.attrs
    page = report(scenes, segmentation, long, masks, change)
    wet = int((long["water"] | long["looks_like_water"]).sum())
    assert f"The {wet} subclusters that are, or look like, water" in page
    dry = int((~(long["water"] | long["looks_like_water"])).sum())
    assert f"The other {dry} subclusters" in page


def test_water_is_shaded_in_the_evidence(study):
    page = report(*study)
    finer = int(study[2]["water"].sum())
    assert page.count('class="water">') == (finer + 1) + 2  # the one cluster; both key numbers
    assert "class=&" not in page


def test_a_phone_gets_pictures_of_its_own_width(study):
    page = report(*study)
    for name in ("change", "labels", "signatures"):
        section = re.search(f'<section id="{name}".*?</section>', page, re.DOTALL)[0]
        narrow, wide = (
            Image.open(io.BytesIO(base64.b64decode(data)))
            for data in re.findall(r'(?:srcset|src)="data:image/\w+;base64,([^"]+)"', section)
        )
        assert narrow.width < wide.width
        assert narrow.height / narrow.width > 1.25 * wide.height / wide.width


def test_the_parameters_are_told_without_brackets_and_quotes(study):
    scenes = [{"source": "/data/a b.tif", "bands": {"1": "green"}}, {"source": ["x.tif", "y.tif"]}]
    config = {"scenes": scenes, "center": [-118.7, 38.5], "buffer": 16500.0, "align": True}
    page = report(*study, None, build_record(config=config))
    told = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page))
    assert told["scenes 1"] == "/data/a b.tif"
    assert told["scenes 1.bands.1"] == "green"
    assert told["scenes 2"] == "x.tif, y.tif"
    assert told["center"] == "-118.7, 38.5"
    assert told["buffer"] == "16500"
    assert told["align"] == "yes"


def test_the_command_is_whole_and_can_be_broken_at_spaces_alone(study):
    command = ["strandline", "change", "my scenes/a", "--center", "-118.7", "38.5", "--buffer", "9"]
    page = report(*study, None, build_record(config={}, command=command))
    shown = re.search(r'<pre class="command">(.*?)</pre>', page, re.DOTALL)[1]
    assert "<span>--buffer</span> <span>9</span>" in shown
    whole = "".join(read(shown).text)
    assert whole == "strandline change 'my scenes/a' --center -118.7 38.5 --buffer 9"
    assert "<pre" not in report(*study, None, build_record(config={}))


def test_the_verdict_says_who_decided_against_the_signatures(study):
    scenes, segmentation, evidence, masks, change = study
    told = evidence.copy()
    told.attrs = evidence.attrs | {"decided_by": "the point (1, 2), against the signatures"}
    page = report(scenes, segmentation, told, masks, change)
    verdict = re.search(r'<p class="verdict told">([^<]*)</p>', page)[1]
    assert verdict.endswith(" Decided by the point (1, 2), against the signatures.")
    own = re.search(r'<p class="verdict wet">([^<]*)</p>', report(*study))[1]
    assert "Decided" not in own


def test_the_reasons_have_a_minus_like_the_numbers_beside_them(study):
    assert study[2]["reason"].str.contains("MNDWI -").any()
    page = report(*study)
    assert "MNDWI −" in page
    assert "MNDWI -" not in page


def test_the_lead_says_what_one_model_means_for_two_dates_and_for_more(study):
    assert "one model for both dates, so that a cluster means the same on each" in report(*study)


def test_lazy_results_give_the_same_page(study):
    scenes, segmentation, evidence, masks, change = study
    lazy = (scenes.chunk(y=17), segmentation.chunk(y=23), evidence, masks.chunk(x=19))
    assert report(*lazy, change.chunk(x=31)) == report(*study)


def test_the_chart_puts_bands_at_their_wavelengths_and_names_the_water(study):
    _, segmentation, *_ = study
    figure = signature_chart(segmentation, water=[0])
    axes = figure.axes[0]
    line = axes.lines[0]
    assert line.get_xdata()[0] == pytest.approx(0.482)
    np.testing.assert_allclose(
        np.sort(line.get_ydata()), np.sort(segmentation["signature_mean"].values[0])
    )
    legend = axes.get_legend().get_texts()
    assert legend[0].get_text().startswith("0  water")
    assert legend[0].get_fontweight() == "bold"
    assert legend[1].get_fontweight() == "normal"


def test_unknown_bands_are_charted_side_by_side():
    segmentation = xr.Dataset(
        {
            "signature_mean": (("cluster", "band"), [[1.0, 2.0]]),
            "signature_std": (("cluster", "band"), [[0.1, 0.1]]),
            "pixels": ("cluster", [4]),
        },
        coords={"band": ["b1", "red"], "cluster": [0]},
    )
    axes = signature_chart(segmentation).axes[0]
    assert axes.get_xlabel() == "band"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["b1", "red"]


def cards(page: str) -> list[str]:
    found = re.findall(r'<li class="(\w+)">\s*<span class="name">(.*?)</span>', page)
    return [f"{kind}: {name}" for kind, name in found]


def test_one_date_says_what_was_not_observed_and_first_where_that_is_most():
    clear = round_lake(radius=300)
    cloudy = clear.where(clear.x < clear.x[20])
    for scene, expected in ((clear, ["water", "unseen"]), (cloudy, ["unseen", "water"])):
        segmentation = segment(scene, n_clusters=3)
        evidence = find_water(segmentation)
        page = report(scene, segmentation, evidence, water_mask(segmentation, evidence))
        assert [card.split(":")[0] for card in cards(page)] == expected
        assert "unseen: not observed" in cards(page)
    assert "75.0 % of the map" in page


def test_one_scene_without_a_date_says_once_what_was_not_observed():
    scene = round_lake(radius=300).drop_vars("time")
    cloudy = scene.where(scene.x < scene.x[60])
    segmentation = segment(cloudy, n_clusters=3)
    evidence = find_water(segmentation)
    mask = water_mask(segmentation, evidence)
    table = area_table(mask.expand_dims("time"), None, None)
    assert "not observed" in set(table["quantity"]), "no date tells it from other rows"
    page = report(cloudy, segmentation, evidence, mask, areas=table)
    assert cards(page) == ["water: water", "unseen: not observed"]
