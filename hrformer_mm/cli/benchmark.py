"""`hrformer-mm benchmark`."""

import json
from pathlib import Path
from typing import Any, Optional

import click

from .common import bar, errors


@click.command()
@click.option('--arch', type=click.Choice(['tiny', 'small', 'base']), default='base', show_default=True)
@click.option('--size', 'sizes', type=int, nargs=2, multiple=True, default=((256, 192), ), show_default='256 192',
              metavar='HEIGHT WIDTH', help='Of the images, multiples of 32; may be repeated.')
@click.option('--batch', type=click.IntRange(min=1), default=1, show_default=True, help='Images at a time.')
@click.option('--train', is_flag=True, help='Time forward and backward passes, and our ways to save memory in them.')
@click.option('--ocr', is_flag=True, help="Time HRFormer + OCR from image to logits, against mmseg's.")
@click.option('--attention', is_flag=True, help='Time window attention alone, on the map of stride 4.')
@click.option('--context', is_flag=True, help="Time mmpretrain's Swin-S and HRNet-W48 too.")
@click.option('--deploy/--no-deploy', default=True, show_default=True, help='Time the deployment form too.')
@click.option('--compile', is_flag=True, help='Time compiled models too; compiling takes minutes.')
@click.option('--dtype', type=click.Choice(['float32', 'bf16', 'fp16']), default='float32', show_default=True,
              help='fp16 is for CUDA alone.')
@click.option('--device', type=click.Choice(['cpu', 'cuda']), default='cpu', show_default=True)
@click.option('--threads', type=click.IntRange(min=1), help="Of the CPU. Default: torch's own choice.")
@click.option('--runs', type=click.IntRange(min=1), default=10, show_default=True, help='Counted, of each.')
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
@click.option('--picture', type=click.Path(dir_okay=False, writable=True), metavar='FILE',
              help='Draw time against size to FILE.')
def benchmark(threads: Optional[int], as_json: bool, picture: Optional[str], **arguments: Any) -> None:
    """Time HRFormer against mmpose's: one process, same weights, turn by turn, medians.

    "Of floor" is the share of the time that the multiply-adds alone need at the rate of matrix products measured in
    the same run; "ratio" is that of peak memory to the first line's; "growth" is the time per pixel over that at
    the first size.
    """
    import torch
    from rich.console import Console

    from ..tools import benchmark as tool
    from ..tools.benchmark.attention import attention_table
    from ..tools.benchmark.report import footnote, table
    if threads is not None:
        if arguments['device'] != 'cpu':
            raise click.UsageError('--threads is for the CPU: leave it out')
        torch.set_num_threads(threads)
    if picture is not None and not Path(picture).absolute().parent.is_dir():
        raise click.UsageError(f'--picture: there is no folder {Path(picture).absolute().parent}')
    try:
        options = tool.Options(**arguments)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if options.attention and picture is not None:
        raise click.UsageError('--picture is of time against size: leave it or --attention out')
    with errors():
        result = tool.benchmark_attention(options) if options.attention else tool.benchmark(options, bar)
    if as_json:
        click.echo(json.dumps(result.as_dict(), indent=2))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = 200  # a file has room for all columns
        console.print(attention_table(result) if options.attention else table(result))
        console.print(footnote(result), markup=False)
    if picture is not None:
        from ..tools.benchmark.picture import picture as draw
        with errors():
            draw(result, picture)
