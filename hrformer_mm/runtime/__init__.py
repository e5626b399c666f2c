"""Run exported models without PyTorch and OpenMMLab: on NumPy, OpenCV, Pillow, and onnxruntime or OpenVINO.

Example::

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
    """Load a model that `hrformer-mm export` wrote.

    Args:
        path (str | PathLike): An ONNX file (`.onnx`), or the `.xml` file of an OpenVINO model, next to its `.bin`.
        engine (str, optional): 'onnxruntime' or 'openvino'. Default: OpenVINO for `.xml`; for `.onnx`, onnxruntime if
            it is installed, else OpenVINO.
        device (str): 'cpu', 'cuda' or 'cuda:1' for onnxruntime, or a device name of OpenVINO. Default: 'cpu'.
        threads (int, optional): Number of CPU threads. Default: the engine's choice.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If the engine is not installed. The message has the command that installs it.
        ValueError: If the file has another format or is damaged, if its metadata are missing or have another version,
            or if the device is not available.
    """
    return make_model(open_engine(str(path), engine, device, threads), str(path))


def make_model(engine: Engine, path: str) -> Model:
    """Build the model for an opened file. `path` names the file in error messages. Raises as :func:`load` does."""
    metadata = read_metadata(engine.metadata, path)
    engine.compile(metadata['precision'])
    return _TASKS[metadata['task']](engine, metadata)
