"""What was found as files to take away: the folder of results, zipped, and the report."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from strandline.app.job import Job
from strandline.app.origins import Repeated
from strandline.app.outcome import Outcome


def zip_archive(outcome: Outcome, there: Repeated, job: Job) -> bytes:
    """Write the folder of results, as `strandline.run_study` would, into a zip archive.

    Parameters
    ----------
    outcome : Outcome
    there : Repeated
        What its study is called elsewhere.
    job : Job
        Is told how far the work is.

    Returns
    -------
    bytes

    Raises
    ------
    OutputError
        If there is no room for it.
    """
    with TemporaryDirectory(prefix="strandline-app-") as scratch:
        folder = export(outcome, there, Path(scratch) / "strandline-results", job)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder.parent).as_posix())
    return packed.getvalue()


def export(outcome: Outcome, there: Repeated, folder: Path, job: Job) -> Path:
    """Write what `strandline.study.run_study` writes, record included.

    Parameters
    ----------
    outcome : Outcome
    there : Repeated
        What its study is called elsewhere.
    folder : Path
        Appears when it is complete.
    job : Job
        Is told how far the work is.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from strandline.export.record import build_record, write_record
    from strandline.export.staging import staged_folder

    job.begin("writing maps, pictures and the report")
    record = _record(outcome, there)
    with staged_folder(folder) as staged:
        notes = outcome.results().write(staged, build_record(**record))
        write_record(build_record(**record, outputs=staged, timings={}, notes=notes), staged)
    return folder


def report_page(outcome: Outcome, there: Repeated, job: Job) -> str:
    """Write the report alone, as the folder of results has it.

    Parameters
    ----------
    outcome : Outcome
    there : Repeated
        What its study is called elsewhere.
    job : Job
        Is told how far the work is.

    Returns
    -------
    str
        HTML.
    """
    from strandline.export.record import build_record

    job.begin("writing the report")
    return outcome.results().page(build_record(**_record(outcome, there)))


def _record(outcome: Outcome, there: Repeated) -> dict[str, Any]:
    from strandline.export.naming import Naming
    from strandline.replay import record_of_inputs

    searches = {file: search.words(file) for file, search in there.searches.items()}
    naming = Naming(there.config, there.files, searches)
    record = record_of_inputs(outcome.config, naming if there.files else None)
    if outcome.prepared.comparability is not None:
        record["dates"] = outcome.prepared.comparability
    return record
