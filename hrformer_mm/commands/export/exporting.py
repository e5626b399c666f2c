"""Export a model, and compare the file with PyTorch."""

import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...deploy.graph import to_graph_form
from ...deploy.openvino import import_openvino, openvino_model
from ...runtime.metadata import KEY
from ..folder import check_file
from ..model import load_model, read_config
from .calibration import CalibrationImages
from .engines import open_file
from .int8 import import_nncf, quantize
from .metadata import metadata
from .network import Network, check_size, dynamic_shapes

FORMATS = dict(onnx='.onnx', openvino='.xml', torch='.pt2', aoti='.pt2')
OPSET = 23
# Limits of the largest difference from PyTorch, relative to the largest output; for int8, which has outliers, of the
# root mean square of the differences, relative to that of the outputs.
TOLERANCES = dict(f32=1e-4, bf16=0.1, int8=0.2)
CHECKED = 8  # number of calibration images on which int8 is compared


@dataclass
class Exported:
    """An exported file and its checks.

    A check has the `shape` of the images (N, C, H, W), the `difference` from PyTorch, relative to the output, and the
    `milliseconds` and `pytorch_milliseconds` of a run.
    """

    path: str
    format: str
    checks: list[dict[str, Any]]

    @property
    def difference(self) -> float:
        return max(check['difference'] for check in self.checks)


def export(
    config: str,
    checkpoint: str,
    output: str,
    format: str | None = None,
    size: Sequence[int] | None = None,
    batch: int = 1,
    dynamic_batch: bool = False,
    dynamic_size: bool = False,
    check_sizes: Sequence[Sequence[int]] = (),
    repeats: int = 1,
    options: Mapping[str, Any] | None = None,
    precision: str = 'f32',
    calibration: int = 300,
) -> Exported:
    """Export the model of a config, and compare the results of the file with PyTorch's.

    Args:
        config, checkpoint (str): A config file or a name in the zoo, and its weights.
        output (str): The file to write. It is created only after it has passed the comparison.
        format (str, optional): 'onnx', 'openvino', 'torch' (torch.export) or 'aoti' (AOTInductor, for this CPU).
            Default: chosen by the suffix of `output`: .onnx, .xml or .pt2 (torch).
        size (Sequence[int], optional): Height and width. Default: the size after the test pipeline.
        batch (int): Batch size. Default: 1.
        dynamic_batch, dynamic_size (bool): Make the batch size, or height and width in multiples of 32, dynamic.
            Default: False.
        check_sizes (Sequence[Sequence[int]]): Additional sizes to compare, which requires `dynamic_size`. Default: ().
        repeats (int): Timed runs per shape, of which the fastest is reported. Default: 1.
        options (Mapping[str, Any], optional): Changes to the config.
        precision (str): 'f32', or for OpenVINO also 'bf16' and 'int8'. Default: 'f32'.
        calibration (int): Number of training images that calibrate int8. Default: 300.

    Raises:
        ImportError: If a library is missing.
        FileNotFoundError, ValueError: If an argument is invalid.
        ArithmeticError: If the results differ by more than the precision allows. Nothing is written.
    """
    format = format or _format_of(output)
    destination = _check_output(output, format, [config, checkpoint])
    if format == 'openvino' and (dynamic_batch or dynamic_size):
        raise ValueError(
            "OpenVINO's format takes images of one shape: leave out --dynamic-batch and --dynamic-size, or export to "
            '.onnx, which OpenVINO reads too'
        )
    if precision != 'f32' and format != 'openvino':
        raise ValueError(f'{precision} is for files of OpenVINO, but the format is {format}: choose an output .xml')
    if precision == 'int8':
        import_nncf()
    if check_sizes and not dynamic_size:
        raise ValueError(f'check_sizes is {check_sizes}, but the file takes one size only: add --dynamic-size')
    cfg = read_config(config, options=options)
    for one in ([size] if size is not None else []) + list(check_sizes):
        check_size(one, dynamic_size)
    model = load_model(cfg, checkpoint)
    about = dict(metadata(cfg, model), precision=precision)
    size = _choose_size(about, size)
    check_size(size, dynamic_size)
    images = None
    if precision == 'int8':
        images = CalibrationImages(cfg, model, about, calibration)
        about['calibration'] = dict(images=len(images), split=images.split, nncf=import_nncf().__version__)
    network = Network(model, cfg.default_scope)
    # torch.export specializes to a batch of 1 if the example has one image.
    example = torch.randn(max(batch, 2) if dynamic_batch else batch, about['channels'], *size)
    shapes = dynamic_shapes(dynamic_batch, dynamic_size)
    handle, temporary = tempfile.mkstemp(dir=destination.parent, prefix='.export', suffix=FORMATS[format])
    os.close(handle)
    weights = Path(temporary).with_suffix('.bin')  # the second file of OpenVINO's format
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # the exporters warn about their own internals
            run = _WRITERS[format](network, example, shapes, temporary, about, images)
            tried = [(batch, size), *([(batch + 1, size)] if dynamic_batch else ()), *((batch, s) for s in check_sizes)]
            checked = [(count, about['channels'], *one) for count, one in tried]
            result = Exported(
                str(destination), format, [_compare(network, run, shape, repeats, images) for shape in checked]
            )
        if not result.difference <= TOLERANCES[precision]:
            raise ArithmeticError(
                f"{destination} was not written: its results differ from PyTorch's by {result.difference:.1e}, more "
                f'than the {TOLERANCES[precision]:.0e} of {precision}'
            )
        for part, target in ((weights, destination.with_suffix('.bin')), (Path(temporary), destination)):
            if part.exists():
                os.chmod(part, 0o644)
                os.replace(part, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
        weights.unlink(missing_ok=True)
    return result


def _choose_size(about: dict[str, Any], size: Sequence[int] | None) -> tuple[int, int]:
    """Return `size`, by default the size after the pipeline, and adapt the metadata to it."""
    own = about['size']
    if size is None and own is None:
        raise ValueError('the size after the test pipeline depends on the picture: choose one with --size HEIGHT WIDTH')
    height, width = size = tuple(size or own)
    if about['task'] == 'pose' and list(size) != own:
        codec = about['codec']
        codec['heatmap_size'] = [
            heatmap * new // old for heatmap, new, old in zip(codec['heatmap_size'], size[::-1], own[::-1])
        ]
        codec['input_size'] = list(size[::-1])
    about['size'] = [height, width]
    return height, width


def _format_of(output: str) -> str:
    for format, suffix in FORMATS.items():
        if Path(output).suffix == suffix:
            return format
    raise ValueError(
        f'the output is {output}, but must end in one of {", ".join(dict.fromkeys(FORMATS.values()))}, '
        'which chooses the format'
    )


def _check_output(output: str, format: str, inputs: Sequence[str]) -> Path:
    if Path(output).suffix != FORMATS[format]:
        raise ValueError(f'the output is {output}, but a file of format {format} must end in {FORMATS[format]}')
    return check_file(output, inputs)


Run = Callable[[Tensor], Tensor]


def _open(path: str, precision: str = 'f32') -> Run:
    """Return a function that runs a file in its engine."""
    engine = open_file(path)
    engine.compile(precision)
    return lambda images: torch.from_numpy(engine.run(images.numpy()))


def _onnx(network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], _: None) -> Run:
    try:
        import onnxruntime  # noqa: F401  (runs the file)
        import onnxscript  # noqa: F401  (torch.onnx requires it)
    except ImportError as error:
        raise ImportError(f"ONNX needs {error.name}: pip install 'hrformer_mm[export]'") from error
    program: Any = torch.onnx.export(
        network if 2 in shapes else to_graph_form(network, example),
        (example,),
        dynamo=True,
        dynamic_shapes={'images': shapes},
        verbose=False,
        opset_version=OPSET,
        input_names=['images'],
        output_names=['output'],
    )
    program.model.metadata_props[KEY] = json.dumps(about)
    program.save(path)
    return _open(path)


def record(network: nn.Module, example: Tensor, shapes: dict) -> torch.export.ExportedProgram:
    """Record a network with torch.export for images like `example`, with the dynamic dimensions `shapes`."""
    if 2 not in shapes:
        network = to_graph_form(network, example)
        return torch.export.export(network, (example,), dynamic_shapes=(shapes,), strict=False)
    from torch.fx.experimental import _config

    # Otherwise, a map that is one window high or wide in the example would have to be so for all sizes.
    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(
            network,
            (example,),
            dynamic_shapes=(shapes,),
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )


def _torch(network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], _: None) -> Run:
    torch.export.save(record(network, example, shapes), path, extra_files={KEY: json.dumps(about)})
    return _open(path)


def _aoti(network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], _: None) -> Run:
    shape = [None if i in shapes else side for i, side in enumerate(example.shape)]
    torch._inductor.aoti_compile_and_package(
        record(network, example, shapes),
        package_path=path,
        inductor_configs={'aot_inductor.metadata': {KEY: json.dumps(about), 'shape': json.dumps(shape)}},
    )
    return _open(path)


def _openvino(
    network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], images: CalibrationImages | None
) -> Run:
    model = openvino_model(network, example)
    if images is not None:
        model = quantize(model, images, example.shape[0])
    model.inputs[0].set_names({'images'})
    model.outputs[0].set_names({'output'})
    model.set_rt_info(json.dumps(about), [KEY])
    import_openvino().save_model(model, path, compress_to_fp16=False)
    return _open(path, about['precision'])


_WRITERS: dict[str, Callable[..., Run]] = dict(onnx=_onnx, openvino=_openvino, torch=_torch, aoti=_aoti)


def _compare(
    network: Network, run: Run, shape: Sequence[int], repeats: int, images: CalibrationImages | None
) -> dict[str, Any]:
    if images is None:
        batches = [torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))]
    else:  # noise would exceed the ranges of int8
        indices = np.linspace(0, len(images) - 1, min(CHECKED, len(images))).astype(int)
        batches = [F.interpolate(images[i], shape[2:]).repeat(shape[0], 1, 1, 1) for i in indices]
    wanted, own = _time(network, batches, repeats)
    got, theirs = _time(run, batches, repeats)
    if got.shape != wanted.shape:
        raise ArithmeticError(
            f'for images {tuple(shape)}, the file returns {tuple(got.shape)}, but PyTorch {tuple(wanted.shape)}'
        )
    if images is None:
        difference = (got - wanted).abs().max() / wanted.abs().max()
    else:
        difference = (got - wanted).norm() / wanted.norm()
    return dict(shape=list(shape), difference=difference.item(), milliseconds=theirs, pytorch_milliseconds=own)


def _time(run: Run, batches: Sequence[Tensor], repeats: int) -> tuple[Tensor, float]:
    """Run each batch; returns the outputs and the milliseconds of the last batch, the fastest of `repeats` runs."""
    outputs = [run(images) for images in batches]  # the first run includes preparation
    best = float('inf')
    for _ in range(repeats):
        start = time.perf_counter()
        run(batches[-1])
        best = min(best, (time.perf_counter() - start) * 1e3)
    return torch.cat(outputs), best
