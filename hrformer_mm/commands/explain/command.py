"""`hrformer-mm explain`."""

import json

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
    show_default=True,
    type=click.Path(),
    help='Folder for the pictures and explanation.json.',
)
@click.option('--pixel', type=int, nargs=2, metavar='X Y', help='Pixel of the image. Default: its centre.')
@click.option('--stage', type=int, default=4, show_default=True, help='2, 3 or 4.')
@click.option('--module', type=int, default=0, show_default=True, help='Module of the stage, from 0.')
@click.option('--block', type=int, default=0, show_default=True, help='Block of the module, from 0.')
@click.option(
    '--branch',
    '--stream',
    'branch',
    type=int,
    default=0,
    show_default=True,
    help='0 has stride 4, 1 has 8, 2 has 16, 3 has 32.',
)
@click.option(
    '--max-side',
    type=int,
    default=512,
    show_default=True,
    metavar='PIXELS',
    help='An image whose longer side exceeds this is shrunk to it.',
)
@click.option('--device', help="For example 'cpu' or 'cuda:1'. Default: the first GPU, or the CPU.")
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print explanation.json.')
def command(
    config: str,
    checkpoint: str,
    image: str,
    output: str,
    pixel: tuple[int, int] | None,
    stage: int,
    module: int,
    block: int,
    branch: int,
    max_side: int,
    device: str | None,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Draw what the HRFormer of CONFIG (a file or a name in the zoo) with CHECKPOINT computes on IMAGE.

    The pictures show the feature maps of the four branches, the windows of a block on the image, the attention of a
    pixel with and without the relative position bias, and the effective receptive field with and without the
    depth-wise convolution. CHECKPOINT may be none for untrained weights, which the pictures state.
    """
    with errors():
        from ..config import parse_options
        from .explanation import explain

        about = explain(
            config,
            checkpoint,
            image,
            output,
            pixel,
            stage,
            module,
            block,
            branch,
            max_side,
            device,
            parse_options(options),
        )
    if as_json:
        click.echo(json.dumps(about, indent=2))
    else:
        click.echo(f'Wrote {", ".join(about["pictures"])} and explanation.json to {output}.')
