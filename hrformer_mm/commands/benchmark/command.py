"""`hrformer-mm benchmark`."""

import json
import sys
from pathlib import Path
from typing import Any, Optional

import click

from ..common import bar, errors


@click.command()
@click.option('--arch', type=click.Choice(['tiny', 'small', 'base']), default='base', show_default=True)
@click.option('--suite', is_flag=True,
              help="Time all that docs/gpu.md lists, as '--device cuda' does where nothing else is asked for.")
@click.option('--budget', type=click.FloatRange(min=0), default=450, show_default=True, metavar='SECONDS',
              help='Of the suite: what does not fit is left out.')
@click.option('--size', 'sizes', type=int, nargs=2, multiple=True, show_default='256 192',
              metavar='HEIGHT WIDTH', help='Of the images, multiples of 32; may be repeated.')
@click.option('--batch', type=click.IntRange(min=1), help='Images at a time. Default: 1')
@click.option('--train', is_flag=True, help='Time forward and backward passes, and our ways to save memory in them.')
@click.option('--ocr', is_flag=True, help="Time HRFormer + OCR from image to logits, against mmseg's.")
@click.option('--attention', is_flag=True, help='Time window attention alone, on the map of stride 4.')
@click.option('--context', is_flag=True, help="Time mmpretrain's Swin-S and HRNet-W48 too.")
@click.option('--deploy/--no-deploy', default=True, show_default=True, help='Time the deployment form too.')
@click.option('--compile', is_flag=True, help='Time compiled models too; compiling takes minutes.')
@click.option('--graphs', is_flag=True, help='Time the deployment form in CUDA graphs too.')
@click.option('--dtype', type=click.Choice(['float32', 'bf16', 'fp16']),
              help='fp16 is for CUDA alone. Default: float32; of the suite bf16.')
@click.option('--device', type=click.Choice(['cpu', 'cuda']), default='cpu', show_default=True)
@click.option('--threads', type=click.IntRange(min=1), help="Of the CPU. Default: torch's own choice.")
@click.option('--runs', type=click.IntRange(min=1), default=10, show_default=True, help='Counted, of each.')
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
@click.option('--picture', type=click.Path(dir_okay=False, writable=True), metavar='FILE',
              help='Draw time against size to FILE.')
def benchmark(suite: bool, budget: float, threads: Optional[int], as_json: bool, picture: Optional[str],
              sizes: tuple[tuple[int, int], ...], batch: Optional[int], dtype: Optional[str], **arguments: Any) -> None:
    """Time HRFormer against mmpose's: one process, same weights, turn by turn, medians.

    "Of floor" is the share of the time that the multiply-adds alone need at the rate of matrix products measured in
    the same run, and of the suite the larger of this and the time of the maps at the rate of copies; "ratio" is that
    of peak memory to the first line's; "growth" is the time per pixel over that at the first size.
    """
    import torch
    from rich.console import Console

    from . import benchmarking as tool
    from .attention import attention_table
    from .report import footnote, table
    chosen = sizes or batch is not None or picture is not None or any(
        arguments[name] for name in ('train', 'ocr', 'attention', 'context', 'compile', 'graphs'))
    if suite and chosen:
        raise click.UsageError('--suite has its own sizes, batches and rows: leave the others out')
    suite = suite or (arguments['device'] == 'cuda' and not chosen)
    if threads is not None:
        if arguments['device'] != 'cpu':
            raise click.UsageError('--threads is for the CPU: leave it out')
        torch.set_num_threads(threads)
    if picture is not None and not Path(picture).absolute().parent.is_dir():
        raise click.UsageError(f'--picture: there is no folder {Path(picture).absolute().parent}')
    try:
        options = tool.Options(sizes=sizes or ((256, 192), ), batch=batch or 1,
                               dtype=dtype or ('bf16' if suite else 'float32'), **arguments)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if options.attention and picture is not None:
        raise click.UsageError('--picture is of time against size: leave it or --attention out')
    console = Console(highlight=False, file=sys.stdout)  # which is no longer it where errors are caught
    if not console.is_terminal:
        console.width = 200  # a file has room for all columns
    if suite:
        _suite(options, budget, as_json, console)
        return
    with errors():
        result = tool.benchmark_attention(options) if options.attention else tool.benchmark(options, bar)
    if as_json:
        click.echo(json.dumps(result.as_dict(), indent=2))
    else:
        console.print(attention_table(result) if options.attention else table(result))
        console.print(footnote(result), markup=False)
    if picture is not None:
        from .picture import picture as draw
        with errors():
            draw(result, picture)


def _suite(options: Any, budget: float, as_json: bool, console: Any) -> None:
    """Each part is printed when it is done: what comes after may take the machine along."""
    from .suite import benchmark_suite, part_table, suite_footnote
    with errors():
        result = benchmark_suite(options, budget, progress=bar,
                                 on_part=lambda part: None if as_json else console.print(part_table(part)))
    if as_json:
        click.echo(json.dumps(result.as_dict(), indent=2))
    else:
        console.print(suite_footnote(result), markup=False)
    if any((part.problem or '').startswith('failed') for part in result.parts):
        raise click.ClickException('parts of the suite failed, see above')
