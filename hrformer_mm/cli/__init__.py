"""The command line: `hrformer-mm`, or `python -m hrformer_mm`."""

from typing import Optional

import click

from .. import __version__
from .benchmark import benchmark
from .check_data import check_data
from .common import bar, errors
from .doctor import doctor
from .explain import explain
from .export import export
from .predict import predict
from .report import report
from .segfix import segfix
from .zoo import complexity, zoo

# Of the data sets, whose own list takes OpenCV to import.
LAYOUTS = ('cityscapes', 'coco', 'imagenet', 'VOCdevkit', 'coco_stuff10k', 'ade', 'custom')


@click.group(context_settings=dict(help_option_names=['-h', '--help'], max_content_width=110))
@click.version_option(__version__, prog_name='hrformer-mm')
def main() -> None:
    """HRFormer for OpenMMLab. Training and testing are mim's: mim train hrformer_mm NAME.py"""


@main.command()
@click.argument('source')
@click.argument('destination', type=click.Path(dir_okay=False))
def convert(source: str, destination: str) -> None:
    """Convert released weights: SOURCE, a file or URL, to DESTINATION, a plain file of tensors.

    Knows the authors' classification, segmentation (v2, v3) and pose files and mmpose's. The result loads strictly
    in the matching config: mim test mmseg CONFIG -C DESTINATION
    """
    from ..tools.convert import convert as run
    with errors():
        done = run(source, destination)
    windows = ', '.join(str(size) for size in done.arguments['window_sizes'])
    click.echo(f'{source} is {done.layout}: HRFormer {done.arch}, windows {windows}.')
    if done.layout.authors and done.layout.task == 'pose':
        click.echo("The authors' pose code does not use its tables of relative position bias: they were set to zero.")
    click.echo(f'Wrote {done.tensors} tensors ({done.parameters:,} parameters) to {destination}.')


@main.command()
@click.argument('directory', type=click.Path(file_okay=False))
@click.option('--only', type=click.Choice(LAYOUTS), multiple=True, help='One data set; may be repeated.')
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True, help='Other seeds, other pictures.')
@click.option('--train', type=click.IntRange(min=1), help='Images for training; by default the data set\'s own number.')
@click.option('--val', type=click.IntRange(min=1), help='Images for validation.')
@click.option('--size', type=int, nargs=2, metavar='WIDTH HEIGHT', help='Of an image, in pixels.')
def synthesize(directory: str, only: tuple[str, ...], seed: int, train: Optional[int], val: Optional[int],
               size: Optional[tuple[int, int]]) -> None:
    """Write small generated data sets under DIRECTORY, laid out as Cityscapes, COCO keypoints and ImageNet are."""
    from ..data import synthesize as run
    with errors():
        folders = run(directory, only or LAYOUTS, seed, bar, train=train, val=val, size=size)
    for folder in folders:
        click.echo(f'Wrote {folder}.')


for command in (benchmark, check_data, complexity, doctor, explain, export, predict, report, segfix, zoo):
    main.add_command(command)
