"""The command `hrformer-mm check-data`."""

import json
import sys

import click

from ..common import bar, cfg_options, errors


@click.command('check-data')
@click.argument('config')
@click.option(
    '--split',
    'splits',
    type=click.Choice(['train', 'val', 'test']),
    multiple=True,
    help='Split to check. Repeatable. Default: all splits in the config.',
)
@click.option(
    '--limit', type=click.IntRange(min=1), help='Number of samples of each data set, evenly spread. Default: all.'
)
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print JSON.')
def command(config: str, splits: tuple[str, ...], limit: int | None, options: tuple[str, ...], as_json: bool) -> None:
    """Find the problems in the data sets of CONFIG (a file or the name of a model) before training.

    Reads annotation files completely, and every image and label map as the pipelines of the config do. Prints each
    problem with its file and a remedy. The exit code is 0 if there are no problems.
    """
    with errors():
        from ..config import parse_options
        from .checking import check_data

        report = check_data(config, splits, limit, parse_options(options), bar)
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
    else:
        for dataset in report.datasets:
            click.echo(f'{dataset.splits}: {dataset.dataset}: {dataset.samples} samples, {dataset.files} files')
            for note in dataset.notes:
                click.echo(f'    Note: {note}.')
            for problem in dataset.problems:
                click.echo(f'    {problem}')
        counts = ', '.join(f'{kind}: {count}' for kind, count in report.counts().most_common())
        total = report.counts().total()
        click.echo(f'{total} problem{"s" if total > 1 else ""} ({counts}).' if total else 'No problem found.')
    sys.exit(1 if report.problems else 0)
