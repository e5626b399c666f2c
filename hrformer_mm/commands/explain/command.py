"""`hrformer-mm explain`."""

import json
from typing import Optional

import click

from ..common import errors


@click.command('explain')
@click.argument('config')
@click.argument('checkpoint')
@click.argument('image')
@click.option('-o', '--output', default='explanation', show_default=True, type=click.Path(file_okay=False),
              help='Folder for the pictures and explanation.json.')
@click.option('--pixel', type=int, nargs=2, metavar='X Y', help='Of the image. Default: its centre.')
@click.option('--stage', type=int, default=4, show_default=True, help='2, 3 or 4.')
@click.option('--module', type=int, default=0, show_default=True, help='Of the stage, from 0.')
@click.option('--block', type=int, default=0, show_default=True, help='Of the module, from 0.')
@click.option('--stream', type=int, default=0, show_default=True, help='0 is stride 4, 1 is 8, 2 is 16, 3 is 32.')
@click.option('--max-side', type=int, default=512, show_default=True, metavar='PIXELS',
              help='An image whose longer side is more is made so small.')
@click.option('--device', help="As in 'cpu' or 'cuda:1'. Default: the first GPU, or the CPU.")
@click.option('--json', 'as_json', is_flag=True, help='Print explanation.json.')
def command(config: str, checkpoint: str, image: str, output: str, pixel: Optional[tuple[int, int]], stage: int,
            module: int, block: int, stream: int, max_side: int, device: Optional[str], as_json: bool) -> None:
    """Draw what the HRFormer of CONFIG (a file or a name in the zoo) with CHECKPOINT does on IMAGE.

    Feature maps of the four streams; the windows of a block on the image; the attention of a pixel, with and without
    the relative position bias; and the effective receptive field, with and without the depth-wise convolution.
    CHECKPOINT may be none: untrained weights, which the pictures say.
    """
    from .explaining import explain as run
    with errors():
        done = run(config, checkpoint, image, output, pixel, stage, module, block, stream, max_side, device)
    if as_json:
        click.echo(json.dumps(done.as_dict(), indent=2))
    else:
        click.echo(f'Wrote {", ".join(done.pictures)} and explanation.json to {output}.')
