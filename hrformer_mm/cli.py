"""The command line: `hrformer-mm`, or `python -m hrformer_mm`."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

import click

from . import __version__
from .data import synthesize as write_synthetic
from .data.synthesize import LAYOUTS


@click.group(context_settings=dict(help_option_names=['-h', '--help'], max_content_width=110))
@click.version_option(__version__, prog_name='hrformer-mm')
def main() -> None:
    """HRFormer for OpenMMLab. Training and testing are mim's: mim train mmseg configs/…"""


@main.command()
@click.argument('source')
@click.argument('destination', type=click.Path(dir_okay=False))
def convert(source: str, destination: str) -> None:
    """Convert released weights: SOURCE, a file or URL, to DESTINATION, a plain file of tensors.

    Knows the authors' classification, segmentation (v2, v3) and pose files and mmpose's. The result loads strictly
    in the matching config: mim test mmseg CONFIG -C DESTINATION
    """
    from .tools.convert import convert as run
    with _errors():
        done = run(source, destination)
    windows = ', '.join(str(size) for size in done.arguments['window_sizes'])
    click.echo(f'{source} is {done.layout}: HRFormer {done.arch}, windows {windows}.')
    if done.layout.authors and done.layout.task == 'pose':
        click.echo("The authors' pose code does not use its tables of relative position bias: they were set to zero.")
    click.echo(f'Wrote {done.tensors} tensors ({done.parameters:,} parameters) to {destination}.')


@main.command()
@click.argument('directory', type=click.Path(file_okay=False))
@click.option('--only', type=click.Choice(list(LAYOUTS)), multiple=True, help='One data set; may be repeated.')
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True, help='Other seeds, other pictures.')
@click.option('--train', type=click.IntRange(min=1), help='Images for training; by default the data set\'s own number.')
@click.option('--val', type=click.IntRange(min=1), help='Images for validation.')
@click.option('--size', type=int, nargs=2, metavar='WIDTH HEIGHT', help='Of an image, in pixels.')
def synthesize(directory: str, only: tuple[str, ...], seed: int, train: Optional[int], val: Optional[int],
               size: Optional[tuple[int, int]]) -> None:
    """Write small generated data sets under DIRECTORY, laid out as Cityscapes, COCO keypoints and ImageNet are."""
    with _errors():
        folders = write_synthetic(directory, only or tuple(LAYOUTS), seed, _bar, train=train, val=val, size=size)
    for folder in folders:
        click.echo(f'Wrote {folder}.')


@main.command()
@click.option('--arch', type=click.Choice(['tiny', 'small', 'base']), default='base', show_default=True)
@click.option('--size', type=click.IntRange(min=32), nargs=2, default=(256, 192), show_default=True,
              metavar='HEIGHT WIDTH', help='Of the images, multiples of 32.')
@click.option('--batch', type=click.IntRange(min=1), default=1, show_default=True, help='Images at a time.')
@click.option('--train', is_flag=True, help='Time forward and backward passes, and count what they keep.')
@click.option('--bf16', is_flag=True, help='bfloat16 in place of float32.')
@click.option('--threads', type=click.IntRange(min=1), default=2, show_default=True, help='Of the CPU.')
@click.option('--runs', type=click.IntRange(min=1), default=10, show_default=True, help='Counted, of each.')
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
def benchmark(arch: str, size: tuple[int, int], batch: int, train: bool, bf16: bool, threads: int, runs: int,
              as_json: bool) -> None:
    """Time the backbone on the CPU against mmpose's: one process, same weights, turn by turn, medians."""
    import torch

    from .tools.benchmark import benchmark as run
    torch.set_num_threads(threads)
    for name, value in zip(('HEIGHT', 'WIDTH'), size):
        if value % 32:
            raise click.BadParameter(f'{name} is {value}, but must be a multiple of 32', param_hint='--size')
    with _errors():
        rows = run(arch, size, batch, train, bf16, runs, None if as_json else lambda items: _bar(items, 'runs'))
    if as_json:
        click.echo(json.dumps([row.as_dict() for row in rows], indent=2))
        return
    kept = f'{"kept MiB":>10}' if train else ''
    click.echo(f'{"":30}{"median ms":>11}{"lowest":>9}{"highest":>9}{"times as fast":>15}{"error":>10}{kept}')
    for row in rows:
        kept = f'{row.kept:10.0f}' if train else ''
        click.echo(f'{row.name:30}{row.median:11.1f}{row.lowest:9.1f}{row.highest:9.1f}{row.times_as_fast:15.2f}'
                   f'{row.error:10.1e}{kept}')


@main.command()
@click.argument('configs', nargs=-1, required=True)
@click.option('--size', type=click.IntRange(min=1), nargs=2, metavar='HEIGHT WIDTH',
              help='Of the image. Default: what the model is for; 1024 1024 for segmentation.')
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
def complexity(configs: tuple[str, ...], size: Optional[tuple[int, int]], as_json: bool) -> None:
    """Count parameters and multiply-adds of the models of CONFIGS, part by part, on one image.

    "everything" is all convolutions, projections and products of attention that run. "paper" is its table 3's
    convention for poses, without the products; and for the rest that of the authors' counter (tables 5 and 6), which
    pads maps before the projections and adds batch norm, softmax, ReLU and additions.
    """
    from .tools.complexity import complexity as run
    with _errors():
        counts = [run(config, size) for config in configs]
    if as_json:
        click.echo(json.dumps([count.as_dict() for count in counts], indent=2))
        return
    for count in counts:
        click.echo(f'{count.config}, {count.size[0]}x{count.size[1]}')
        click.echo(f'{"":22}{"parameters":>12}{"everything":>14}{"paper":>12}')
        for name, part in (*count.parts.items(), ('total', count.total)):
            everything, paper = part.everything / 1e9, count.paper(part) / 1e9
            click.echo(f'{name:22}{part.parameters:12,}{everything:12.3f} G{paper:10.3f} G')


@main.command()
@click.option('--peers', 'with_peers', is_flag=True, help="The paper's peers too, from the libraries' own configs.")
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
@click.option('--markdown', 'page', type=click.Path(dir_okay=False), is_flag=False, flag_value='docs/model_zoo.md',
              help='Write a page, by default docs/model_zoo.md.')
@click.option('--root', type=click.Path(exists=True, file_okay=False), help='Checkout with a model-index.yml.')
def zoo(with_peers: bool, as_json: bool, page: Optional[str], root: Optional[str]) -> None:
    """All configs in one table: parameters and multiply-adds as counted, beside what is published."""
    from .tools import zoo as tool
    bar = None if as_json else _bar
    with _errors():
        rows = tool.zoo(root, bar)
        if with_peers:
            rows += tool.peers(bar)
        if page:
            Path(page).write_text(tool.markdown(rows), encoding='utf-8')
            click.echo(f'Wrote {page}.')
    if as_json:
        click.echo(json.dumps([row.as_dict() for row in rows], indent=2))
    elif not page:
        click.echo(tool.table(rows))


def _bar(items: Iterable, description: str) -> Iterable:
    with click.progressbar(items, label=description) as bar:
        yield from bar


@contextmanager
def _errors() -> Iterator[None]:
    """What a user can mend is told in one line, without a traceback."""
    try:
        yield
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
