"""The command `hrformer-mm synthesize`."""

import click

from ..data import LAYOUTS, synthesize
from .common import bar, errors
from .folder import check_folder


@click.command('synthesize')
@click.argument('directory', type=click.Path())
@click.option('--only', type=click.Choice(LAYOUTS), multiple=True, help='Write only this data set. Repeatable.')
@click.option('--seed', type=click.IntRange(min=0), default=0, help='Seed of the pictures.')
@click.option(
    '--train',
    type=click.IntRange(min=1),
    help='Number of training images. Default: 24 to 300, depending on the data set.',
)
@click.option('--val', type=click.IntRange(min=1), help='Number of validation images. Default: 12 to 50.')
@click.option('--size', type=int, nargs=2, metavar='WIDTH HEIGHT', help='Size of an image in pixels.')
def command(
    directory: str, only: tuple[str, ...], seed: int, train: int | None, val: int | None, size: tuple[int, int] | None
) -> None:
    """Write small generated data sets into DIRECTORY, in the layouts that the configs read."""
    with errors():
        check_folder(directory)
        folders = synthesize(directory, only or tuple(LAYOUTS), seed, bar, train=train, val=val, size=size)
    for folder in folders:
        click.echo(f'Wrote {folder}.')
