"""Times HRFormer against mmpose's: same weights, one process, alternating runs, medians.

python benchmarks/speed.py --help
"""

import json
import statistics
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from typing import Any

import click
import torch
from contenders import DTYPES, OURS, VARIANTS, Contender, Settings, contenders
from measure import alternate, environment, gemm_rate, held_bytes, operations, peak_bytes
from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """What a contender costs at one size.

    Args:
        name (str): The contender's name.
        median_ms, lowest_ms, highest_ms (float): Time of a step.
        times_as_fast (float): The first contender's median over this one's.
        of_floor (float): The time that the multiply-adds alone take at the machine's rate of matrix products, over the
            median. Those of our eager form stand for all forms of HRFormer; a training step has three times as many as
            its forward pass.
        peak_mib (float): Peak memory of tensors: the model, the images and what the step allocates.
        memory_ratio (float): The peak over the first contender's.
        error (float, optional): Distance of the outputs to the first contender's, over their norm. None for another
            network.
    """

    name: str
    median_ms: float
    lowest_ms: float
    highest_ms: float
    times_as_fast: float
    of_floor: float
    peak_mib: float
    memory_ratio: float
    error: float | None


def measure(settings: Settings, size: tuple[int, int], runs: int, rate: float) -> list[Row]:
    """All contenders at one size."""
    label = f'{size[0]}x{size[1]}'
    torch.compiler.reset()  # a second size must not compile for dynamic shapes
    models = list(contenders(settings, size))
    outputs = [[y.float().cpu() for y in model.step()] for model in progress(models, f'{label}, first steps')]
    errors = [
        None if model.context else max(((y - x).norm() / x.norm()).item() for y, x in zip(own, outputs[0]))
        for model, own in zip(models, outputs)
    ]
    peaks = [peak_memory(model, settings, size) for model in progress(models, f'{label}, memory')]
    times = alternate(
        [model.step for model in models], runs, settings.device, lambda items: progress(items, f'{label}, runs')
    )
    images = torch.empty(settings.batch, 3, *size)
    counts = {
        model.name: operations(model.model, model.forward, images) * (3 if settings.train else 1)
        for model in models
        if model.context or model.name == OURS
    }
    medians = [statistics.median(own) for own in times]
    return [
        Row(
            model.name,
            median,
            min(own),
            max(own),
            medians[0] / median,
            1000 * counts.get(model.name, counts[OURS]) / rate / median,
            peak / 2**20,
            peak / peaks[0],
            error,
        )
        for model, own, median, peak, error in zip(models, times, medians, peaks, errors)
    ]


def peak_memory(contender: Contender, settings: Settings, size: tuple[int, int]) -> int:
    dtype = next((parameter.dtype for parameter in contender.model.parameters()), torch.float32)
    images = settings.batch * 3 * size[0] * size[1] * dtype.itemsize
    return held_bytes(contender.model) + images + peak_bytes(contender.step, settings.device)


def progress(items: Iterable, description: str) -> Iterable:
    with click.progressbar(items, label=description, file=sys.stderr) as shown:
        yield from shown


def table(sections: dict[str, list[Row]]) -> Table:
    """A section per size, a row per contender."""
    made = Table(
        '', 'median ms', 'lowest', 'highest', 'times as fast', 'of floor', 'peak MiB', 'ratio', 'error', box=box.SIMPLE
    )
    for column in made.columns[1:]:
        column.justify = 'right'
    for size, rows in sections.items():
        made.add_row(size, style='bold')
        for row in rows:
            made.add_row(
                row.name,
                *(f'{ms:.1f}' for ms in (row.median_ms, row.lowest_ms, row.highest_ms)),
                f'{row.times_as_fast:.2f}',
                f'{row.of_floor:.0%}',
                f'{row.peak_mib:.0f}',
                f'{row.memory_ratio:.2f}',
                '' if row.error is None else f'{row.error:.1e}',
            )
        made.add_section()
    return made


@click.command()
@click.option('--arch', type=click.Choice(list(VARIANTS)), default='base', show_default=True)
@click.option(
    '--size',
    'sizes',
    type=int,
    nargs=2,
    multiple=True,
    default=[(256, 192)],
    show_default=True,
    metavar='HEIGHT WIDTH',
    help='Of the images, multiples of 32. Repeatable.',
)
@click.option('--batch', type=click.IntRange(min=1), default=1, show_default=True, help='Images per step.')
@click.option('--train', is_flag=True, help='Time training steps: forward and backward, with activation checkpointing.')
@click.option('--ocr', is_flag=True, help="Time HRFormer + OCR from image to logits, against mmseg's cascade.")
@click.option('--openvino', is_flag=True, help='Add OpenVINO, best with OMP_WAIT_POLICY=PASSIVE in the environment.')
@click.option('--context', is_flag=True, help="Add mmpretrain's HRNet-W48 and ViT-B/16.")
@click.option(
    '--compile',
    is_flag=False,
    flag_value='default',
    metavar='[MODE]',
    type=click.Choice(['default', 'reduce-overhead', 'max-autotune']),
    help='Add compiled models. MODE is default, reduce-overhead or max-autotune, of torch.compile.',
)
@click.option(
    '--dtype',
    type=click.Choice(list(DTYPES)),
    default='float32',
    show_default=True,
    help='bf16 is autocast; the deployment form has its weights in bf16.',
)
@click.option('--device', type=click.Choice(['cpu', 'cuda']), default='cpu', show_default=True)
@click.option('--threads', type=click.IntRange(min=1), help="CPU threads. Default: PyTorch's choice.")
@click.option('--runs', type=click.IntRange(min=1), default=10, show_default=True, help='Timed runs of each model.')
@click.option('--json', 'as_json', is_flag=True, help='Print JSON instead of a table.')
def main(sizes: tuple[tuple[int, int], ...], threads: int | None, runs: int, as_json: bool, **options: Any) -> None:
    """Time HRFormer against mmpose's: same weights, one process, alternating runs, medians."""
    settings = Settings(**options)
    if any(side < 32 or side % 32 for size in sizes for side in size):
        raise click.UsageError(f'--size is {sizes}, but mmpose needs positive multiples of 32')
    if settings.ocr and (settings.train or settings.context):
        raise click.UsageError(f'--ocr is incompatible with {"--train" if settings.train else "--context"}')
    if settings.openvino and (settings.train or settings.device == 'cuda'):
        raise click.UsageError(f'--openvino is incompatible with {"--train" if settings.train else "--device cuda"}')
    if settings.device == 'cuda' and not torch.cuda.is_available():
        raise click.UsageError('--device cuda: PyTorch finds no CUDA device')
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    try:
        with redirect_stdout(sys.stderr):  # libraries log to stdout, which is for results
            rate = gemm_rate(settings.device, DTYPES[settings.dtype])
            sections = {f'{size[0]}x{size[1]}': measure(settings, size, runs, rate) for size in sizes}
    except ImportError as error:
        raise click.ClickException(
            f'{error}: the peers come from mmpose, mmseg (--ocr) and mmpretrain (--context)'
        ) from error
    machine = environment(settings.device)
    if as_json:
        click.echo(
            json.dumps(
                dict(
                    settings=asdict(settings),
                    environment=machine,
                    gemm_gflops=rate / 1e9,
                    sections={size: [asdict(row) for row in rows] for size, rows in sections.items()},
                ),
                indent=2,
            )
        )
        return
    console = Console(highlight=False, file=sys.stdout, width=140)
    console.print(table(sections))
    what = 'training step' if settings.train else 'inference'
    console.print(
        f'HRFormer {settings.arch}{" + OCR" if settings.ocr else ""}, {what}, batch {settings.batch}, '
        f'{settings.dtype}; {machine["machine"]}, torch {machine["torch"]}; '
        f'floor: matrix products at {rate / 1e9:.0f} GFLOP/s',
        markup=False,
    )


if __name__ == '__main__':
    main()
