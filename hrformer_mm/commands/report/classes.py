"""Figures for single classes, as the metrics of the libraries print or return them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from . import keypoints
from .log import ClassTable
from .reading import Run
from .sections import number
from .training import Training, scores, test_scores


@dataclass(frozen=True)
class ClassRow:
    """A class: its values as text, and the first one's share of the whole as a bar's width in percent."""
    name: str
    cells: list[str]
    width: float


@dataclass(frozen=True)
class Classes:
    """A table of classes with its caption."""
    caption: str
    columns: Sequence[str]
    rows: list[ClassRow]
    first: str = 'Class'


def class_tables(folder: Path, runs: Sequence[Run], training: Optional[Training],
                 config: Mapping) -> tuple[list[Classes], list[str]]:
    """What metrics printed or returned: the last test's, and the last and the best validation's; and sentences."""
    if config.get('default_scope') == 'mmpose':
        return _keypoints(folder, runs, config)
    chosen: list[Classes] = []
    notes: list[str] = []
    tested = [run for run in runs if run.kind == 'test' and run.log.tables]
    if tested:
        weights = f' of {Path(tested[-1].log.loaded).name}' if tested[-1].log.loaded else ''
        chosen.append(_classes(f'Test{weights}, {tested[-1].name}', tested[-1].log.tables[-1]))
    tables = [(x, table) for x, table in training.tables] if training else []
    if tables:
        x, last = tables[-1]
        where = f'at {training.unit} {number(x)}' if x is not None else 'that was printed'
        if tested and tested[-1].log.tables[-1] == last:
            notes.append(f'The last validation, {where}, has the same figures as the test.')
        else:
            chosen.append(_classes(f'Last validation, {where}', last))
        best = next((score.best_at for score in scores(training)), None)
        at_best = [table for position, table in tables if position is not None and position == best]
        if at_best and best != x:
            chosen.append(_classes(f'Best validation, at {training.unit} {number(best)}', at_best[-1]))
    for run in (run for run in runs if run.test):
        chosen += _lists(run)
    return chosen, notes if chosen else [_why_none(config)]


def _classes(caption: str, table: ClassTable) -> Classes:
    whole = 100 if table.percent else 1
    form = '.2f' if table.percent else '.3f'  # as they are printed
    rows = [ClassRow(name, [format(value, form) for value in values], _width(values[0] / whole))
            for name, values in table.rows]
    return Classes(caption, table.columns, rows)


def _lists(run: Run) -> list[Classes]:
    """Metrics such as mmpretrain's SingleLabelMetric give lists, one value for each class, in percent."""
    found = []
    for name, value in test_scores(run).items():
        if isinstance(value, list) and value and all(isinstance(entry, (int, float)) for entry in value):
            rows = [ClassRow(str(at), [number(entry)], _width(entry / 100)) for at, entry in enumerate(value)]
            found.append(Classes(f'{name}, test {run.name}; classes by their numbers', (name.split('/')[-1], ), rows))
    return found


def _keypoints(folder: Path, runs: Sequence[Run], config: Mapping) -> tuple[list[Classes], list[str]]:
    found = keypoints.find(folder, runs)
    if found is None:
        return [], [_why_none(config)]
    path, own_config, metric = found
    try:
        result = keypoints.score(path, own_config, metric)
    except (ImportError, OSError, ValueError) as error:
        return [], [f'{path} has predictions, but no figures for single keypoints can be computed: {error}.']
    rows = [ClassRow(name, [*(f'{value:.3f}' for value in pck), str(labelled)], _width(pck[0]))
            for name, labelled, pck in zip(result.names, result.labelled, result.pck.T)]
    columns = (*(f'PCK@{threshold:g}' for threshold in keypoints.THRESHOLDS), 'Labelled')
    notes = ["A keypoint is right if it is within this part of the longer side of the person's box, as in mmpose's "
             "PCKAccuracy. The people are those whom COCO's evaluation matches with a prediction at OKS 0.5."]
    return [Classes(keypoints.caption(path, result), columns, rows, 'Keypoint')], notes


def _width(share: float) -> float:
    return round(100 * min(max(share, 0), 1), 1) if math.isfinite(share) else 0


def _why_none(config: Mapping) -> str:
    evaluator: Any = config.get('test_evaluator') or config.get('val_evaluator') or {}
    kinds = [str(part.get('type')) for part in (evaluator if isinstance(evaluator, (list, tuple)) else [evaluator])]
    named = ' and '.join(kind for kind in kinds if kind != 'None') or 'The metric'
    remedy = {
        'mmseg': 'mmseg\'s IoUMetric prints a table of classes into the log; there is none in these logs.',
        'mmpose': f'{named} gives no table of keypoints; what it gives is among the scores.' + (
            ' With an outfile_prefix it keeps its predictions, and their PCK is then computed here.'
            if named == 'CocoMetric' else ''),
        'mmpretrain': f'{named} gives no figures for single classes; SingleLabelMetric with average=None does.',
        'mmdet': f'{named} gives no figures for single classes; with classwise=True it prints them.',
    }
    return remedy.get(config.get('default_scope'), f'{named} printed no figures for single classes.')
