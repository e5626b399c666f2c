"""`hrformer-mm complexity` and `hrformer-mm zoo`."""

import json
from pathlib import Path
from typing import Optional

import click

from .common import bar, errors


@click.command()
@click.argument('configs', nargs=-1, required=True)
@click.option('--size', type=click.IntRange(min=1), nargs=2, metavar='HEIGHT WIDTH',
              help='Of the image. Default: what the model is for; 1024 1024 for segmentation.')
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
def complexity(configs: tuple[str, ...], size: Optional[tuple[int, int]], as_json: bool) -> None:
    """Count parameters and multiply-adds of the models of CONFIGS (files or names in the zoo), part by part, on one
    image.

    "everything" is all convolutions, projections and products of attention that run. "paper" is its table 3's
    convention for poses, without the products; and for the rest that of the authors' counter (tables 5 and 6), which
    pads maps before the projections and adds batch norm, softmax, ReLU and additions.
    """
    from ..tools.complexity import complexity as run
    with errors():
        counts = [run(config, size) for config in configs]
    if as_json:
        click.echo(json.dumps([count.as_dict() for count in counts], indent=2))
        return
    for count in counts:
        click.echo(f'{count.config}, {count.size[0]}x{count.size[1]}')
        click.echo(f'{"":22}{"parameters":>12}{"everything":>14}{"paper":>12}')
        for name, part in (*count.parts.items(), ('total', count.total)):
            everything, paper = part.everything / 1e9, count.paper(part) / 1e9
            click.echo(f'{name:22}{part.parameters:12,}{everything:12.3f} G{paper:10.3f} G')


@click.command()
@click.option('--peers', 'with_peers', is_flag=True, help="The paper's peers too, from the libraries' own configs.")
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
@click.option('--markdown', 'page', type=click.Path(dir_okay=False), is_flag=False, flag_value='docs/model_zoo.md',
              help='Write a page, by default docs/model_zoo.md.')
@click.option('--root', type=click.Path(exists=True, file_okay=False), help='Checkout with a model-index.yml.')
def zoo(with_peers: bool, as_json: bool, page: Optional[str], root: Optional[str]) -> None:
    """All configs in one table: parameters and multiply-adds as counted, beside what is published."""
    from ..tools import zoo as tool
    with errors():
        rows = tool.zoo(root, bar)
        if with_peers:
            rows += tool.peers(bar)
        if page:
            Path(page).write_text(tool.markdown(rows), encoding='utf-8')
    if as_json:
        click.echo(json.dumps([row.as_dict() for row in rows], indent=2))
    elif page:
        click.echo(f'Wrote {page}.')
    else:
        click.echo(tool.table(rows))
