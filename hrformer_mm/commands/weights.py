"""List and download released weights."""

from typing import Any

import click

from ..model_index import read_models
from ..released import SCHEME, released, weights_of
from .common import errors


def count_rows() -> str:
    """Count the models of the zoo that have weights with an address, with a link only, and without weights."""
    kinds = {'an address': 0, 'a link': 0, 'neither': 0}
    for model in read_models():
        found = weights_of(model['Name'])
        kinds['neither' if found is None else 'an address' if found.address else 'a link'] += 1
    return f'{sum(kinds.values())} models in the zoo: ' + ', '.join(f'{n} with {kind}' for kind, n in kinds.items())


def table() -> str:
    """List the names, publishers and scores of all weights, each followed by a line on how to get the file."""
    lines = []
    for row in released().values():
        state = (
            f'in the cache: {row.path}'
            if row.path.is_file()
            else (f'hrformer-mm weights {row.name}, from {row.address}' if row.address else row.next_step)
        )
        lines += [f'{row.name:38} {row.publisher:12} {row.scores}'.rstrip(), f'    {state}']
    return '\n'.join(lines)


def markdown() -> str:
    """Format all weights as the table of docs/model_zoo.md and docs/weights.md, with the counts of models."""
    lines = ['| name | by | licence | scores | fits | from |', '| --- ' * 6 + '|']
    for row in released().values():
        fits = f'the backbone of {row.configs[0]}' if row.part else ', '.join(row.configs)
        source = f'[address]({row.address})' if row.address else f'[link]({row.link}), in a browser'
        lines.append(f'| `{row.name}` | {row.publisher} | {row.licence} | {row.scores or "-"} | {fits} | {source} |')
    return '\n'.join([*lines, '', f'{count_rows()}.'])


@click.command('weights')
@click.argument('names', nargs=-1)
@click.option('--all', 'everything', is_flag=True, help='Download all weights that have an address.')
def command(names: tuple[str, ...], everything: bool) -> None:
    """List released weights, or download those of NAMES and print their paths.

    A name can be used wherever a checkpoint is expected: -C NAME, load_from, init_cfg, predict, export, explain,
    convert.
    """
    from ..weights import find_released  # imports torch

    with errors():
        # With the scheme, unknown names raise.
        chosen: list[Any] = [find_released(SCHEME + name.removeprefix(SCHEME)) for name in names]
        if everything:
            chosen += [row for row in released().values() if row.address]
        lines = [str(row.fetch()) for row in chosen] or [table(), count_rows()]
    click.echo('\n'.join(lines))
