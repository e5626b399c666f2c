"""Write the report of a work folder."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import jinja2

from ..folder import check_file
from . import sections
from .reading import read_runs
from .training import newest_training


def report(work_dir: str, output: str, images: int = 6, pictures: Sequence[str] = ()) -> list[str]:
    """Write a self-contained HTML page about the runs in a work folder.

    Args:
        work_dir (str): The --work-dir of a training or a test.
        output (str): Path of the page.
        images (int): Maximum number of example pictures. Default: 6.
        pictures (Sequence[str]): Further folders with pictures. Default: ().

    Returns:
        list[str]: The notes of the page on missing and omitted data.

    Raises:
        FileNotFoundError, ValueError: If a folder does not exist or is not a work folder.
        OSError: If the page cannot be written.
    """
    folder = Path(work_dir)
    page = check_file(output, [path for path in folder.rglob('*') if path.suffix != '.html'])
    runs = read_runs(folder)
    training, older = newest_training(runs)
    tests = [run for run in runs if run.test is not None]
    # Of a test after a training, the page shows only the scores.
    about = training.runs if training else runs
    config = next((run.config for run in reversed(about) if run.config), '')
    environment = next((run.log.environment for run in reversed(about) if run.log.environment), '')
    parts = [
        sections.summary(training, about),
        sections.scores(training, tests),
        sections.classes(training.runs if training else [], tests),
        sections.training_curves(training),
        sections.examples([folder, *map(Path, pictures)], images),
        sections.runs_table(runs, training, older),
        sections.checkpoints(folder),
        sections.Section('Config', folded=config),
        sections.Section(
            'Environment', folded=environment, notes=[] if environment else ['The logs do not contain the environment.']
        ),
    ]
    loader = jinja2.PackageLoader(__package__, '.')
    template = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True).get_template('page.html')
    text = template.render(title=folder.resolve().name, sections=parts, now=f'{datetime.now():%Y-%m-%d %H:%M}')
    page.write_text(text, encoding='utf-8')
    return [note for part in parts for note in part.notes]
