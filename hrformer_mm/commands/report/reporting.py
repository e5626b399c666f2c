"""From a work folder to a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from mmengine.config import Config
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from .classes import class_tables
from .facts import facts, task
from .overview import checkpoints, is_wide, picture_notes, subtitle, tiles
from .pictures import choose
from .reading import Run, read_runs
from .sections import run_section, score_section, training_section
from .training import ending, newest_training


@dataclass(frozen=True)
class Report:
    """What was written, and the page's sentences about what is missing or left out."""
    path: str
    size: int
    runs: int
    notes: list[str]


def report(work_dir: str, output: str, images: int = 6, pictures: Sequence[str] = ()) -> Report:
    """Write a page about the runs in a work folder: one file that needs no other, and no network.

    Args:
        work_dir (str): The --work-dir of a training or a test.
        output (str): The page.
        images (int): So many of the pictures found, at most.
        pictures (Sequence[str]): Folders of pictures, beside those in the work folder.

    Raises:
        FileNotFoundError, ValueError: If a folder is not there, or is no work folder.
        OSError: If the page cannot be written.
    """
    folder = Path(work_dir)
    values = _contents(folder, read_runs(folder), images, [folder, *map(Path, pictures)])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined)
    text = environment.get_template('page.html').render(values)
    try:
        Path(output).write_text(text, encoding='utf-8')
    except OSError as error:
        raise OSError(f'{output} cannot be written ({error.strerror}): choose another with --output') from None
    notes = [note for key, found in values.items() if key.endswith('_notes') for note in found]
    return Report(output, len(text.encode()), len(values['runs'].rows), notes)


def _contents(folder: Path, runs: list[Run], images: int, picture_folders: Sequence[Path]) -> dict[str, Any]:
    """What the template asks for."""
    training, others = newest_training(runs)
    # The training's config, where there is one: that of a test was changed for the test.
    configured = [run for run in (training.runs if training else runs) if run.config is not None]
    config = configured[-1].config if configured else Config()
    logged = [run for run in (training.runs if training else runs) if run.log.environment]
    run_part = run_section(runs, training, others)
    scored, trained = score_section(runs, training), training_section(training)
    classes, class_notes = class_tables(folder, runs, training, config)
    files, file_notes = checkpoints(folder, runs, config)
    found = choose(picture_folders, images)
    return dict(
        title=folder.resolve().name,
        subtitle=subtitle(training, config, task(config)),
        tiles=tiles(runs, training),
        ending=[ending(training).text] if training else [], facts=list(facts(config, training is not None)),
        runs=run_part.tables[0], run_notes=run_part.notes,
        validations=[table for table in scored.tables if not table.caption], score_plots=scored.plots,
        tests=[table for table in scored.tables if table.caption], score_notes=scored.notes,
        class_title='Keypoints' if config.get('default_scope') == 'mmpose' else 'Classes',
        classes=classes, class_notes=class_notes, train_plots=trained.plots, train_notes=trained.notes,
        pictures=found.chosen, wide_pictures=is_wide(found),
        picture_notes=picture_notes(found, images, config.get('default_scope')),
        checkpoints=files, checkpoint_notes=file_notes,
        config=_highlighted(configured[-1].config_text) if configured else None,
        config_title=f'The whole config of {configured[-1].name}' if configured else '',
        config_notes=[] if configured else ['The config is neither in vis_data/config.py nor in a log.'],
        environment=logged[-1].log.environment if logged else None,
        environment_title=f'As mmengine logged it at the start of {logged[-1].name}' if logged else '',
        environment_notes=[] if logged else ['The environment is in no log.'],
        folder=str(folder), now=datetime.now().strftime('%Y-%m-%d %H:%M'))


def _highlighted(config: str) -> str:
    return highlight(config, PythonLexer(), HtmlFormatter(nowrap=True))
