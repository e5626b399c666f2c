"""`hrformer-mm predict`."""

import json
import sys
from typing import Optional

import click

from ..common import bar, errors


@click.command('predict')
@click.argument('config')
@click.argument('checkpoint')
@click.argument('inputs', nargs=-1, required=True)
@click.option('-o', '--output', default='predictions', show_default=True, type=click.Path(file_okay=False),
              help='Folder for the pictures, videos and predictions.json.')
@click.option('--device', help="As in 'cpu' or 'cuda:1'. Default: the first GPU, or the CPU.")
@click.option('--batch', type=click.IntRange(min=1), default=1, show_default=True,
              help='Pictures at a time; for poses, boxes.')
@click.option('--boxes', type=click.Path(), help='For poses: JSON, {"picture.jpg": [[x0, y0, x1, y1], …], …}.')
@click.option('--detector', nargs=2, metavar='CONFIG WEIGHTS',
              help='For poses: an mmdet detector, persons its class 0.')
@click.option('--threshold', type=click.FloatRange(0, 1), default=0.3, show_default=True,
              help='Least score of a detection.')
@click.option('--frames', type=click.IntRange(min=1), help='Of each video or camera, so many at most.')
@click.option('--deploy/--no-deploy', default=True, show_default=True, help='Run the faster deployment form.')
@click.option('--json', 'as_json', is_flag=True, help='Print the results, too.')
def command(config: str, checkpoint: str, inputs: tuple[str, ...], output: str, device: Optional[str], batch: int,
            boxes: Optional[str], detector: Optional[tuple[str, str]], threshold: float, frames: Optional[int],
            deploy: bool, as_json: bool) -> None:
    """Run the model of CONFIG (a file or a name in the zoo) with CHECKPOINT on INPUTS.

    INPUTS are pictures, videos, folders, patterns in quotes, or a camera: camera:0. Segmentation is laid over the
    picture beside a legend; poses are drawn as skeletons, of each box or, without boxes, of the whole picture; a
    classifier's five best labels are written into it.
    """
    from .predicting import predict as run
    with errors():
        done = run(config, checkpoint, inputs, output, device, batch, boxes, detector, threshold, frames, bar, deploy)
    if as_json:
        click.echo(json.dumps(done.results, indent=2))
    else:
        click.echo(f'Wrote {len(done.results)} results to {done.folder}: pictures, and predictions.json.')
    for problem in done.problems:
        click.echo(f'Error: {problem}', err=True)
    sys.exit(1 if done.problems else 0)
