"""`hrformer-mm test`."""

import json
from dataclasses import asdict
from typing import Any

import click

from ..common import bar, cfg_options, errors


@click.command('test')
@click.argument('config')
@click.argument('files', nargs=-1, required=True, metavar='MODEL_FILE...')
@click.option('--checkpoint', help='Weights to evaluate first, for comparison.')
@click.option('--batch', type=click.IntRange(min=1), help="Images per batch. Default: the config's.")
@click.option('--limit', type=click.IntRange(min=1), help='Evaluate only the first samples, at most this number.')
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
def command(
    config: str,
    files: tuple[str, ...],
    checkpoint: str | None,
    batch: int | None,
    limit: int | None,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compute the metrics of CONFIG (a file or a name in the zoo) with each MODEL_FILE from `hrformer-mm export`.

    Each MODEL_FILE, of any format, replaces the network; the test data and the evaluator are those of CONFIG. With
    --checkpoint, the table shows the difference of each file from the checkpoint.
    """
    rows: list[Any] = []
    try:
        with errors():
            from ..config import parse_options
            from .testing import test

            for row in test(config, files, checkpoint, batch, limit, bar, parse_options(options)):
                rows.append(row)
    finally:  # print the finished rows even after an error or Ctrl-C
        if rows and as_json:
            click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        elif rows:
            click.echo('\n'.join(_table(rows, checkpoint is not None)))


def _table(rows: list[Any], compared: bool) -> list[str]:
    first = rows[0].metrics
    width = max(len(row.file) for row in rows)
    cell = 20 if compared else 12
    lines = [f'{"":{width}}  {"precision":9}' + ''.join(f'{name:>{max(cell, len(name) + 2)}}' for name in first)]
    for row in rows:
        line = f'{row.file:{width}}  {row.precision:9}'
        for name, value in row.metrics.items():
            text = f'{value:.4f}'
            if compared:
                text += f' {value - first[name]:+9.4f}' if row is not rows[0] else ' ' * 10
            line += f'{text:>{max(cell, len(name) + 2)}}'
        lines.append(line.rstrip())
    return [*lines, f'{rows[0].samples} samples.']
