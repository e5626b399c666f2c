"""`hrformer-mm export`."""

import json
from dataclasses import asdict
from typing import Any

import click

from ..common import cfg_options, errors


@click.command('export')
@click.argument('config')
@click.argument('checkpoint')
@click.argument('output', type=click.Path())
@click.option(
    '--format',
    type=click.Choice(['onnx', 'openvino', 'torch', 'aoti']),
    help='onnx (.onnx), openvino (.xml and .bin), torch for torch.export (.pt2), or aoti for AOTInductor on this CPU '
    '(.pt2). Default: chosen by the suffix of OUTPUT; torch for .pt2.',
)
@click.option(
    '--size',
    type=click.IntRange(min=1),
    nargs=2,
    metavar='HEIGHT WIDTH',
    help='Size of the images. Default: the size after the test pipeline.',
)
@click.option('--batch', type=click.IntRange(min=1), default=1, help='Images per batch.')
@click.option('--dynamic-batch', is_flag=True, help='Make the batch size dynamic.')
@click.option('--dynamic-size', is_flag=True, help='Make height and width dynamic, in multiples of 32.')
@click.option(
    '--check-size',
    'check_sizes',
    type=click.IntRange(min=1),
    nargs=2,
    multiple=True,
    metavar='HEIGHT WIDTH',
    help='Additional size to compare with PyTorch. Repeatable.',
)
@click.option('--repeats', type=click.IntRange(min=1), default=1, help='Timed runs per size. The fastest is reported.')
@click.option('--bf16', 'precision', flag_value='bf16', help='Compute in bfloat16 (OpenVINO).')
@click.option('--int8', 'precision', flag_value='int8', help='Quantize to int8, with NNCF (OpenVINO).')
@click.option(
    '--calibration',
    type=click.IntRange(min=1),
    default=300,
    help="Number of the config's training images that calibrate int8.",
)
@cfg_options
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
def command(
    config: str,
    checkpoint: str,
    output: str,
    precision: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: Any,
) -> None:
    """Export the model of CONFIG (a file or a name in the zoo) with the weights of CHECKPOINT to OUTPUT.

    The results of the file are compared with PyTorch's. OUTPUT is written only if they differ by at most 1e-4 of the
    largest value. The limits for --bf16 and --int8 are in docs/export.md.
    """
    with errors():
        from ..config import parse_options
        from .exporting import export as run

        try:
            changes = parse_options(options)
            done = run(config, checkpoint, output, options=changes, precision=precision or 'f32', **settings)
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
