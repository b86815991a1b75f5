"""Finished pieces are kept whole, for their own run alone, and go when it is complete."""

from __future__ import annotations

import numpy as np
import pytest

from strandline.errors import OutputError
from strandline.export.work import decode_counts, decode_tile, encode_tile, work_folder


def interrupted(out, inputs, pieces) -> list[str]:
    """Keep pieces and be interrupted; gives the notes of the exception."""

    def run() -> None:
        with work_folder(out, inputs) as work:
            for name, data in pieces.items():
                work.keep(name, data)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run()
    return getattr(caught.value, "__notes__", [])


def test_tiles_come_back_as_they_were():
    tile = np.random.default_rng(0).integers(0, 256, (2, 30, 17), dtype=np.uint8)
    counts = np.array([[0, 1 << 40], [7, 0]])
    packed = encode_tile(tile[:, ::-1], counts)
    np.testing.assert_array_equal(decode_tile(packed, tile.shape), tile[:, ::-1])
    np.testing.assert_array_equal(decode_counts(packed, counts.shape), counts)


def test_an_interrupted_run_finds_its_pieces_and_says_where_they_are(tmp_path):
    out = tmp_path / "results"
    notes = interrupted(out, {"seed": 1}, {"a": b"1", "b": b""})
    assert ".strandline-work-results" in notes[0]
    with work_folder(out, {"seed": 1}) as work:
        assert (work.kept("a"), work.kept("b"), work.kept("c")) == (b"1", b"", None)
    assert list(tmp_path.iterdir()) == []


def test_pieces_of_another_run_are_thrown_away(tmp_path):
    out = tmp_path / "results"
    interrupted(out, {"seed": 1}, {"a": b"1"})
    with work_folder(out, {"seed": 2}) as work:
        assert work.kept("a") is None
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_kept_nothing_leaves_no_folder_and_no_note(tmp_path):
    assert interrupted(tmp_path / "results", {}, {}) == []
    assert list(tmp_path.iterdir()) == []


def test_results_in_a_folder_that_is_there_have_their_work_in_it(tmp_path):
    interrupted(tmp_path, {}, {"a": b"1"})
    assert [path.name for path in tmp_path.iterdir()] == [f".strandline-work-{tmp_path.name}"]


def test_an_older_runs_pieces_go_with_the_next_complete_run(tmp_path):
    out = tmp_path / "results"
    interrupted(out, {"seed": 1}, {"a": b"1"})
    with work_folder(out, {"seed": 2}):
        pass  # small enough to keep nothing
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_does_not_touch_the_work_of_one_that_goes_on(tmp_path):
    out = tmp_path / "results"
    with work_folder(out, {}) as work:
        work.keep("a", b"1")
        with (
            pytest.raises(OutputError, match="Another run") as caught,
            work_folder(out, {}) as other,
        ):
            other.keep("b", b"2")
        assert not hasattr(caught.value, "__notes__")
        with work_folder(out, {}):
            pass
        assert work.kept("a") == b"1"


def test_what_comes_after_the_end_is_refused(tmp_path):
    with work_folder(tmp_path / "results", {}) as work:
        work.keep("a", b"1")
    with pytest.raises(OutputError, match="over"):
        work.keep("b", b"2")
    assert list(tmp_path.iterdir()) == []


def test_a_cut_or_swapped_piece_is_not_taken_for_finished(tmp_path):
    with work_folder(tmp_path / "results", {}) as work:
        for name in "abc":
            work.keep(name, b"labels of " + name.encode())
        (work.folder / "a").write_bytes((work.folder / "a").read_bytes()[:-1])
        (work.folder / "b").write_bytes((work.folder / "c").read_bytes())
        assert (work.kept("a"), work.kept("b"), work.kept("c")) == (None, None, b"labels of c")
