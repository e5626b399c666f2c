"""The sections of the report."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from .log import Table
from .plots import picture, plot
from .reading import Run, is_number
from .training import Curve, Training, curves

# Titles of plots, and patterns for the names of their curves. All other curves have separate plots.
_PLOTS = (
    ('Losses', 'loss'),
    ('Accuracy on training batches', 'acc'),
    ('Learning rate', 'lr$'),
    ('Seconds per iteration', 'time$'),
    ('Memory of one GPU in MB', 'memory$'),
)


@dataclass
class Section:
    """A section: tables, images as (title, data URL), collapsible text, and notes on missing data."""

    title: str
    tables: list[Table] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)
    folded: str = ''
    notes: list[str] = field(default_factory=list)


def summary(training: Training | None, runs: Sequence[Run]) -> Section:
    """Summarize the progress, the speed, the duration and the last error."""
    rows: list[list[Any]] = []
    if training and training.train:
        rows.append(['Last logged iteration', f'{training.train[-1]["iter"]}, {runs[-1].log.progress}'.rstrip(', ')])
        if times := [record['time'] for record in training.train if is_number(record.get('time'))]:
            rows.append(['Speed', f'{median(times):.3g} s per iteration (median)'])
    known = [run.log.duration for run in runs if run.log.duration is not None]
    rows.append(['Duration', str(sum(known, timedelta())) if known else 'unknown'])
    if runs[-1].log.error:
        rows.append(['Last error', runs[-1].log.error])
    return Section('Summary', [Table('', [], rows)])


def runs_table(runs: Sequence[Run], training: Training | None, older: Sequence[Run]) -> Section:
    """List the runs, with missing and damaged data."""
    section = Section('Runs', [Table('', ['Run', 'Iterations', 'Resumed after', 'Weights', 'Duration', 'Test'], [])])
    for run in runs:
        iterations = f'{run.train[0]["iter"]} to {run.train[-1]["iter"]}' if run.train else ''
        resumed, duration = ('' if value is None else str(value) for value in (run.log.resumed, run.log.duration))
        test = '' if run.test is None else 'yes'
        section.tables[0].rows.append([run.name, iterations, resumed, run.log.loaded, duration, test])
        section.notes += [f'{run.name}: {note}' for note in run.notes]
    if older:
        section.notes.append(
            f'The page is about the newest training. It did not resume these: {", ".join(run.name for run in older)}.'
        )
    if training and training.dropped:
        section.notes.append(f'Records that a resumed run replaced, not shown: {training.dropped}.')
    return section


def scores(training: Training | None, tests: Sequence[Run]) -> Section:
    """Show the validations of the training as curves and a table, and the scores of each test."""
    section = Section('Scores')
    found = [curve for curve in curves(training.val, 'x') if not curve.name.endswith('time')] if training else []
    unit = training.runs[-1].unit if training else ''
    # Scores in percent and those of at most 1 have plots of their own.
    for title, large in (('Validations, scores up to 1', False), ('Validations, scores above 1', True)):
        if group := [curve for curve in found if any(y > 1 for y in curve.y) == large]:
            starts = training.starts if training and unit == 'iteration' else ()
            section.images.append((title, plot(group, unit.capitalize(), starts)))
    if found:
        section.tables.append(_table(found, unit))
    else:
        section.notes.append('There is no validation in this folder.')
    for run in tests:
        rows = [
            [name, value] for name, value in (run.test or {}).items() if is_number(value) and not name.endswith('time')
        ]
        section.tables.append(Table(f'Test {run.name}', ['Score', 'Value'], rows))
    if not tests:
        section.notes.append('There is no test in this folder: mim test … --work-dir WORK_DIR adds one.')
    return section


def classes(training: Sequence[Run], tests: Sequence[Run]) -> Section:
    """Show the last table of classes of the training and those of the tests, and lists of scores per class."""
    section = Section('Classes')
    printed = [('Last validation', run) for run in training if run.log.table][-1:]
    for title, run in printed + [('Test', run) for run in tests]:
        if run.log.table:
            section.tables.append(replace(run.log.table, title=f'{title}, {run.name}'))
    for run in tests:
        for name, values in (run.test or {}).items():
            if isinstance(values, list) and all(map(is_number, values)):
                rows = [[str(index), value] for index, value in enumerate(values)]
                section.tables.append(Table(f'Test, {run.name}', ['Class', name], rows))
    if not section.tables:
        section.notes.append(
            "There are no scores of single classes: mmseg's IoUMetric prints them, mmdet's CocoMetric "
            "with classwise=True, and mmpretrain's SingleLabelMetric returns them with average=None."
        )
    return section


def training_curves(training: Training | None) -> Section:
    """Show all values that were logged in training iterations as plots and a table."""
    section = Section('Training')
    if training is None:
        section.notes.append('There is no training in this folder.')
        return section
    found = curves(training.train, 'iter')
    groups: dict[str, list] = {title: [] for title, _ in _PLOTS}
    for curve in found:
        title = next((title for title, pattern in _PLOTS if re.search(pattern, curve.name)), curve.name)
        groups.setdefault(title, []).append(curve)
        if title == 'Losses' and not all(map(math.isfinite, curve.y)):
            first = next(x for x, y in zip(curve.x, curve.y) if not math.isfinite(y))
            section.notes.append(f'{curve.name} is not finite at iteration {first}, the first of those logged.')
    for title, group in groups.items():
        if group:
            section.images.append((title, plot(group, 'Iteration', training.starts, log=title == 'Losses')))
        else:
            section.notes.append(f'{title}: none was logged.')
    section.tables += [_table(found, 'iteration')] if found else []
    return section


def _table(found: Sequence[Curve], unit: str) -> Table:
    """Tabulate the lowest, highest and last value of each curve, and their first positions."""
    rows = []
    for curve in found:
        points = [(y, x) for x, y in zip(curve.x, curve.y) if math.isfinite(y)] or [(math.nan, math.nan)]
        rows.append([curve.name, *min(points), *max(points, key=lambda point: point[0]), curve.y[-1], curve.x[-1]])
    return Table('', ['Logged', 'Lowest', f'at {unit}', 'Highest', f'at {unit}', 'Last', f'at {unit}'], rows)


def examples(folders: Sequence[Path], wanted: int) -> Section:
    """Show some of the pictures in the folders and their subfolders, evenly spread by name."""
    section = Section('Examples')
    paths = sorted(
        {
            path
            for folder in folders
            for path in folder.rglob('*')
            if path.suffix.lower() in ('.png', '.jpg', '.jpeg') and path.is_file()
        }
    )
    for index in np.linspace(0, len(paths) - 1, min(wanted, len(paths))).round().astype(int):
        try:
            section.images.append((paths[index].name, picture(paths[index])))
        except Exception:  # Pillow raises errors of many kinds for a broken file
            section.notes.append(f'{paths[index].name} is not a readable picture.')
    if paths:
        section.notes.append(f'{len(section.images)} of {len(paths)} pictures; --images sets the number.')
    else:
        section.notes.append(
            'There are no pictures in this folder: mim test … --show-dir draws some, and '
            'hrformer-mm report … --pictures FOLDER takes those of another folder.'
        )
    return section


def checkpoints(folder: Path) -> Section:
    """List the checkpoints in the folder, oldest first."""
    section = Section('Checkpoints')
    states = sorted(((path.stat(), path.name) for path in folder.glob('*.pth')), key=lambda entry: entry[0].st_mtime)
    rows = [
        [name, round(state.st_size / 1e6, 1), f'{datetime.fromtimestamp(state.st_mtime):%Y-%m-%d %H:%M}']
        for state, name in states
    ]
    if rows:
        section.tables.append(Table('', ['Checkpoint', 'Size in MB', 'Written'], rows))
    else:
        section.notes.append('There is no checkpoint (*.pth) in this folder.')
    pointer = folder / 'last_checkpoint'
    if not pointer.is_file():
        section.notes.append('There is no last_checkpoint in this folder, which --resume reads.')
    elif not (folder / (last := Path(pointer.read_text(errors='replace').strip()).name)).is_file():
        section.notes.append(f'last_checkpoint names {last}, which is not in this folder.')
    return section
