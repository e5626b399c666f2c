"""What mmengine's text log tells: times, environment, config, tables of classes, and how a run went on and ended."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Optional

_LINE = re.compile(r'(\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) - \S+ - ([A-Z]+) - (.*)', re.DOTALL)
_RULE = re.compile(r'^-{20,}$', re.MULTILINE)
_SAVED = re.compile(r'Saving checkpoint at (\d+) (iterations|epochs)')
_RESUMED = re.compile(r'resumed epoch: (\d+), iter: (\d+)')
_LOADED = re.compile(r'(?:Load|Loads) checkpoint (?:from|by \S+ from path:) (.+)')
_TRAINED = re.compile(r'(?:Iter|Epoch)\(train\)\s+(?:\[\s*\d+\])?\[\s*\d+/(\d+)\]')
# How mmengine's EarlyStoppingHook says that it ends a training.
_EARLY = re.compile(r'Monitored metric .+|Stopping threshold reached.+|the monitored metric did not improve.+')
_PLACE = re.compile(r'\A.*? - \w+ - \d+ - ')  # of the code, which mmengine puts before an error
_GPUS = re.compile(r'GPU number: (\d+)')


@dataclass(frozen=True)
class ClassTable:
    """A metric's table of classes: the names of its columns, and their values for each class."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    percent: bool


@dataclass
class Log:
    """What a log tells; what it does not is None or empty."""
    start: Optional[datetime] = None
    end: Optional[datetime] = None
    environment: str = ''
    config: str = ''
    processes: Optional[int] = None
    loaded: Optional[str] = None
    resumed: Optional[tuple[int, int]] = None  # epoch and iteration that a run went on from
    saved: dict[str, int] = field(default_factory=dict)  # 'iterations' or 'epochs': the last checkpoint's
    length: Optional[int] = None  # of the training, or of its epochs
    tables: list[ClassTable] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stopped_early: str = ''  # why

    @property
    def duration(self) -> Optional[timedelta]:
        return self.end - self.start if self.start and self.end else None


def read_log(path: Path) -> Log:
    """Read a run's log, line by line: those of long trainings are big."""
    log = Log()
    for time, level, text in _entries(path):
        log.start = log.start or time
        log.end = time
        if 'System environment:' in text:
            log.environment = _RULE.sub('', text).strip()
            if match := _GPUS.search(text):
                log.processes = int(match[1])
        elif text.startswith('Config:\n'):
            log.config = text.removeprefix('Config:\n').rstrip() + '\n'
        elif text.lstrip().startswith('+-') and (table := read_table(text)):
            log.tables.append(table)
        elif match := _TRAINED.match(text):
            log.length = int(match[1])
        elif match := _SAVED.match(text):
            log.saved[match[2]] = int(match[1])
        elif match := _RESUMED.match(text):
            log.resumed = int(match[1]), int(match[2])
        elif match := _LOADED.match(text):
            log.loaded = match[1].strip()
        elif _EARLY.match(text):
            log.stopped_early = text.strip()
        if level in ('ERROR', 'CRITICAL'):
            log.errors.append(_PLACE.sub('', text).strip())
    return log


def _entries(path: Path) -> Iterator[tuple[datetime, str, str]]:
    """Time, level and text of each message; a message may be of many lines."""
    message: list[str] = []
    with path.open(encoding='utf-8', errors='replace') as lines:
        for line in lines:
            if _LINE.match(line) and message:
                yield from _entry(''.join(message))
                message = []
            message.append(line)
    yield from _entry(''.join(message))


def _entry(message: str) -> Iterator[tuple[datetime, str, str]]:
    if match := _LINE.match(message):
        yield datetime.strptime(match[1], '%Y/%m/%d %H:%M:%S'), match[2], match[3].rstrip('\n')


def read_table(text: str) -> Optional[ClassTable]:
    """Read a table drawn with + - and |, if its first column is of classes (mmseg, percent) or categories (mmdet)."""
    rows = [[cell.strip() for cell in line.strip().strip('|').split('|')]
            for line in text.splitlines() if line.strip().startswith('|')]
    if len(rows) < 2 or rows[0][0].lower() not in ('class', 'category') or len(set(map(len, rows))) > 1:
        return None
    try:
        values = tuple((row[0], tuple(_number(cell) for cell in row[1:])) for row in rows[1:])
    except ValueError:
        return None
    return ClassTable(tuple(rows[0][1:]), values, rows[0][0].lower() == 'class')


def _number(cell: str) -> float:
    return float('nan') if cell in ('', 'None', '-') else float(cell)
