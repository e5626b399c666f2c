"""`hrformer-mm synthesize`."""

from typing import Optional

import click

from ..data import LAYOUTS, synthesize
from .common import bar, errors


@click.command('synthesize')
@click.argument('directory', type=click.Path(file_okay=False))
@click.option('--only', type=click.Choice(LAYOUTS), multiple=True, help='One data set; may be repeated.')
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True, help='Other seeds, other pictures.')
@click.option('--train', type=click.IntRange(min=1), help='Images for training; by default the data set\'s own number.')
@click.option('--val', type=click.IntRange(min=1), help='Images for validation.')
@click.option('--size', type=int, nargs=2, metavar='WIDTH HEIGHT', help='Of an image, in pixels.')
def command(directory: str, only: tuple[str, ...], seed: int, train: Optional[int], val: Optional[int],
               size: Optional[tuple[int, int]]) -> None:
    """Write small generated data sets under DIRECTORY, laid out as Cityscapes, COCO keypoints and ImageNet are."""
    with errors():
        folders = synthesize(directory, only or LAYOUTS, seed, bar, train=train, val=val, size=size)
    for folder in folders:
        click.echo(f'Wrote {folder}.')
