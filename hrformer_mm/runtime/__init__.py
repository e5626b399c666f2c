"""Exported models without OpenMMLab: NumPy, OpenCV, and onnxruntime or OpenVINO.

from hrformer_mm import runtime
model = runtime.load('model.onnx')
result = model(cv2.imread('photo.jpg'))
"""

import os

from .classification import Classification
from .engines import Engine, open_engine
from .metadata import read_metadata
from .model import Model, Result
from .pose import Pose
from .segmentation import Segmentation

__all__ = ['Model', 'Result', 'load']

_TASKS = dict(segmentation=Segmentation, pose=Pose, classification=Classification)


def load(path: str | os.PathLike, engine: str | None = None, device: str = 'cpu', threads: int | None = None) -> Model:
    """Load a file of `hrformer-mm export`.

    Args:
        path (str | PathLike): An ONNX file (`.onnx`), or the `.xml` of an OpenVINO IR beside its `.bin`.
        engine (str, optional): 'onnxruntime' or 'openvino'. Default: OpenVINO for `.xml`; for `.onnx` onnxruntime, or
            OpenVINO where only that is installed.
        device (str): 'cpu', 'cuda' or 'cuda:1' (onnxruntime), or a device of OpenVINO. Default: 'cpu'.
        threads (int, optional): Threads of the CPU. Default: the engine's choice.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the engine is not installed, with the command that installs it.
        ValueError: If the file is of another format or damaged, if its metadata are missing or of another version, or
            if the device cannot be used.
    """
    return make_model(open_engine(str(path), engine, device, threads), str(path))


def make_model(engine: Engine, path: str) -> Model:
    """Make the model of a file that an engine has opened; `path` is its name in errors, those of :func:`load`."""
    metadata = read_metadata(engine.metadata, path)
    engine.compile(metadata['precision'])
    return _TASKS[metadata['task']](engine, metadata)
