"""`hrformer-mm export`."""

import json
from dataclasses import asdict

import click

from ..common import cfg_options, errors


@click.command('export')
@click.argument('config')
@click.argument('checkpoint')
@click.argument('output', type=click.Path())
@click.option(
    '--format',
    'format_',
    type=click.Choice(['onnx', 'openvino', 'torch', 'aoti']),
    help='ONNX (.onnx); OpenVINO (.xml, .bin); a program of torch.export (.pt2); or one that AOTInductor '
    'compiled for this CPU (.pt2). Default: by the suffix of OUTPUT, torch for .pt2.',
)
@click.option(
    '--size',
    type=click.IntRange(min=1),
    nargs=2,
    metavar='HEIGHT WIDTH',
    help='Of the images. Default: what the model is for.',
)
@click.option('--batch', type=click.IntRange(min=1), default=1, show_default=True, help='Images at a time.')
@click.option('--dynamic-batch', is_flag=True, help='The file takes any number of images.')
@click.option('--dynamic-size', is_flag=True, help='The file takes any height and width that are multiples of 32.')
@click.option(
    '--check-size',
    'check_sizes',
    type=click.IntRange(min=1),
    nargs=2,
    multiple=True,
    metavar='HEIGHT WIDTH',
    help='One more size to compare at; may be repeated.',
)
@click.option(
    '--repeats',
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help='Timed runs at each size; the quickest counts.',
)
@click.option('--bf16', 'precision', flag_value='bf16', help='Compute in bfloat16 (OpenVINO).')
@click.option('--int8', 'precision', flag_value='int8', help='Quantize to int8, with NNCF (OpenVINO).')
@click.option(
    '--calibration',
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Images of the config's training data, by which the ranges of int8 are chosen.",
)
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
def command(
    config: str,
    checkpoint: str,
    output: str,
    format_: str | None,
    size: tuple[int, int] | None,
    batch: int,
    dynamic_batch: bool,
    dynamic_size: bool,
    check_sizes: tuple[tuple[int, int], ...],
    repeats: int,
    precision: str | None,
    calibration: int,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Export the model of CONFIG (a file or a name in the zoo) with the weights of CHECKPOINT to OUTPUT.

    The file is run beside PyTorch. It is written only if no result differs by more than 1e-4 of the largest, or with
    --bf16 and --int8 by more than docs/export.md states.
    """
    with errors():
        from ..config import parse_options
        from .exporting import export as run

        try:
            done = run(
                config,
                checkpoint,
                output,
                format_,
                size,
                batch,
                dynamic_batch,
                dynamic_size,
                check_sizes,
                repeats,
                parse_options(options),
                precision or 'f32',
                calibration,
            )
        except ArithmeticError as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2))
        return
    click.echo(f'{"images":>18}{"difference":>13}{done.format:>13}{"PyTorch":>13}')
    for check in done.checks:
        shape = 'x'.join(map(str, check['shape']))
        click.echo(
            f'{shape:>18}{check["difference"]:13.1e}{check["milliseconds"]:10.1f} ms'
            f'{check["pytorch_milliseconds"]:10.1f} ms'
        )
    click.echo(f'Wrote {done.path}: largest relative difference {done.difference:.1e}.')
