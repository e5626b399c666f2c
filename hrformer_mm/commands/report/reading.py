"""Read the runs in a work folder, WORK_DIR/<time>/. Files are parsed as JSON and text; no code is executed."""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .log import Log, read_log


@dataclass
class Run:
    """One start of a training or a test.

    Attributes:
        name: The start time, which is the name of the run's folder.
        train: The records of training iterations in scalars.json; each has the key 'iter'.
        val: The records of validations. 'iter' is the last logged iteration before, 'x' the epoch or the iteration.
        unit: The unit of 'x', 'epoch' or 'iteration'.
        test: The scores of a test, or None.
        config: The text of the config.
        notes: Missing and damaged data, one sentence each.
    """

    name: str
    train: list[dict[str, Any]] = field(default_factory=list)
    val: list[dict[str, Any]] = field(default_factory=list)
    unit: str = 'iteration'
    test: dict[str, Any] | None = None
    config: str = ''
    log: Log = field(default_factory=Log)
    notes: list[str] = field(default_factory=list)


def read_runs(work_dir: Path) -> list[Run]:
    """Read all runs, oldest first.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no run.
    """
    if not work_dir.is_dir():
        raise FileNotFoundError(f'there is no folder {work_dir}: give the --work-dir of a training or a test')
    folders = sorted(path for path in work_dir.iterdir() if re.fullmatch(r'\d{8}_\d{6}', path.name))
    runs = [run for folder in folders if (run := _read_run(folder))]
    if not runs:
        raise ValueError(
            f'{work_dir} contains no run, which is a folder such as 20260131_120000 with a log: give the --work-dir of '
            'a training or a test'
        )
    return runs


def _read_run(folder: Path) -> Run | None:
    """Read a run; None if the folder has none of its files."""
    run = Run(folder.name)
    log, test, records = folder / f'{run.name}.log', folder / f'{run.name}.json', folder / 'vis_data/scalars.json'
    if not any(path.is_file() for path in (log, test, records)):
        return None
    if log.is_file():
        run.log = read_log(log)
    else:
        run.notes.append(f'{log.name} is missing: duration, environment, classes and resumption are unknown.')
    if test.is_file():
        run.test = _parse(_read(test))
        if run.test is None:
            run.notes.append(f'{test.name} is not a JSON object: the scores of the test are unknown.')
    elif not records.is_file():
        run.notes.append('vis_data/scalars.json is missing: losses and scores are unknown.')
    _read_records(run, _read(records))
    run.config = _read(folder / 'vis_data/config.py') or run.log.config
    if not run.config:
        run.notes.append('The config is neither in vis_data/config.py nor in the log.')
    return run


def _read(path: Path) -> str:
    """Return the text of a file, or '' if it does not exist."""
    return path.read_text(encoding='utf-8', errors='replace') if path.is_file() else ''


def _parse(text: str) -> dict[str, Any] | None:
    """Parse a JSON object; None if the text is something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read_records(run: Run, text: str) -> None:
    broken = 0
    last: dict[str, Any] = {'iter': run.log.resumed or 0}
    for line in text.splitlines():
        record = _parse(line)
        if not record or not all(_is_counter(record.get(key, 0)) for key in ('iter', 'step')):
            broken += 1
        elif 'iter' in record:
            last = record
            run.train.append(record)
        else:
            if record.get('step') == last.get('epoch'):
                run.unit = 'epoch'
            # By default, LoggerHook counts validations in epochs, which stay 0 in iteration-based loops.
            run.val.append(dict(record, iter=last['iter'], x=record.get('step') or last['iter']))
    if broken:
        run.notes.append(f'{broken} of the lines in scalars.json cannot be parsed; they are ignored.')


def _is_counter(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**53


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a number that can be drawn, NaN and infinity included."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not 1e100 <= abs(value) < math.inf
