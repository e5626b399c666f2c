"""Released weights: what there is, where it is, and what is in the cache."""

from collections.abc import Iterable

import click

from .. import weights
from ..model_index import read_models
from ..weights import Released
from ..weights.released import SCHEME
from .common import errors

HEADER = ('name', 'by', 'licence', 'scores', 'fits', 'from')


def cells(row: Released) -> tuple[str, ...]:
    """A row of the table, as text."""
    fits = ', '.join(row.configs)
    return (row.name, row.publisher, row.licence, row.scores or '-', f'the backbone of {fits}' if row.part else fits,
            row.address or row.link)


def count_rows() -> str:
    """How many models of the zoo have weights with an address, with a link alone, and none."""
    kinds = {'an address': 0, 'a link': 0, 'neither': 0}
    for model in read_models():
        found = weights.weights_of(model['Name'])
        kinds['neither' if found is None else 'an address' if found.address else 'a link'] += 1
    return f'{sum(kinds.values())} models in the zoo: ' + ', '.join(f'{n} with {kind}' for kind, n in kinds.items())


def table(rows: Iterable[Released]) -> str:
    """Names, publishers and scores as columns of text; where each file is, or is from, on a line of its own."""
    lines = []
    for row in rows:
        state = f'in the cache: {row.path}' if row.path.is_file() else (
            f'hrformer-mm weights {row.name}, from {row.address}' if row.address else row.next_step)
        lines += [f'{row.name:38} {row.publisher:12} {row.scores}'.rstrip(), f'    {state}']
    return '\n'.join(lines)


def markdown(rows: Iterable[Released]) -> str:
    """Rows as the table of docs/weights.md and docs/model_zoo.md."""
    lines = [f'| {" | ".join(HEADER)} |', '| --- ' * len(HEADER) + '|']
    for row in rows:
        *rest, source = cells(row)
        lines.append(f'| {" | ".join(rest)} | [{"address" if row.address else "link"}]({source}) |')
    return '\n'.join(lines)


@click.command('weights')
@click.argument('names', nargs=-1)
@click.option('--all', 'everything', is_flag=True, help='Fetch all that have an address.')
def command(names: tuple[str, ...], everything: bool) -> None:
    """List released weights, or fetch those of NAMES, and print where they are.

    Each name works wherever a checkpoint does: -C NAME, load_from, init_cfg, predict, export, explain, convert.
    """
    with errors():
        chosen = [weights.find_released(SCHEME + name.removeprefix(SCHEME)) for name in names]
        if everything:
            chosen += [row for row in weights.released().values() if row.address]
        paths = [row.fetch() for row in chosen]
    for path in paths:
        click.echo(path)
    if not paths:
        click.echo(f'{table(weights.released().values())}\n{count_rows()}')
