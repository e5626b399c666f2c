"""The sections of the page, as plain tables and sentences; what is missing is a sentence too."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional

from .plots import is_logarithmic, plot
from .reading import Run
from .training import Curve, Training, curves, score_curves, scores, speed, test_scores

_PLOTTED = 5  # curves in one picture of scores: mmpose's APs are in one, its ARs in another
_MEANS = 100  # about as many separate means in a smoothed curve
_PICTURES = 4  # of scores, at most


@dataclass
class Table:
    """Columns, rows of text, and the columns that are of numbers."""
    columns: Sequence[str]
    rows: list[Sequence[str]]
    numbers: Sequence[int] = ()
    caption: str = ''


@dataclass
class Plot:
    """A picture of curves with its title, its caption, and a table of some of its values."""
    title: str
    svg: str
    caption: str = ''
    table: Optional[Table] = None


@dataclass
class Section:
    """Tables, pictures and sentences of one section."""
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def number(value: Any) -> str:
    """Six digits, as many as a float32 has."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return 'NaN' if math.isnan(value) else f'{value:.6g}'


def size(count: int) -> str:
    """Bytes, in powers of ten."""
    for unit, factor in (('GB', 10**9), ('MB', 10**6), ('kB', 10**3)):
        if count >= factor:
            return f'{count / factor:.1f} {unit}'
    return f'{count} bytes'


def duration(time: Optional[timedelta]) -> str:
    """Hours, minutes and seconds, those that matter."""
    if time is None:
        return 'not known'
    seconds = int(time.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {seconds % 60} s' if minutes else f'{seconds} s'


def run_section(runs: Sequence[Run], training: Optional[Training], others: Sequence[Run]) -> Section:
    """Every run of the folder, and what is wrong with each."""
    rows = []
    for run in runs:
        what = 'ended before it trained or tested' if run.kind == 'start' else run.kind
        if run.log.resumed:
            what += f', resumed after iteration {run.log.resumed[1]}'
        logged = f'{run.train[0]["iter"]} to {run.train[-1]["iter"]}' if run.train else '–'
        rows.append((run.name, what, logged, str(len(run.val)), duration(run.log.duration),
                     Path(run.log.loaded).name if run.log.loaded else '–'))
    section = Section([Table(('Run', 'What', 'Iterations', 'Validations', 'Duration', 'Loaded'), rows, (3, ))])
    section.notes = [f'{run.name}: {problem}' for run in runs for problem in run.problems]
    if others:
        section.notes.append(f'Below is the newest training alone. Not of it, since it did not resume them: '
                             f'{", ".join(run.name for run in others)}.')
    if training and training.dropped:
        section.notes.append('A run resumed from a checkpoint before the last iteration that was logged, and did some '
                             f'again: {training.dropped} records that it replaced are not shown.')
    return section


def score_section(runs: Sequence[Run], training: Optional[Training]) -> Section:
    """Best and last scores of the validations, their curves, and the scores of the tests."""
    section = Section()
    found = scores(training) if training else []
    if found:
        unit = training.unit
        rows = [(score.name + (', the lower the better' if score.less else ''),
                 *map(number, (score.best, score.best_at, score.last, score.last_at))) for score in found]
        section.tables.append(Table(('Validation', 'Best', f'at {unit}', 'Last', f'at {unit}'), rows, (1, 2, 3, 4)))
        drawn = score_curves(training)
        if len(drawn[0].x) > 1:
            groups = _alike(drawn)
            for group in groups[:_PICTURES]:
                title = ', '.join(curve.name for curve in group)
                section.plots.append(_plot(training, group, unit.capitalize(), 'Score', title))
            if rest := [curve.name for group in groups[_PICTURES:] for curve in group]:
                section.notes.append(f'No curves are drawn of {", ".join(rest)}.')
        else:
            section.notes.append('There was one validation, so there is no curve of scores.')
    elif training:
        section.notes.append('No validation was finished: scores come when train_cfg.val_interval is reached.')
    for run in runs:
        if run.test is not None:
            rows = [(name, number(value)) for name, value in test_scores(run).items()
                    if not isinstance(value, (list, dict))]
            weights = f' of {Path(run.log.loaded).name}' if run.log.loaded else ''
            section.tables.append(Table(('Test', 'Score'), rows, (1, ), f'Test{weights}, {run.name}'))
    if not any(run.test is not None for run in runs):
        section.notes.append('There is no test in this folder; mim test … --work-dir with this folder adds one.')
    return section


def _alike(drawn: Sequence[Curve]) -> list[list[Curve]]:
    """Scores in one picture are of one magnitude: percentages or parts of one."""
    percent = [curve for curve in drawn if any(y > 1.5 for y in curve.y)]
    parts = [curve for curve in drawn if curve not in percent]
    groups = [group[at:at + _PLOTTED] for group in (percent, parts) for at in range(0, len(group), _PLOTTED)]
    return sorted(groups, key=lambda group: drawn[0] not in group)


def _plot(training: Training, drawn: Sequence[Curve], x_label: str, y_label: str, title: str, caption: str = '',
          table: bool = False, scale: str = 'linear', smooth: bool = False) -> Plot:
    by_epoch = x_label == 'Epoch'
    starts = [(epoch if by_epoch else iteration, f'{name} resumed') for name, iteration, epoch in training.starts]
    notes = [caption] if caption else []
    if scale == 'log' and not is_logarithmic(drawn):
        scale = 'linear'
    window = max(len(curve.x) for curve in drawn) // _MEANS if smooth else 0
    window = min([window if window > 3 else 0, *(len(curve.x) for curve in drawn)])
    if window:
        notes.append(f'Thin lines are what was logged, thick ones the mean of {window} records next to each other.')
    if scale == 'log':
        notes.append('The axis of the values is logarithmic.')
    if any(not math.isfinite(y) for curve in drawn for y in curve.y):
        notes.append('Gaps are values that are no finite numbers.')
    rows = []
    for curve in drawn:
        finite = [y for y in curve.y if math.isfinite(y)] or [math.nan]
        rows.append((curve.name, *map(number, (curve.y[0], min(finite), max(finite), curve.y[-1]))))
    values = Table(('Logged', 'First', 'Lowest', 'Highest', 'Last'), rows, (1, 2, 3, 4)) if table else None
    return Plot(title, plot(drawn, x_label, y_label, title, starts, scale, window), ' '.join(notes), values)


def training_section(training: Optional[Training]) -> Section:
    """Losses, accuracy, learning rate, speed and memory over the iterations."""
    section = Section()
    if training is None:
        section.notes.append('There is no training in this folder, only tests: no losses, rates or times of training.')
        return section
    groups = curves(training)
    config = training.runs[-1].config
    window = 'some' if config is None else (config.get('log_processor') or {}).get('window_size', 10)
    for group, title, label in (('loss', 'Losses', 'Loss'), ('accuracy', 'Accuracy on training batches', 'Accuracy'),
                                ('rate', 'Learning rate', 'Learning rate')):
        if group in groups:
            caption = {'loss': f'Each point is the mean of {window} iterations, as mmengine logs it (log_processor).',
                       'rate': 'Of the first group of parameters, which is the one that mmengine logs.'}.get(group, '')
            scale = 'zero' if group == 'rate' else 'log'
            section.plots.append(
                _plot(training, groups[group], 'Iteration', label, title, caption, True, scale, group != 'rate'))
        else:
            section.notes.append(f'{title}: none was logged.')
    for curve in groups.get('other', ()):
        section.plots.append(_plot(training, [curve], 'Iteration', curve.name, curve.name, '', True, 'log', True))
    _add_throughput(section, training, groups.get('time', ()))
    if 'memory' in groups:
        section.plots.append(_plot(training, groups['memory'], 'Iteration', 'MB', 'Memory',
                                   'The most that tensors took on one GPU so far, in MB.', True, 'zero'))
    else:
        section.notes.append('Memory: mmengine logs it on GPUs only, and did not here.')
    return section


def _add_throughput(section: Section, training: Training, times: Sequence[Curve]) -> None:
    measured = speed(training)
    if measured is None:
        section.notes.append('Throughput: no times were logged (IterTimerHook logs them).')
        return
    time = next(curve for curve in times if curve.name == 'time')
    unit, images = ('Images', measured.batch * measured.processes) if measured.batch else ('Iterations', 1)
    drawn = Curve(f'{unit} a second', time.x, tuple(images / y for y in time.y))
    caption = f'Median {measured.seconds:.3g} s an iteration, {measured.waiting:.0%} of it waiting for data'
    if measured.images:
        processes = '1 process' if measured.processes == 1 else f'{measured.processes} processes'
        caption += f'; {measured.images:.3g} images a second, {measured.batch} at a time in {processes}.'
    else:
        caption += '; the batch size is not known.'
    section.plots.append(_plot(training, [drawn], 'Iteration', drawn.name, 'Throughput', caption, False, 'zero', True))
