"""Train configs on real data with several seeds, and test them.

python benchmarks/real_data.py --help
"""

import csv
import json
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import torch
from matplotlib.figure import Figure
from measure import environment
from mmengine.config import Config

from hrformer_mm.commands.complexity import complexity
from hrformer_mm.commands.report.reading import read_runs

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
METRICS = {'mIoU': ('mIoU', 1), 'at_0.2/PCK': ('PCK@0.2', 100), 'at_0.05/PCK': ('PCK@0.05', 100)}  # name, scale


@dataclass
class Row:
    """A score of a training in percent, which is a line of the CSV file."""

    config: str
    lr: float
    seed: int
    metric: str
    val: float
    test: float | None
    parameters: int
    gmac: float
    iterations: int
    seconds_per_iteration: float
    machine: str


class Training:
    """A training with a config, a learning rate and a seed. Its folder has checkpoints, logs, and the scores.

    Args:
        config (Path): A config of mmseg or mmpose.
        lr (float, optional): The learning rate. Default: the config's.
        seed (int): Seed of the weights, the order of the data and the augmentation.
        work_dir (Path): The folder of all trainings.
    """

    def __init__(self, config: Path, lr: float | None, seed: int, work_dir: Path) -> None:
        self.config, self.seed = config, seed
        self.cfg = Config.fromfile(config)
        optimizer = self.cfg.optim_wrapper.optimizer
        self.folder = work_dir / config.stem
        if lr not in (None, optimizer.lr):
            self.folder /= f'lr_{lr:g}'
            optimizer.lr = lr
        self.folder /= f'seed_{seed}'
        self.lr = optimizer.lr
        self.cfg.randomness = dict(seed=seed)

    def train(self) -> None:
        """Train to the end. Resumes from the last checkpoint if it exists."""
        if self.checkpoint() is None:
            self._launch('train', self.cfg, '--work-dir', self.folder, '--resume')

    def checkpoint(self) -> Path | None:
        """Return the final checkpoint, or None before the end of the training."""
        length = self.cfg.train_cfg
        name = f'iter_{length.max_iters}.pth' if 'max_iters' in length else f'epoch_{length.max_epochs}.pth'
        note = self.folder / 'last_checkpoint'
        finished = note.exists() and Path(note.read_text()).name == name
        return self.folder / name if finished else None

    def scores(self, split: str) -> dict[str, float]:
        """Return the scores on 'val' or 'test', which are measured only once."""
        reports = self.folder / f'{split}_{self.checkpoint().stem}'
        if not list(reports.glob('*/*.json')):
            cfg = self.cfg.copy()
            cfg.test_dataloader, cfg.test_evaluator = cfg[f'{split}_dataloader'], cfg[f'{split}_evaluator']
            self._launch('test', cfg, self.checkpoint(), '--work-dir', reports)
        (report,) = reports.glob('*/*.json')
        found = json.loads(report.read_text())
        return {name: scale * found[key] for key, (name, scale) in METRICS.items() if key in found}

    def rows(self, tested: bool) -> list[Row]:
        """Return the lines of the CSV file, with the scores on test if `tested`."""
        val, test = self.scores('val'), self.scores('test') if tested else {}
        count = complexity(str(self.config), self.cfg.model.data_preprocessor.get('size')).total
        records = [record for run in read_runs(self.folder) for record in run.train]
        machine = environment('cuda' if torch.cuda.is_available() else 'cpu')['machine']
        return [
            Row(
                self.config.stem,
                self.lr,
                self.seed,
                metric,
                round(score, 2),
                round(test[metric], 2) if tested else None,
                count.parameters,
                round(count.everything / 1e9, 2),
                records[-1]['iter'],
                round(statistics.median(record['time'] for record in records), 2),
                machine,
            )
            for metric, score in val.items()
        ]

    def _launch(self, action: str, cfg: Config, *arguments: object) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path, log = self.folder / f'{action}.py', self.folder / f'{action}.log'
        cfg.dump(path)
        command = [sys.executable, TOOLS / f'{action}.py', path, *arguments]
        with log.open('a') as file:
            if subprocess.run(list(map(str, command)), stdout=file, stderr=subprocess.STDOUT).returncode != 0:
                raise click.ClickException(f'{action} of {self.folder} failed: see {log}')


def train_all(config: Path, lrs: tuple[float, ...], seeds: int, work_dir: Path, file: Path) -> list[Training]:
    """Choose the learning rate on val with seed 0, then train and test all seeds with it; returns these trainings."""
    rows = {}
    for lr in lrs or (None,):
        training = Training(config, lr, 0, work_dir)
        training.train()
        rows[training.lr] = training.rows(tested=False)
        update(file, rows[training.lr])
        click.echo(f'{training.folder}: val {rows[training.lr][0].val}')
    best = max(rows, key=lambda lr: rows[lr][0].val)
    trainings = [Training(config, best, seed, work_dir) for seed in range(seeds)]
    for training in trainings:
        training.train()
        tested = training.rows(tested=True)
        update(file, tested)
        click.echo(f'{training.folder}: val {tested[0].val}, test {tested[0].test}')
    return trainings


def draw(trainings: list[Training], picture: Path) -> None:
    """Draw the scores on val over the iterations of trainings on the same data, with one color per config."""
    figure = Figure(figsize=(8, 5), layout='constrained')
    axes = figure.subplots()
    colors: dict[str, str] = {}
    for training in trainings:
        key = training.cfg.default_hooks.checkpoint.save_best
        name, scale = METRICS[key]
        records = [record for run in read_runs(training.folder) for record in run.val if key in record]
        config = training.config.stem
        label = None if config in colors else config
        color = colors.setdefault(config, f'C{len(colors)}')
        axes.plot(
            [record['iter'] for record in records],
            [scale * record[key] for record in records],
            color=color,
            label=label,
        )
        axes.set(xlabel='iteration', ylabel=f'{name} on val')
    axes.legend(fontsize='small')
    figure.savefig(picture, dpi=120)


def read(file: Path) -> list[dict[str, str]]:
    """Read the lines of a CSV file; [] if it does not exist."""
    return list(csv.DictReader(file.read_text().splitlines())) if file.exists() else []


def update(file: Path, rows: list[Row]) -> None:
    """Add lines to the CSV file, and replace those of the same training and metric."""

    def key(row: dict[str, Any]) -> tuple:
        return row['config'], row['metric'], float(row['lr']), int(row['seed'])

    lines = {key(row): row for row in [*read(file), *map(asdict, rows)]}
    with file.open('w', newline='') as stream:
        writer = csv.DictWriter(stream, list(Row.__dataclass_fields__), lineterminator='\n')
        writer.writeheader()
        writer.writerows(lines[name] for name in sorted(lines))


def tables(lines: list[dict[str, str]]) -> str:
    """Format a Markdown table for each metric, with a line for each config and learning rate."""
    parts = []
    for metric in dict.fromkeys(line['metric'] for line in lines):
        parts += [
            '',
            f'**{metric}**',
            '',
            '| config | learning rate | parameters | GMAC | seconds per iteration | '
            'val, by seed | test, by seed | test, mean | spread |',
            '|' + ' --- |' * 9,
        ]
        groups: dict[tuple, list] = {}
        for line in lines:
            if line['metric'] == metric:
                groups.setdefault((line['config'], line['lr']), []).append(line)
        for (config, lr), group in groups.items():
            seconds = min(float(line['seconds_per_iteration']) for line in group)
            test = [float(line['test']) for line in group if line['test']]
            mean = f'{statistics.mean(test):.2f}' if test else ''
            spread = f'{max(test) - min(test):.2f}' if len(test) > 1 else ''
            parts.append(
                ' | '.join(
                    (
                        f'| `{config}`',
                        lr,
                        f'{int(group[0]["parameters"]):,}',
                        group[0]['gmac'],
                        f'{seconds:.2f}',
                        ', '.join(f'{float(line["val"]):.2f}' for line in group),
                        ', '.join(f'{score:.2f}' for score in test),
                        mean,
                        f'{spread} |',
                    )
                )
            )
    machines = dict.fromkeys(f'{line["machine"]}, {line["iterations"]} iterations' for line in lines)
    return '\n'.join([*parts, '', f'Trained on: {"; ".join(machines)}.']) if lines else 'No training has finished yet.'


def update_page(page: Path, file: Path) -> None:
    """Write the tables between the two markers of a page."""
    text = page.read_text()
    made, count = re.subn(
        r'(?<=<!-- tables -->\n).*(?=\n<!-- end -->)', lambda _: tables(read(file)), text, flags=re.DOTALL
    )
    if not count:
        raise click.ClickException(
            f'{page} lacks the markers <!-- tables --> and <!-- end -->: add them around the tables'
        )
    page.write_text(made)


@click.command()
@click.argument('configs', nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    '--seeds',
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help='Number of trainings of each config, with seeds from 0.',
)
@click.option(
    '--lr',
    'lrs',
    type=float,
    multiple=True,
    help="Learning rate to try with seed 0. Repeatable. The best one on val is used. Default: the config's.",
)
@click.option(
    '--work-dir',
    type=click.Path(file_okay=False, path_type=Path),
    default='work_dirs/real_data',
    show_default=True,
    help='Folder of checkpoints, logs and scores.',
)
@click.option(
    '--csv',
    'file',
    type=click.Path(dir_okay=False, path_type=Path),
    default='docs/results.csv',
    show_default=True,
    help='CSV file with a line for each score. Other lines are kept.',
)
@click.option(
    '--page',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Page to update with the tables of the CSV file, and with curves next to it.',
)
def main(
    configs: tuple[Path, ...], seeds: int, lrs: tuple[float, ...], work_dir: Path, file: Path, page: Path | None
) -> None:
    """Train CONFIGS one after the other, evaluate each on val, and test it once.

    Run the same command again after an interruption: finished trainings and tests are kept, and an interrupted training
    resumes from its last checkpoint. If a training fails, the others continue, and the exit code is 1.
    """
    failed, finished = False, defaultdict(list)
    for config in configs:
        try:
            finished[config.parent.name] += train_all(config, lrs, seeds, work_dir, file)
        except click.ClickException as error:
            error.show()
            failed = True
    if page:
        update_page(page, file)
        for folder, trainings in finished.items():
            draw(trainings, page.with_name(f'{page.stem}_{folder}.png'))
    sys.exit(failed)


if __name__ == '__main__':
    main()
