"""Engines that run exported models."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from .metadata import KEY

ENGINES = {'onnxruntime': ('.onnx',), 'openvino': ('.onnx', '.xml')}  # and the files that each can read


class Engine:
    """An engine with a loaded model, which maps images (N, C, H, W) to one output, both float32, for any N.

    Attributes:
        metadata (str, optional): The text that the file stores under this package's key.
        shape (list[int | None]): The shape of the images; None marks a dynamic dimension.
    """

    metadata: str | None
    shape: list[int | None]

    def compile(self, precision: str) -> None:
        """Prepare the model to run. OpenVINO computes in `precision`: 'f32', 'bf16' or 'int8'."""

    def run(self, images: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def __call__(self, images: np.ndarray) -> np.ndarray:
        size = self.shape[0]
        if size is None or len(images) == size:
            return self.run(images)
        outputs = []
        for first in range(0, len(images), size):
            batch = images[first : first + size]
            missing = size - len(batch)
            padded = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing else batch
            outputs.append(self.run(padded)[: len(batch)])
        return np.concatenate(outputs)


class OnnxRuntime(Engine):
    def __init__(self, path: str, device: str, threads: int | None) -> None:
        import onnxruntime

        kind, _, number = device.partition(':')
        provider = {'cpu': 'CPUExecutionProvider', 'cuda': 'CUDAExecutionProvider'}.get(kind)
        if provider not in onnxruntime.get_available_providers():
            raise ValueError(
                f'the device {device} cannot be used by this onnxruntime: choose cpu, or install onnxruntime-gpu'
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads or 0
        try:
            self.session = onnxruntime.InferenceSession(
                path, options, providers=[(provider, dict(device_id=number) if number else {})]
            )
        except Exception as error:  # onnxruntime does not export its exception classes
            raise ValueError(_damaged(path, error)) from None
        images = self.session.get_inputs()[0]
        self.name = images.name
        self.shape = [side if isinstance(side, int) else None for side in images.shape]
        self.metadata = self.session.get_modelmeta().custom_metadata_map.get(KEY)

    def run(self, images: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.name: images})[0]


class OpenVINO(Engine):
    def __init__(self, path: str, device: str, threads: int | None) -> None:
        import openvino

        self.core = openvino.Core()
        self.device = device.upper()
        if self.device.split('.')[0].split(':')[0] not in {
            'AUTO',
            *(d.split('.')[0] for d in self.core.available_devices),
        }:
            raise ValueError(
                f'the device {device} cannot be used by OpenVINO: choose one of '
                f'{", ".join(self.core.available_devices)}'
            )
        self.config: dict[str, Any] = dict(INFERENCE_NUM_THREADS=threads) if threads else {}
        try:
            self.model = self.core.read_model(path)
        except RuntimeError as error:
            raise ValueError(_damaged(path, error)) from None
        shape = self.model.inputs[0].partial_shape
        self.shape = [None if side.is_dynamic else side.get_length() for side in shape]
        # OpenVINO reads the metadata of ONNX files into 'framework'.
        found = [keys for keys in ([KEY], ['framework', KEY]) if self.model.has_rt_info(keys)]
        self.metadata = self.model.get_rt_info(found[0]).astype(str) if found else None

    def compile(self, precision: str) -> None:
        # By default, OpenVINO computes in bf16 on CPUs with bf16 instructions. An int8 file marks its quantized
        # operators; all others run in float32.
        hint = 'f32' if precision == 'int8' else precision
        self.compiled = self.core.compile_model(
            self.model, self.device, {'INFERENCE_PRECISION_HINT': hint, **self.config}
        )

    def run(self, images: np.ndarray) -> np.ndarray:
        return self.compiled(images)[0]


def open_engine(path: str, name: str | None, device: str, threads: int | None) -> Engine:
    """Open a file with the engine `name`. See :func:`.load` for the arguments."""
    suffix = Path(path).suffix.lower()
    fitting = [engine for engine, suffixes in ENGINES.items() if suffix in suffixes]
    if not fitting:
        raise ValueError(f'{path} is not a file that the runtime can read: it must end in .onnx or .xml')
    if name is not None and name not in fitting:
        raise ValueError(f'engine is {name!r}, but must be one of {", ".join(fitting)} for {path}')
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no exported file {path}')
    installed = [engine for engine in ([name] if name else fitting) if importlib.util.find_spec(engine)]
    if not installed:
        missing = name or fitting[0]
        raise ImportError(f'{path} requires {missing}: pip install {missing}')
    return dict(onnxruntime=OnnxRuntime, openvino=OpenVINO)[installed[0]](path, device, threads)


def _damaged(path: str, error: Exception) -> str:
    reason = [line for line in str(error).splitlines() if line.strip()][-1]
    return f'{path} cannot be read as an exported model; it may be cut short: export or copy it again ({reason})'
