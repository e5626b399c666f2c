"""Parse mmengine's text log: duration, environment, loaded checkpoints, errors and tables of classes."""

import contextlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

_MESSAGE = re.compile(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - \S+ - ([A-Z]+) - ', re.MULTILINE)
_RULE = re.compile(r'^-{20,}$', re.MULTILINE)
_LOADED = re.compile(r'Loads? checkpoint (?:from|by \S+ from path:) (.+)')
_PROGRESS = re.compile(r'(?:Iter|Epoch)\(train\)[\[\]\d/ ]+')
_RESUMED = re.compile(r'resumed epoch: \d+, iter: (\d{1,18})$')


@dataclass(frozen=True)
class Table:
    """A table of text and numbers, whose first column contains row headers."""

    title: str
    columns: list[str]
    rows: list[list[Any]]


@dataclass
class Log:
    """The content of a log. Missing entries are None or empty.

    Attributes:
        resumed: The iteration from which a resumed run continued.
        progress: The last position of a training, such as 'Iter(train) [50/80000]'.
        error: The last message of level ERROR or CRITICAL.
        table: The last table of classes.
    """

    duration: timedelta | None = None
    environment: str = ''
    config: str = ''
    loaded: str = ''
    resumed: int | None = None
    progress: str = ''
    error: str = ''
    table: Table | None = None


def read_log(path: Path) -> Log:
    """Read the log of a run."""
    log = Log()
    # After the text before the first message, the parts are time, level, text, time, and so on.
    parts = _MESSAGE.split(path.read_text(encoding='utf-8', errors='replace'))[1:]
    for level, text in zip(parts[1::3], map(str.strip, parts[2::3])):
        if 'System environment:' in text:
            log.environment = _RULE.sub('', text).strip()
        elif text.startswith('Config:\n'):
            log.config = text.removeprefix('Config:\n')
        elif text.startswith('+-'):
            log.table = read_table(text) or log.table
        elif match := _PROGRESS.match(text):
            log.progress = match[0].strip()
        elif match := _LOADED.match(text):
            log.loaded = Path(match[1]).name
        elif match := _RESUMED.match(text):
            log.resumed = int(match[1])
        elif level in ('ERROR', 'CRITICAL'):
            log.error = text
    with contextlib.suppress(IndexError, ValueError):  # no message, or an invalid date
        first, last = (datetime.strptime(time, '%Y/%m/%d %H:%M:%S') for time in (parts[0], parts[-3]))
        log.duration = last - first
    return log


def read_table(text: str) -> Table | None:
    """Read a table drawn with +, - and |; None unless its first column is Class (mmseg) or category (mmdet)."""
    rows = [[cell.strip() for cell in line.strip('| ').split('|')] for line in text.splitlines() if line[:1] == '|']
    if not rows or rows[0][0].lower() not in ('class', 'category'):
        return None
    return Table('', rows[0], rows[1:])
