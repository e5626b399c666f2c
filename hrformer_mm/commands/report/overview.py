"""The tiles on top, the checkpoints and the example pictures."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Optional

from .pictures import Pictures
from .reading import Run
from .sections import Table, duration, number, size
from .training import Training, ending, main_score, scores, test_scores


@dataclass(frozen=True)
class Tile:
    """One figure on top; `mood` is a class of the style sheet."""
    name: str
    value: str
    note: str = ''
    mood: str = ''


def tiles(runs: Sequence[Run], training: Optional[Training]) -> list[Tile]:
    """How it ended, the main score, and how long it took."""
    found = []
    if training:
        end = ending(training)
        found.append(Tile('Training', end.word, f'{len(training.runs)} runs' if len(training.runs) > 1 else '1 run',
                          'good' if end.word == 'finished' else 'bad'))
        for score in scores(training)[:1]:
            found.append(Tile(f'Best {score.name}', number(score.best), f'at {training.unit} {number(score.best_at)}'))
            found.append(Tile(f'Last {score.name}', number(score.last), f'at {training.unit} {number(score.last_at)}'))
    tests = [run for run in runs if run.test is not None]
    for run in tests[-1:]:
        names = [key for key, value in test_scores(run).items() if isinstance(value, (int, float))]
        name = main_score(names, run.config)
        if name:
            weights = Path(run.log.loaded).name if run.log.loaded else run.name
            found.append(Tile(f'{name} of the test', number(run.test[name]), weights))
    if training:
        times = [run.log.duration for run in training.runs if run.log.duration is not None]
        note = 'as far as the logs tell' if len(times) < len(training.runs) else 'first to last line of the logs'
        found.append(Tile('Duration', duration(sum(times, timedelta()) if times else None), note))
    elif tests:
        found.append(Tile('Duration', duration(tests[-1].log.duration), 'first to last line of the log'))
    return found


def checkpoints(folder: Path, runs: Sequence[Run], config: Mapping) -> tuple[Optional[Table], list[str]]:
    """The weights in the folder, and sentences about what is not there."""
    hook = (config.get('default_hooks') or {}).get('checkpoint') or {}
    paths = sorted(folder.glob('*.pth'), key=lambda path: [int(part) if part.isdigit() else part
                                                           for part in re.split(r'(\d+)', path.name)])
    pointer = folder / 'last_checkpoint'
    last = Path(pointer.read_text(encoding='utf-8').strip()).name if pointer.exists() else None
    rows = []
    for path in paths:
        marks = ['best'] * path.name.startswith('best_') + ['last'] * (path.name == last)
        state = path.stat()
        rows.append((path.name, size(state.st_size), ', '.join(marks) if state.st_size else 'empty',
                     datetime.fromtimestamp(state.st_mtime).strftime('%Y-%m-%d %H:%M')))
    notes = []
    if not rows:
        notes.append('There is no checkpoint (*.pth) in this folder.' + (
            f' The config has them written to {hook["out_dir"]}.' if hook.get('out_dir') else ''))
    if last and last not in [path.name for path in paths]:
        notes.append(f'last_checkpoint names {last}, which is not in this folder.')
    elif rows and last is None:
        notes.append('There is no last_checkpoint in this folder, which --resume looks for.')
    return (Table(('Checkpoint', 'Size', 'Which is', 'Written'), rows, (1, )) if rows else None), notes


def picture_notes(found: Pictures, wanted: int, library: Optional[str]) -> list[str]:
    """Where the pictures are from, or how to get some."""
    notes = []
    if not found.found:
        notes.append('There are no pictures in this folder. mim test … --show-dir draws some; where they are in '
                     'another folder, name it: hrformer-mm report … --pictures FOLDER')
    elif wanted and len(found.chosen) < found.found:
        notes.append(f'{len(found.chosen)} of {found.found} pictures, evenly spread by their names.')
    elif not wanted:
        notes.append(f'{found.found} pictures were found; none was asked for.')
    if found.chosen and library in ('mmseg', 'mmdet'):
        notes.append('Where a picture has two halves, the left is the ground truth and the right the prediction.')
    if found.broken:
        notes.append(f'Not readable as pictures: {", ".join(found.broken)}.')
    return notes


def is_wide(found: Pictures) -> bool:
    """Whether the pictures would be too small to see beside each other, such as truth and prediction in one."""
    return any(picture.width > 1.8 * picture.height for picture in found.chosen)


def subtitle(training: Optional[Training], config: Mapping, task: str) -> str:
    """One line below the title."""
    kind = 'Training' if training else 'Test'
    return f'{kind}, {task}' if config else f'{kind}; its config is missing, so that its model is not known'
