"""What a record says of a run's inputs, and doing it again from there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from strandline.configuration import StudyConfig
from strandline.errors import ConfigurationError, RecordError
from strandline.paths import local_path

if TYPE_CHECKING:
    from strandline.export.naming import Naming

Config = TypeVar("Config", bound=StudyConfig)


def record_of_inputs(
    config: StudyConfig, naming: Naming | None = None, also: Sequence[str] = ()
) -> dict[str, Any]:
    """Collect what the record says before there are results.

    Parameters
    ----------
    config : StudyConfig
        Its sources as they are called here.
    naming : Naming, optional
        What the record calls them, where that is something else.
    also : sequence of str
        Files besides those of the scenes.
    """
    from strandline.export.fingerprint import fingerprint
    from strandline.scenes.inputs import source_files

    inputs: list[dict[str, Any]] = fingerprint(also)
    seen: set[str] = set()
    for scene in config.scenes:
        files = source_files(scene.source, scene.storage_options, platform=scene.platform)
        new = [file for file in dict.fromkeys(files) if file not in seen]
        seen.update(new)  # one file may hold several dates
        inputs += fingerprint(new, storage_options=scene.storage_options)
    called = config if naming is None else naming.config
    return {
        "config": config_entry(called),
        "seed": config.seed,
        "inputs": inputs if naming is None else naming.named(inputs),
        "command": called.command(),
        "searches": {} if naming is None else naming.searches,
    }


def config_entry(config: StudyConfig) -> dict[str, Any]:
    """Write a configuration as the record has it: what differs from the defaults.

    Examples
    --------
    >>> scene = {"source": "s3://bucket/lake.tif", "nodata": float("nan")}
    >>> config_entry(StudyConfig.parse({"scenes": [scene]}))
    {'scenes': [{'source': 's3://bucket/lake.tif', 'nodata': 'nan'}]}
    """
    return config.model_dump(mode="json", exclude_defaults=True)


def check_results(
    out: str | os.PathLike[str],
    config: StudyConfig,
    naming: Naming | None,
    *,
    task: str,
    overwrite: bool,
    inputs: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Refuse to replace the results of another run.

    Parameters
    ----------
    out : path-like
        Folder for the results.
    config, naming
        As for `record_of_inputs`.
    task : str
        As for `strandline.export.record.build_record`.
    overwrite : bool
        Whether they may be replaced all the same.
    inputs : sequence of mapping, optional
        Those of `record_of_inputs`, once they are known.

    Raises
    ------
    OutputError, ConfigurationError
        As `strandline.export.staging.check_replaceable`.
    """
    if not local_path(out).is_dir():
        return  # and nothing has to be imported, where a source may be missing
    from strandline.export.record import build_record
    from strandline.export.staging import check_replaceable

    known = build_record(
        config=config_entry(config if naming is None else naming.config),
        inputs=inputs or (),
        task=task,
    )
    parts = ("task", "config") if inputs is None else ("task", "config", "inputs")
    check_replaceable(out, {part: known[part] for part in parts}, overwrite=overwrite)


def repeat(
    record: str | os.PathLike[str],
    out: str | os.PathLike[str] | None,
    parse: Callable[[dict[str, Any]], Config],
    run: Callable[[Config, str | os.PathLike[str], Naming | None], Path],
) -> int:
    """Do again what a record says, and check that the results are the same bytes.

    Parameters
    ----------
    record, out : path-like
        As for `replay_study`.
    parse : callable
        Checks the record's configuration.
    run : callable
        Takes it with its sources as they are called here, a folder, and what the record calls
        them where that is something else; gives the folder with the results.

    Returns
    -------
    int
        How many results were compared.

    Raises
    ------
    RecordError
        As `replay_study`.
    """
    from strandline import __version__
    from strandline.export.comparison import compare_outputs, verify_inputs
    from strandline.export.naming import naming_of
    from strandline.export.record import read_record

    earlier = read_record(record)
    try:
        config = parse(earlier["config"])
    except ConfigurationError as error:
        raise RecordError(
            f"The record's configuration is not valid: {error.problem}",
            remedy="Restore the record as it was written, or run the study again.",
        ) from error
    beside = local_path(record)
    folders = [beside if beside.is_dir() else beside.parent, Path.cwd()]
    naming = naming_of(earlier, config, folders)
    changed = verify_inputs(earlier, files=naming.files if naming else None)
    if changed:
        raise RecordError(
            "The inputs are not those of the record: "
            + "; ".join(f"'{name}' {problem}" for name, problem in changed.items())
            + ".",
            remedy="Restore the same files, or run the study again.",
        )
    if naming is not None:
        config = naming.placed(config)
    with TemporaryDirectory(prefix="strandline-replay-") as scratch:
        folder = run(config, Path(scratch) / "results" if out is None else out, naming)
        different = compare_outputs(earlier, folder)
    if different:
        other = "" if earlier["strandline"] == __version__ else f" of {earlier['strandline']}"
        raise RecordError(
            "The replay produced different results: "
            + "; ".join(f"'{name}' {problem}" for name, problem in different.items())
            + ".",
            expected=f"the bytes of the record{other}",
            remedy="Compare 'packages' in the two records: other versions may round differently.",
        )
    return len(earlier["outputs"])
