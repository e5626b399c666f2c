"""The command `hrformer-mm explain`."""

import json
from typing import Any

import click

from ..common import cfg_options, errors


@click.command('explain')
@click.argument('config')
@click.argument('checkpoint')
@click.argument('image')
@click.option(
    '-o',
    '--output',
    default='explanation',
    type=click.Path(),
    help='Output folder of the pictures and explanation.json.',
)
@click.option('--pixel', type=int, nargs=2, metavar='X Y', help='Pixel of the image. Default: the center.')
@click.option('--stage', type=int, default=4, help='Stage: 2, 3 or 4.')
@click.option('--module', type=int, default=0, help='Module of the stage, from 0.')
@click.option('--block', type=int, default=0, help='Block of the module, from 0.')
@click.option(
    '--branch',
    '--stream',
    'branch',
    type=int,
    default=0,
    help='Branch, from 0. Branches 0 to 3 have strides 4, 8, 16 and 32.',
)
@click.option(
    '--max-side', type=int, default=512, metavar='PIXELS', help='Shrink the image if its longer side exceeds this.'
)
@click.option('--device', help="Device, for example 'cpu' or 'cuda:1'. Default: the first GPU, or the CPU.")
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print the content of explanation.json.')
def command(
    config: str, checkpoint: str, image: str, output: str, options: tuple[str, ...], as_json: bool, **settings: Any
) -> None:
    """Draw what the HRFormer of CONFIG (a file or a name in the zoo) with CHECKPOINT computes on IMAGE.

    The pictures show the feature maps of the four branches, the windows of a block, the attention of a pixel with and
    without the relative position bias, and the effective receptive field with and without the depth-wise convolution.
    CHECKPOINT may be none for untrained weights; the pictures are marked accordingly.
    """
    with errors():
        from ..config import parse_options
        from .explanation import explain

        about = explain(config, checkpoint, image, output, options=parse_options(options), **settings)
    if as_json:
        click.echo(json.dumps(about, indent=2))
    else:
        click.echo(f'Wrote {", ".join(about["pictures"])} and explanation.json to {output}.')
