"""Export, and the check of what was exported against PyTorch."""

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
from ...runtime.metadata import KEY
from ..folder import check_file
from ..model import load_model, read_config
from .calibration import CalibrationImages
from .int8 import import_nncf
from .metadata import metadata
from .network import Network, check_size, dynamic_shapes
from .openvino import write_openvino

FORMATS = dict(onnx='.onnx', openvino='.xml', torch='.pt2', aoti='.pt2')
OPSET = 23
# Of the largest difference from PyTorch, as a part of the largest output; of int8, which has outliers, of the root mean
# square of the differences, as a part of that of the outputs.
TOLERANCES = dict(f32=1e-4, bf16=0.1, int8=0.2)
CHECKED = 8  # images of the calibration data that int8 is compared on


@dataclass
class Exported:
    """A file, and for each shape of images (N, C, H, W) that was tried the largest difference from PyTorch, as a part
    of the largest output, with the milliseconds of both."""

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
    """Export the model of a config, and compare the file's results with PyTorch's.

    Args:
        config, checkpoint (str): A config or a name in the zoo, and its weights.
        output (str): The file to write; it appears when it has passed the check.
        format (str, optional): 'onnx'; 'openvino'; 'torch', a program of torch.export; 'aoti', one that AOTInductor
            compiled for this CPU. Default: by the suffix of `output`, .onnx, .xml or .pt2 (torch).
        size (Sequence[int], optional): Height and width. Default: what the test pipeline gives.
        batch (int): Images at a time.
        dynamic_batch, dynamic_size (bool): Whether the file takes any batch; and any multiples of 32 as size.
        check_sizes (Sequence): More sizes to compare at, if the file takes any.
        repeats (int): How often each of both runs; the quickest counts.
        options (Mapping[str, Any], optional): Changes of the config.
        precision (str): 'f32'; of OpenVINO's format also 'bf16', in which the engine computes, and 'int8'.
        calibration (int): Images of the config's training data, by which the ranges of int8 are chosen.

    Raises:
        ImportError: If a library is missing.
        FileNotFoundError, ValueError: If an argument cannot be used.
        ArithmeticError: If the results differ by more than the precision allows; nothing is written.
    """
    format = format or _format_of(output)
    destination = _check_output(output, format, [config, checkpoint])
    if format == 'openvino' and (dynamic_batch or dynamic_size):
        raise ValueError(
            "OpenVINO's format takes images of one shape: leave out --dynamic-batch and --dynamic-size, "
            'or export to .onnx, which OpenVINO reads too'
        )
    if precision != 'f32' and format != 'openvino':
        raise ValueError(f'{precision} is for files of OpenVINO, but the format is {format}: choose an output .xml')
    if precision == 'int8':
        import_nncf()
    if check_sizes and not dynamic_size:
        raise ValueError('sizes to check at are given, but the file takes one size alone: add --dynamic-size')
    cfg = read_config(config, options=options)
    for one in ([size] if size is not None else []) + list(check_sizes):
        check_size(tuple(one), dynamic_size)
    model = load_model(cfg, checkpoint)
    about = dict(metadata(cfg, model), precision=precision)
    size = _choose_size(about, size)
    check_size(size, dynamic_size)
    images = None
    if precision == 'int8':
        images = CalibrationImages(cfg, model, about, calibration)
        about['calibration'] = dict(images=len(images), split=images.split, nncf=import_nncf().__version__)
    network = Network(model, cfg.default_scope)
    # An example with one image would tie the batch to 1.
    example = torch.randn(max(batch, 2) if dynamic_batch else batch, about['channels'], *size)
    shapes = dynamic_shapes(dynamic_batch, dynamic_size)
    handle, temporary = tempfile.mkstemp(dir=destination.parent, prefix='.export', suffix=FORMATS[format])
    os.close(handle)
    weights = Path(temporary).with_suffix('.bin')  # of OpenVINO's format, which consists of two files
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of the exporters, about their own parts
            run = _WRITERS[format](network, example, shapes, temporary, about, images)
            tried = [(batch, *size)] + ([(batch + 1, *size)] if dynamic_batch else [])
            tried += [(batch, *one) for one in check_sizes]
            tried = [(count, about['channels'], *one) for count, *one in tried]
            result = Exported(
                str(destination), format, [_compare(network, run, shape, repeats, images) for shape in tried]
            )
        if not result.difference <= TOLERANCES[precision]:
            raise ArithmeticError(
                f"{destination} was not written: its results differ from PyTorch's by "
                f'{result.difference:.1e}, more than the {TOLERANCES[precision]:.0e} of {precision}'
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
    """The size that is given, else the one that the pipeline leads to; for poses the metadata follow it."""
    own = about['size']
    if size is None and own is None:
        raise ValueError('the test pipeline gives each picture another size: choose one with --size HEIGHT WIDTH')
    size = tuple(size or own)
    if about['task'] == 'pose' and list(size) != own:
        codec = about['codec']
        codec['heatmap_size'] = [
            heatmap * new // old for heatmap, new, old in zip(codec['heatmap_size'], size[::-1], own[::-1])
        ]
        codec['input_size'] = list(size[::-1])
    about['size'] = list(size)
    return size


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


def _onnx(network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], _: None) -> Run:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (torch.onnx requires it)
    except ImportError as error:
        raise ImportError(f"ONNX needs {error.name}: pip install 'hrformer_mm[export]'") from error
    if 2 not in shapes:
        network = to_graph_form(network, example)
    program = torch.onnx.export(
        network,
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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    return lambda images: torch.from_numpy(session.run(None, {'images': images.numpy()})[0])


def record(network: nn.Module, example: Tensor, shapes: dict) -> torch.export.ExportedProgram:
    """The program of torch.export for images like `example`, of any batch and size that `shapes` leaves open."""
    if 2 not in shapes:
        network = to_graph_form(network, example)
        return torch.export.export(network, (example,), dynamic_shapes=(shapes,), strict=False)
    from torch.fx.experimental import _config

    # A map that is one window high or wide in the example would have to be so in all other images.
    with _config.patch(backed_size_oblivious=True):
        return torch.export.export(
            network,
            (example,),
            dynamic_shapes=(shapes,),
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )


def _torch(network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], _: None) -> Run:
    torch.export.save(record(network, example, shapes), path, extra_files={KEY: json.dumps(about)})
    return torch.export.load(path).module()


def _aoti(network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], _: None) -> Run:
    shape = [None if i in shapes else side for i, side in enumerate(example.shape)]
    torch._inductor.aoti_compile_and_package(
        record(network, example, shapes),
        package_path=path,
        inductor_configs={'aot_inductor.metadata': {KEY: json.dumps(about), 'shape': json.dumps(shape)}},
    )
    return torch._inductor.aoti_load_package(path)


def _openvino(
    network: Network, example: Tensor, shapes: dict, path: str, about: dict[str, Any], images: Sequence[Tensor] | None
) -> Run:
    return write_openvino(network, example, path, KEY, about, images)


_WRITERS = dict(onnx=_onnx, openvino=_openvino, torch=_torch, aoti=_aoti)


def _compare(
    network: Network, run: Run, shape: Sequence[int], repeats: int, images: Sequence[Tensor] | None
) -> dict[str, Any]:
    if images is None:
        batches = [torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))]
    else:  # noise lies beyond the ranges of int8
        indices = np.linspace(0, len(images) - 1, min(CHECKED, len(images))).astype(int)
        batches = [F.interpolate(images[i], shape[2:]).repeat(shape[0], 1, 1, 1) for i in indices]
    wanted, own = _time(network, batches, repeats)
    got, theirs = _time(run, batches, repeats)
    if got.shape != wanted.shape:
        raise ArithmeticError(
            f'for images {tuple(shape)} the file gives {tuple(got.shape)}, PyTorch {tuple(wanted.shape)}'
        )
    if images is None:
        difference = (got - wanted).abs().max() / wanted.abs().max()
    else:
        difference = (got - wanted).norm() / wanted.norm()
    return dict(shape=list(shape), difference=difference.item(), milliseconds=theirs, pytorch_milliseconds=own)


def _time(run: Run, batches: Sequence[Tensor], repeats: int) -> tuple[Tensor, float]:
    """Run each batch; the time is that of the last one, the quickest of some runs."""
    outputs = [run(images) for images in batches]  # the first one prepares
    best = float('inf')
    for _ in range(repeats):
        start = time.perf_counter()
        run(batches[-1])
        best = min(best, (time.perf_counter() - start) * 1e3)
    return torch.cat(outputs), best
