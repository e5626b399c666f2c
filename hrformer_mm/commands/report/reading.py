"""The runs of a work folder, as mmengine leaves them: WORK_DIR/<time>/, one for each start of a training or a test."""

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

from .log import Log, read_log

_NAME = re.compile(r'\d{8}_\d{6}')
_LAYOUT = 'its runs are folders such as 20260131_120000, with a .log, and vis_data/scalars.json of a training'


@dataclass
class Run:
    """One start of a training or a test.

    Attributes:
        name: The time of its start, after which mmengine names its folder.
        train: The records of training iterations, by their names in scalars.json; each has 'iter'.
        val: The records of validations; 'step' is an epoch or an iteration, 'after' the last iteration before.
        test: The scores of a test.
        config: Of this run, None if it is nowhere.
        problems: What is missing or broken, a sentence each.
    """
    name: str
    folder: Path
    train: list[dict[str, Any]] = field(default_factory=list)
    val: list[dict[str, Any]] = field(default_factory=list)
    test: Optional[dict[str, Any]] = None
    config: Optional[Config] = None
    config_text: str = ''
    log: Log = field(default_factory=Log)
    problems: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """'training', 'test', or 'start' of a run that ended before it was either."""
        if self.train or self.val or self.log.resumed or self.log.length or self.log.saved:
            return 'training'
        return 'test' if self.test is not None else 'start'


def read_runs(work_dir: Path) -> list[Run]:
    """Read every run, oldest first.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it is no work folder.
    """
    if not work_dir.is_dir():
        raise FileNotFoundError(f'there is no folder {work_dir}: give the --work-dir of a training or a test')
    folders = sorted(path for path in work_dir.iterdir() if path.is_dir() and _NAME.fullmatch(path.name))
    runs = [run for run in map(_read_run, folders) if run is not None]
    if runs:
        return runs
    if _NAME.fullmatch(work_dir.resolve().name):
        raise ValueError(f'{work_dir} is the folder of one run: give the work folder that it is in, {work_dir.parent}')
    inside = sorted({path.parent.parent for path in work_dir.glob('*/*/*.log') if _NAME.fullmatch(path.parent.name)})
    hint = f'; there are some in it: {", ".join(map(str, inside[:3]))}' if inside else ''
    raise ValueError(f'{work_dir} is no work folder of mmengine ({_LAYOUT}): give the --work-dir of a training or a '
                     f'test{hint}')


def _read_run(folder: Path) -> Optional[Run]:
    """None if nothing in the folder is of a run."""
    run = Run(folder.name, folder)
    records, log, test = _scalars(folder), folder / f'{folder.name}.log', folder / f'{folder.name}.json'
    if not (records or log.exists() or test.exists()):
        return None
    if log.exists():
        run.log = read_log(log)
        if run.log.start is None:
            run.problems.append(f'{log.name} has no line of mmengine: the duration and the environment are not known.')
    else:
        run.problems.append(f'{log.name} is missing: the duration, the environment and the classes are not known.')
    if test.exists():
        try:
            run.test = json.loads(test.read_text(encoding='utf-8'))
        except ValueError:
            run.problems.append(f'{test.name} is not whole: the scores of the test are not known.')
    _read_config(run)
    if records:
        _read_records(run, records)
    elif run.kind == 'training':
        run.problems.append('vis_data/scalars.json is missing: losses and scores are not known.')
    return run


def _scalars(folder: Path) -> Optional[Path]:
    """mmengine writes the same records to both files."""
    candidates = (folder / 'vis_data/scalars.json', folder / f'vis_data/{folder.name}.json')
    return next((path for path in candidates if path.exists()), None)


def _read_records(run: Run, path: Path) -> None:
    broken, last = 0, 0
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            broken += 1
            continue
        # With log_with_hierarchy the names begin with the part of the loop, which their kind tells already.
        record = {re.sub(r'^(train|val)/', '', key): value for key, value in record.items()}
        if 'iter' in record:
            last = record['iter']
            run.train.append(record)
        else:
            run.val.append(dict(record, after=last))
    if broken:
        run.problems.append(f'{broken} of the lines in {path.name} cannot be read, as a kill leaves them; they are '
                            'left out.')


def _read_config(run: Run) -> None:
    """From the file beside the records, or from the log, which has the same text."""
    path = run.folder / 'vis_data/config.py'
    run.config_text = path.read_text(encoding='utf-8') if path.exists() else run.log.config
    if not run.config_text:
        run.problems.append('Its config is neither in vis_data/config.py nor in the log: the model, the data and the '
                            'batch size are not known.')
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / 'config.py'
        copy.write_text(run.config_text, encoding='utf-8')
        try:
            run.config = Config.fromfile(copy, import_custom_modules=False)
        except Exception as error:  # whatever a broken Python file raises
            run.problems.append(f'Its config cannot be read ({type(error).__name__}: {error}).')
