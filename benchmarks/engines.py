"""Times HRFormer and other backbones in several engines: one process, alternating runs, medians.

python benchmarks/engines.py --help
"""

import csv
import os
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # waiting threads of PyTorch would slow the other engines down

import click
import torch
from contenders import backbones, build_peer, make_step, randomize, run
from measure import alternate, environment
from rich import box
from rich.console import Console
from rich.table import Table
from speed import progress
from torch import Tensor, nn

from hrformer_mm import to_deploy
from hrformer_mm.deploy.graph import to_graph_form
from hrformer_mm.deploy.openvino import CompiledModel, import_openvino

OURS, MMPOSE = 'HRFormer-B', "mmpose's HRFormer-B"
PEERS = ('HRNet-W48', 'HRNet-W32', 'ViT-B/16', 'Swin-B')
ENGINES = ('eager', 'compiled', 'deployment form', 'onnxruntime', 'openvino')
DTYPES = ('fp32', 'bf16', 'int8')


@dataclass(frozen=True)
class Row:
    """The time of a model in an engine, in milliseconds per step of `batch` images."""

    model: str
    size: str
    batch: int
    engine: str
    dtype: str
    ms: float
    lowest_ms: float
    machine: str


def models(size: tuple[int, int], names: tuple[str, ...]) -> dict[str, nn.Module]:
    """Build the backbones with random weights; ours and mmpose's have the same."""
    theirs, ours, _ = backbones('base', size)
    built = {name: build_peer(name, size) for name in names if name in PEERS}
    for model in built.values():
        randomize(model)
    built |= {OURS: ours, MMPOSE: theirs}
    for model in built.values():
        model.train(False)  # which returns nothing in mmpose
    return {name: built[name] for name in names}


def in_engine(name: str, model: nn.Module, engine: str, dtype: str, images: Tensor) -> Callable[[], Any] | None:
    """Return the step of a model in an engine, or None if there is none in this dtype."""
    if engine == 'deployment form':
        if name != OURS or dtype == 'int8':
            return None
        own = torch.bfloat16 if dtype == 'bf16' else torch.float32
        return make_step(to_deploy(model).to(images.device, own), run, images.to(own), train=False, autocast=False)
    if engine in ('eager', 'compiled'):
        if dtype == 'int8':
            return None
        model = model.to(images.device)
        model = torch.compile(model) if engine == 'compiled' else model
        return make_step(model, run, images, train=False, autocast=dtype == 'bf16')
    if engine == 'onnxruntime':
        return onnx_step(name, model, images) if dtype == 'fp32' else None
    return None if images.is_cuda else openvino_step(name, model, dtype, images)


def exported(name: str, model: nn.Module, images: Tensor, attention: str) -> torch.export.ExportedProgram:
    images = images.cpu()
    if name == OURS:
        model = to_graph_form(to_deploy(model.cpu()), images, implementation=attention)
    with torch.no_grad():
        return torch.export.export(model.cpu(), (images,), strict=False)


def onnx_step(name: str, model: nn.Module, images: Tensor) -> Callable[[], Any]:
    """TensorRT if onnxruntime has it, CUDA for images on a GPU, or the CPU."""
    import onnxruntime

    available = onnxruntime.get_available_providers()
    wanted = ['TensorrtExecutionProvider', 'CUDAExecutionProvider'] if images.is_cuda else ['CPUExecutionProvider']
    if not set(wanted) & set(available):
        raise ImportError('onnxruntime has no provider for this device: pip install onnxruntime-gpu')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with TemporaryDirectory() as folder:
        path = str(Path(folder, 'model.onnx'))
        torch.onnx.export(exported(name, model, images, 'plain'), dynamo=True, verbose=False).save(path)
        session = onnxruntime.InferenceSession(path, options, providers=[p for p in wanted if p in available])
    feed = {session.get_inputs()[0].name: images.cpu().numpy()}
    return lambda: session.run(None, feed)


@lru_cache(maxsize=1)
def openvino_model(name: str, model: nn.Module, images: Tensor) -> Any:
    return import_openvino().convert_model(exported(name, model, images, 'sdpa'), input=[list(images.shape)])


def openvino_step(name: str, model: nn.Module, dtype: str, images: Tensor) -> Callable[[], Any]:
    converted = openvino_model(name, model, images)
    if dtype == 'int8':  # for its time alone: the ranges of random images do
        import nncf

        data = nncf.Dataset([torch.randn(images.shape).numpy() for _ in range(4)])
        converted = nncf.quantize(converted, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=4)
    compiled = CompiledModel(converted, 'bf16' if dtype == 'bf16' else 'fp32')
    return lambda: compiled(images)


def measure(
    size: tuple[int, int], batch: int, names: tuple[str, ...], forms: list[tuple[str, str]], runs: int, device: str
) -> Iterator[Row]:
    """Time all models in all engines and dtypes at one size."""
    label = f'{size[0]}x{size[1]}, batch {batch}'
    images = torch.randn(batch, 3, *size, device=device)
    steps: dict[tuple[str, str, str], Callable[[], Any]] = {}
    built = models(size, names)
    for name, engine, dtype in progress([(n, *form) for n in names for form in forms], f'{label}, engines'):
        try:
            step = in_engine(name, built[name], engine, dtype, images)
            if step is not None:
                step()
        except Exception as error:  # an exporter that cannot do a peer must not end the comparison
            click.echo(f'\n{name}, {engine}, {dtype}: {type(error).__name__}: {str(error).splitlines()[0]}', err=True)
            continue
        if step is not None:
            steps[name, engine, dtype] = step
    times = alternate(list(steps.values()), runs, device, lambda items: progress(items, f'{label}, runs'))
    machine = environment(device)['machine']
    for (name, engine, dtype), own in zip(steps, times):
        median, lowest = round(statistics.median(own), 1), round(min(own), 1)
        yield Row(name, f'{size[0]}x{size[1]}', batch, engine, dtype, median, lowest, machine)


def table(rows: list[Row]) -> Table:
    made = Table('', 'engine', 'dtype', 'size', 'batch', 'median ms', 'lowest', box=box.SIMPLE)
    for column in made.columns[4:]:
        column.justify = 'right'
    for row in rows:
        made.add_row(
            row.model, row.engine, row.dtype, row.size, str(row.batch), f'{row.ms:.1f}', f'{row.lowest_ms:.1f}'
        )
    return made


def draw(rows: list[Row], path: Path) -> None:
    """Bars: a panel per size and batch, a group per engine and dtype, a bar per model."""
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((row.size, row.batch) for row in rows))
    forms = list(dict.fromkeys((row.engine, row.dtype) for row in rows))
    names = list(dict.fromkeys(row.model for row in rows))
    figure = Figure(figsize=(10, 3.2 * len(panels)), layout='constrained')
    for axes, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels):
        for k, name in enumerate(names):
            found = {(r.engine, r.dtype): r.ms for r in rows if (r.size, r.batch, r.model) == (*panel, name)}
            places = [i + (k - len(names) / 2) * 0.8 / len(names) for i, form in enumerate(forms) if form in found]
            axes.bar(places, [found[form] for form in forms if form in found], 0.8 / len(names), label=name)
        axes.set_xticks(range(len(forms)), [f'{engine}\n{dtype}' for engine, dtype in forms])
        axes.set(ylabel='ms', title=f'{panel[0]}, batch {panel[1]}')
        axes.grid(axis='y', alpha=0.3)
    axes.legend(ncols=len(names), fontsize='small', loc='upper center', bbox_to_anchor=(0.5, -0.2))
    figure.suptitle(rows[0].machine)
    figure.savefig(path, dpi=110)


@click.command()
@click.option('--size', 'sizes', type=int, nargs=2, multiple=True, default=[(256, 192)], metavar='HEIGHT WIDTH')
@click.option('--batch', 'batches', type=click.IntRange(min=1), multiple=True, default=[1], show_default=True)
@click.option('--engine', 'engines', type=click.Choice(ENGINES), multiple=True, help='Default: all but compiled.')
@click.option('--dtype', 'dtypes', type=click.Choice(DTYPES), multiple=True, help='Default: fp32 and bf16.')
@click.option('--model', 'names', type=click.Choice((OURS, MMPOSE, *PEERS)), multiple=True, help='Default: all.')
@click.option('--device', type=click.Choice(['cpu', 'cuda']), default='cpu', show_default=True)
@click.option('--threads', type=click.IntRange(min=1), help="CPU threads. Default: PyTorch's choice.")
@click.option('--runs', type=click.IntRange(min=1), default=10, show_default=True, help='Timed runs of each model.')
@click.option('--csv', 'file', type=click.Path(path_type=Path, dir_okay=False), help='Write the rows to this file.')
@click.option('--picture', type=click.Path(path_type=Path, dir_okay=False), help='Draw the rows into this file.')
def main(
    sizes: tuple[tuple[int, int], ...],
    batches: tuple[int, ...],
    engines: tuple[str, ...],
    dtypes: tuple[str, ...],
    names: tuple[str, ...],
    device: str,
    threads: int | None,
    runs: int,
    file: Path | None,
    picture: Path | None,
) -> None:
    """Time HRFormer-B and other backbones in several engines: one process, alternating runs, medians.

    An engine that is not installed, or cannot run a model, is reported and skipped. bf16 is autocast in PyTorch; the
    deployment form has its weights in bfloat16.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    engines = engines or tuple(engine for engine in ENGINES if engine != 'compiled')
    forms = [(engine, dtype) for engine in engines for dtype in dtypes or ('fp32', 'bf16')]
    rows: list[Row] = []
    with redirect_stdout(sys.stderr), warnings.catch_warnings():  # libraries log to stdout, which is for results
        warnings.simplefilter('ignore')  # of the exporters, about their own parts
        for size in sizes:
            for batch in batches:
                rows += measure(size, batch, names or (OURS, MMPOSE, *PEERS), forms, runs, device)
    Console(highlight=False, file=sys.stdout, width=120).print(table(rows))
    click.echo(f'{rows[0].machine}, torch {torch.__version__}')
    if file is not None:
        with file.open('w', newline='') as stream:
            writer = csv.DictWriter(stream, list(asdict(rows[0])), lineterminator='\n')
            writer.writeheader()
            writer.writerows(map(asdict, rows))
    if picture is not None:
        draw(rows, picture)


if __name__ == '__main__':
    main()
