"""A training that may be of several runs: joined records, scores, speed and how it ended."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Optional

from .log import ClassTable
from .reading import Run

_NOT_SCORES = {'step', 'after', 'time', 'data_time', 'epoch', 'memory'}
# The scores that the tasks are judged by, where the config names none in CheckpointHook.save_best.
_MAIN = ('mIoU', 'coco/AP', 'coco-wholebody/AP', 'accuracy/top1', 'coco/bbox_mAP', 'boundary_IoU', 'PCK')
_LESS = ('loss', 'NME', 'EPE', 'MPJPE', 'error')  # the less, the better


@dataclass(frozen=True)
class Curve:
    """Values of one name; x are iterations or epochs."""
    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """A score's best and last value over the validations, and where they were."""
    name: str
    less: bool
    best: float
    best_at: float
    last: float
    last_at: float


@dataclass
class Training:
    """Runs of which each resumed the one before.

    Attributes:
        train, val: Their records; what a resumed run did again replaces what was done before.
        starts: Of each run but the first, the iteration and the epoch that it went on from.
        by_epoch: Whether the training counts in epochs.
        unit: What the validations' `x` counts, 'epoch' or 'iteration'.
        dropped: Records that were replaced.
    """
    runs: list[Run] = field(default_factory=list)
    train: list[dict[str, Any]] = field(default_factory=list)
    val: list[dict[str, Any]] = field(default_factory=list)
    tables: list[tuple[Optional[float], ClassTable]] = field(default_factory=list)
    starts: list[tuple[str, int, int]] = field(default_factory=list)
    by_epoch: bool = False
    unit: str = 'iteration'
    dropped: int = 0


def newest_training(runs: Iterable[Run]) -> tuple[Optional[Training], list[Run]]:
    """The newest training with all its runs, and the runs of other trainings."""
    chain: list[Run] = []
    others: list[Run] = []
    for run in runs:
        if run.kind != 'training':
            continue
        if chain and not _goes_on(run, chain[-1]):
            others += chain
            chain = []
        chain.append(run)
    return (_join(chain) if chain else None), others


def _goes_on(run: Run, before: Run) -> bool:
    if run.log.start is not None:
        return run.log.resumed is not None
    # Without a log: it starts later than the run before did, which a fresh run does not.
    return bool(run.train and before.train) and run.train[0]['iter'] > before.train[0]['iter']


def _join(runs: list[Run]) -> Training:
    config = next((run.config for run in reversed(runs) if run.config is not None), {})
    loop = config.get('train_cfg') or {}
    counts = loop.get('by_epoch', 'Epoch' in loop['type'] if 'type' in loop else None)
    by_epoch = any('epoch' in record for run in runs for record in run.train) if counts is None else bool(counts)
    logged_by_epoch = ((config.get('default_hooks') or {}).get('logger') or {}).get('log_metric_by_epoch', True)
    done = Training(runs, by_epoch=by_epoch, unit='epoch' if by_epoch and logged_by_epoch else 'iteration')
    for number, run in enumerate(runs):
        if number:
            iteration = run.log.resumed[1] if run.log.resumed else run.train[0]['iter'] - 1
            epoch = run.log.resumed[0] if run.log.resumed else run.train[0].get('epoch', 1) - 1
            _forget(done, iteration)
            done.starts.append((run.name, iteration, epoch))
        done.train += run.train
        # An iteration-based loop stays in epoch 0, so that a step counted in epochs says nothing.
        val = [dict(record, x=record['after'] if logged_by_epoch and not by_epoch else record['step'])
               for record in run.val]
        done.val += val
        # A table is printed before the scores of its validation; a run may end in between.
        paired = len(val) <= len(run.log.tables) <= len(val) + 1
        where = [record['x'] for record in val] + [None] if paired else [None] * len(run.log.tables)
        done.tables += list(zip(where, run.log.tables))
    return done


def _forget(done: Training, iteration: int) -> None:
    """Drop what is done again after this iteration."""
    before = len(done.train)
    done.train = [record for record in done.train if record['iter'] <= iteration]
    done.dropped += before - len(done.train)
    gone = {record['x'] for record in done.val if record['after'] > iteration}
    done.val = [record for record in done.val if record['after'] <= iteration]
    done.tables = [(x, table) for x, table in done.tables if x is not None and x not in gone]


def curves(training: Training) -> dict[str, list[Curve]]:
    """Every value that was logged in training, in groups: loss, accuracy, rate, time, memory, other."""
    groups: dict[str, list[Curve]] = {}
    for name in dict.fromkeys(key for record in training.train for key in record):
        if name in ('iter', 'step', 'epoch'):
            continue
        points = [(record['iter'], record[name]) for record in training.train if _is_number(record.get(name))]
        if not points:
            continue
        if name.endswith('lr'):
            group = 'rate'
        elif 'loss' in name:
            group = 'loss'
        elif 'acc' in name:
            group = 'accuracy'
        elif name in ('time', 'data_time'):
            group = 'time'
        else:
            group = 'memory' if name == 'memory' else 'other'
        groups.setdefault(group, []).append(Curve(name, *map(tuple, zip(*points))))
    # The sum of the terms; and the rate without the part of automatic scaling, which is the same without it.
    for group, main, same in (('loss', 'loss', ''), ('rate', 'lr', 'base_lr')):
        found = {curve.name: curve for curve in groups.get(group, ())}
        if same in found and main in found and found[same].y == found[main].y:
            groups[group].remove(found[same])
        groups.get(group, []).sort(key=lambda curve: curve.name != main)
    return groups


def score_curves(training: Training) -> list[Curve]:
    """Every score of the validations, the main one first."""
    names = dict.fromkeys(key for record in training.val for key in record if key not in _NOT_SCORES | {'x'})
    found = []
    for name in names:
        points = [(record['x'], record[name]) for record in training.val if _is_number(record.get(name))]
        if points:
            found.append(Curve(name, *map(tuple, zip(*points))))
    main = main_score([curve.name for curve in found], training.runs[-1].config)
    return sorted(found, key=lambda curve: curve.name != main)


def main_score(names: Sequence[str], config: Any) -> Optional[str]:
    """The score that best checkpoints are chosen by, or that the task is judged by."""
    chosen = (((config or {}).get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    for name in (*(chosen if isinstance(chosen, (list, tuple)) else [chosen]), *_MAIN):
        if name in names:
            return name
    return names[0] if names else None


def scores(training: Training) -> list[Score]:
    """Best and last of each score; NaN is never best."""
    hook = (((training.runs[-1].config or {}).get('default_hooks') or {}).get('checkpoint') or {})
    found = []
    for curve in score_curves(training):
        less = any(word in curve.name for word in _LESS)
        if curve.name == hook.get('save_best') and hook.get('rule'):
            less = hook['rule'] == 'less'
        finite = [(y, x) for x, y in zip(curve.x, curve.y) if math.isfinite(y)]
        worst = (math.nan, math.nan)
        # Of equal ones the first, as CheckpointHook keeps it.
        best = (min if less else max)(finite, key=lambda point: point[0]) if finite else worst
        found.append(Score(curve.name, less, *best, curve.y[-1], curve.x[-1]))
    return found


def test_scores(run: Run) -> dict[str, Any]:
    """The scores of a test, without its times."""
    return {name: value for name, value in (run.test or {}).items() if name not in _NOT_SCORES}


@dataclass(frozen=True)
class Ending:
    """How a training ended: 'finished', 'stopped' or 'NaN', and a sentence."""
    word: str
    text: str


def ending(training: Training) -> Ending:
    """How the last run ended, as far as its records and its log tell."""
    run = training.runs[-1]
    config = run.config or {}
    loop = config.get('train_cfg') or {}
    unit = 'epochs' if training.by_epoch else 'iterations'
    wanted = loop.get(f'max_{"epochs" if training.by_epoch else "iters"}')
    last = training.train[-1] if training.train else {}
    done = max(run.log.saved.get(unit, 0), 0 if training.by_epoch else last.get('iter', 0))
    if training.by_epoch and training.unit == 'epoch':
        done = max([done, *(record['x'] for record in training.val)])
    error = run.log.errors[-1] if run.log.errors else ''
    bad = next((record['iter'] for record in training.train
                if any('loss' in key and _is_number(value) and not math.isfinite(value)
                       for key, value in record.items())), None)
    if re.search(r'\b(nan|inf|infinity)\b', error, re.IGNORECASE):
        return Ending('NaN', f'Stopped: {error}')
    if bad is not None:
        return Ending('NaN', f'The loss is not a finite number at iteration {bad}, the first of those logged.')
    if wanted is not None and done >= wanted:
        return Ending('finished', f'Finished all {wanted} {unit}.')
    if run.log.stopped_early:
        return Ending('finished', f'Stopped early, as its EarlyStoppingHook was told: {run.log.stopped_early}')
    where = f'iteration {last["iter"]}' if last else 'no logged iteration'
    if training.by_epoch and 'epoch' in last:
        where += f' (epoch {last["epoch"]})'
    of = f' of {wanted} {unit}' if wanted is not None else ', and how many were wanted is not known'
    why = f'Its last error: {error}' if error else 'Its log does not say why, as that of a killed or running one.'
    return Ending('stopped', f'The last that was logged is {where}{of}. {why}')


@dataclass(frozen=True)
class Speed:
    """Medians over all records: seconds an iteration and the part in which data was waited for, images a second."""
    seconds: float
    waiting: float
    images: Optional[float]
    batch: Optional[int]
    processes: int


def speed(training: Training) -> Optional[Speed]:
    """None if no times were logged."""
    timed = [record for record in training.train if record.get('time')]
    if not timed:
        return None
    run = training.runs[-1]
    batch = ((run.config or {}).get('train_dataloader') or {}).get('batch_size')
    processes = run.log.processes or 1
    seconds = median(record['time'] for record in timed)
    waiting = median(record.get('data_time', 0) / record['time'] for record in timed)
    return Speed(seconds, waiting, batch * processes / seconds if batch else None, batch, processes)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
