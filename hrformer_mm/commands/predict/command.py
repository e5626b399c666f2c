"""`hrformer-mm predict`."""

import json
import sys
from collections import Counter
from typing import Any

import click

from ..common import bar, cfg_options, errors
from .boxes import DETECTOR
from .exported import is_exported, predict_exported
from .sources import is_input

SIZES = 5  # number of sizes that are printed


@click.command('predict')
@click.argument('config')
@click.argument('words', nargs=-1, required=True, metavar='[CHECKPOINT] INPUTS...')
@click.option(
    '-o',
    '--output',
    default='predictions',
    type=click.Path(),
    help='Output folder of the pictures, videos and predictions.json.',
)
@click.option('--device', help="Device, for example 'cpu' or 'cuda:1'. Default: the first GPU, or the CPU.")
@click.option('--batch', type=click.IntRange(min=1), default=1, help='Pictures per batch; for poses, boxes.')
@click.option('--boxes', type=click.Path(), help='For poses: JSON file {"picture.jpg": [[x0, y0, x1, y1], …], …}.')
@click.option('--whole-image', is_flag=True, help='For poses: take one box around each picture.')
@click.option('--detector', metavar='NAME', help=f'For poses: torchvision detector of people.  [default: {DETECTOR}]')
@click.option('--mmdet', nargs=2, metavar='CONFIG WEIGHTS', help='For poses: mmdet detector whose class 0 is person.')
@click.option('--threshold', type=click.FloatRange(0, 1), default=0.3, help='Minimum score of a detection.')
@click.option(
    '--keypoint-threshold',
    type=click.FloatRange(min=0),
    default=0.3,
    help='Minimum score of the keypoints that are drawn. The JSON has all keypoints.',
)
@click.option('--frames', type=click.IntRange(min=1), help='Maximum number of frames of each video or camera.')
@click.option('--smooth/--no-smooth', default=True, help='For poses in videos: smooth boxes and keypoints over time.')
@click.option('--deploy/--no-deploy', default=True, help='Run the deployment form, which is faster.')
@click.option('--flip-test/--no-flip-test', default=None, help="For poses of exported files. Default: the config's.")
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print the results as JSON.')
def command(
    config: str,
    words: tuple[str, ...],
    output: str,
    device: str | None,
    batch: int,
    boxes: str | None,
    whole_image: bool,
    detector: str | None,
    mmdet: tuple[str, str] | None,
    threshold: float,
    keypoint_threshold: float,
    frames: int | None,
    smooth: bool,
    deploy: bool,
    flip_test: bool | None,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run the model of CONFIG (a file or a name in the zoo) with CHECKPOINT on INPUTS.

    INPUTS are pictures, videos, folders, quoted patterns, or a camera: camera:0. The word after CONFIG is the
    CHECKPOINT unless it is one of these. Without CHECKPOINT, the weights released for CONFIG are downloaded
    (hrformer-mm weights). A segmentation is blended with the picture and gets a legend. For poses, a detector finds
    people, and skeletons are drawn. For classification, the five best labels are listed next to the picture. A file
    from `hrformer-mm export` (.onnx or .xml) replaces both CONFIG and CHECKPOINT, and runs without torch.
    """
    exported = is_exported(config)
    checkpoint = None if exported or is_input(words[0]) else words[0]
    inputs = words if checkpoint is None else words[1:]
    if not inputs:
        raise click.UsageError(
            f"Missing argument 'INPUTS...': {checkpoint} is taken for the checkpoint, since it is not a picture, a "
            'video, a folder or a pattern.'
        )
    if mmdet and detector:
        raise click.UsageError('--detector and --mmdet are two detectors: give only one.')
    if exported and options or flip_test is not None and not exported:
        raise click.UsageError(
            '--cfg-options is for configs, and --flip-test for exported files: for a config, give --cfg-options '
            'model.test_cfg.flip_test=False'
        )
    common = (device, batch, boxes, mmdet or detector, threshold, frames, bar)
    with errors():
        if exported:
            done = predict_exported(config, inputs, output, *common, keypoint_threshold, flip_test, whole_image, smooth)
        else:
            from ..config import parse_options
            from .predicting import predict

            changes = parse_options(options)
            done = predict(
                config, checkpoint, inputs, output, *common, deploy, keypoint_threshold, changes, whole_image, smooth
            )
    if as_json:
        click.echo(json.dumps(done.results, indent=2))
    else:
        click.echo('\n'.join(_sizes(done.results)))
        click.echo(f'Wrote {len(done.results)} results to {done.folder}: pictures, and predictions.json.')
    empty = sum(result.get('people') == [] for result in done.results)
    if empty:
        done.notes.append(
            f'in {empty} of {len(done.results)} results there is nobody: a lower --threshold, another --detector or '
            '--boxes FILE may find people'
        )
    for note in done.notes:
        click.echo(f'Note: {note}.', err=True)
    for problem in done.problems:
        click.echo(f'Error: {problem}', err=True)
    sys.exit(1 if done.problems else 0)


def _sizes(results: list[dict[str, Any]]) -> list[str]:
    """List the sizes of the pictures and of the network's inputs, the most frequent ones first."""
    pairs = Counter(
        tuple('{}x{}'.format(*result[key]) for key in ('size', 'input_size'))
        for result in results
        if 'input_size' in result
    ).most_common()
    lines = [f'Pictures of {size} pixels were run at {input_size}.' for (size, input_size), _ in pairs[:SIZES]]
    return lines + [f'{len(pairs) - SIZES} other sizes are in predictions.json.'] * (len(pairs) > SIZES)
