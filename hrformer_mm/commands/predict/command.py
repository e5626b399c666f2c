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

SIZES = 5  # that are printed


@click.command('predict')
@click.argument('config')
@click.argument('words', nargs=-1, required=True, metavar='[CHECKPOINT] INPUTS...')
@click.option(
    '-o',
    '--output',
    default='predictions',
    show_default=True,
    type=click.Path(),
    help='Folder for the pictures, videos and predictions.json.',
)
@click.option('--device', help="For example 'cpu' or 'cuda:1'. Default: the first GPU, or the CPU.")
@click.option(
    '--batch', type=click.IntRange(min=1), default=1, show_default=True, help='Pictures at a time; for poses, boxes.'
)
@click.option('--boxes', type=click.Path(), help='For poses: JSON, {"picture.jpg": [[x0, y0, x1, y1], …], …}.')
@click.option('--whole-image', is_flag=True, help='For poses: one person fills each picture.')
@click.option('--detector', metavar='NAME', help=f"For poses: torchvision's detector of people.  [default: {DETECTOR}]")
@click.option(
    '--mmdet', nargs=2, metavar='CONFIG WEIGHTS', help='For poses: a detector of mmdet instead, persons its class 0.'
)
@click.option(
    '--threshold', type=click.FloatRange(0, 1), default=0.3, show_default=True, help='Least score of a detection.'
)
@click.option(
    '--keypoint-threshold',
    type=click.FloatRange(min=0),
    default=0.3,
    show_default=True,
    help='Least score of a keypoint that is drawn; the JSON has all.',
)
@click.option('--frames', type=click.IntRange(min=1), help='Of each video or camera, so many at most.')
@click.option(
    '--smooth/--no-smooth',
    default=True,
    show_default=True,
    help='For poses in videos: smooth boxes and keypoints over time.',
)
@click.option('--deploy/--no-deploy', default=True, show_default=True, help='Run the faster deployment form.')
@click.option(
    '--flip-test/--no-flip-test', default=None, help='For poses of an exported file. Default: as its config says.'
)
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print the results, too.')
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

    INPUTS are pictures, videos, folders, patterns in quotes, or a camera: camera:0. What follows CONFIG is the
    CHECKPOINT unless it is one of these; without it, the weights released for CONFIG are fetched (hrformer-mm weights).
    Segmentation is laid over the picture beside a legend; people are found by a detector, and their poses drawn as
    skeletons; a classifier's five best labels are written beside it. A file of `hrformer-mm export` (.onnx or .xml)
    stands for both CONFIG and CHECKPOINT, and runs without torch.
    """
    exported = is_exported(config)
    checkpoint = None if exported or is_input(words[0]) else words[0]
    inputs = words if checkpoint is None else words[1:]
    if not inputs:
        raise click.UsageError(
            f"Missing argument 'INPUTS...': {checkpoint} is taken for the checkpoint, since it is "
            'not a picture, a video, a folder or a pattern.'
        )
    if mmdet and detector:
        raise click.UsageError('--detector and --mmdet are two detectors: give one.')
    if exported and options or flip_test is not None and not exported:
        raise click.UsageError(
            '--cfg-options is for configs, and --flip-test for exported files: for a config, give '
            '--cfg-options model.test_cfg.flip_test=False'
        )
    with errors():
        if exported:
            done = predict_exported(
                config,
                inputs,
                output,
                device,
                batch,
                boxes,
                mmdet or detector,
                threshold,
                frames,
                bar,
                keypoint_threshold,
                flip_test,
                whole_image,
                smooth,
            )
        else:
            from ..config import parse_options
            from .predicting import predict

            done = predict(
                config,
                checkpoint,
                inputs,
                output,
                device,
                batch,
                boxes,
                mmdet or detector,
                threshold,
                frames,
                bar,
                deploy,
                keypoint_threshold,
                parse_options(options),
                whole_image,
                smooth,
            )
    if as_json:
        click.echo(json.dumps(done.results, indent=2))
    else:
        click.echo('\n'.join(_sizes(done.results)))
        click.echo(f'Wrote {len(done.results)} results to {done.folder}: pictures, and predictions.json.')
    empty = sum(result.get('people') == [] for result in done.results)
    if empty:
        done.notes.append(
            f'in {empty} of {len(done.results)} results there is nobody: a lower --threshold, another '
            '--detector or --boxes FILE may find people'
        )
    for note in done.notes:
        click.echo(f'Note: {note}.', err=True)
    for problem in done.problems:
        click.echo(f'Error: {problem}', err=True)
    sys.exit(1 if done.problems else 0)


def _sizes(results: list[dict[str, Any]]) -> list[str]:
    """Which sizes the network saw, the most frequent ones first."""
    pairs = Counter(
        tuple('{}x{}'.format(*result[key]) for key in ('size', 'input_size'))
        for result in results
        if 'input_size' in result
    ).most_common()
    lines = [f'Pictures of {size} pixels were run at {input_size}.' for (size, input_size), _ in pairs[:SIZES]]
    return lines + [f'{len(pairs) - SIZES} other sizes are in predictions.json.'] * (len(pairs) > SIZES)
