"""Predict with a config and its checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...deploy import can_deploy, to_deploy
from ...released import SCHEME, Released, weights_of
from ..common import Progress
from ..model import TASKS, find_device, load_model, read_config
from .boxes import Boxes, Detector, files_of
from .pipeline import pipeline_differences
from .predictors import Classifier, PoseFinder, Predictor, Segmenter
from .running import Prediction, predict_sources


def predict(
    config: str,
    checkpoint: str | None,
    inputs: Sequence[str],
    folder: str,
    device: str | None = None,
    batch: int = 1,
    boxes: str | None = None,
    detector: Detector | None = None,
    threshold: float = 0.3,
    frames: int | None = None,
    progress: Progress | None = None,
    deploy: bool = True,
    keypoint_threshold: float = 0.3,
    options: Mapping[str, Any] | None = None,
    whole_image: bool = False,
    smooth: bool = True,
) -> Prediction:
    """Predict pictures and videos. Writes a drawing for each input into a folder, and all results to predictions.json.

    Args:
        config (str): A config file or the name of a model in the zoo.
        checkpoint (str, optional): The weights: a file, a URL, or the name of released weights. Default: the weights
            that were released for the config.
        inputs (Sequence[str]): Pictures, videos, folders, patterns, or 'camera:0'.
        folder (str): The output folder, which is created if it does not exist.
        device (str, optional): Device of the model. Default: the first GPU, or the CPU.
        batch (int): Number of pictures of the same size per batch; for poses, of boxes. Default: 1.
        boxes (str, optional): For poses, a JSON file: {"picture.jpg": [[x0, y0, x1, y1], …], …}.
        detector (str | tuple[str, str], optional): For poses, the torchvision detector of people, or the config and
            the weights of an mmdet detector. Default: 'fasterrcnn_mobilenet_v3_large_320_fpn'.
        threshold (float): Minimum score of a detection. Default: 0.3.
        frames (int, optional): Maximum number of frames of each video or camera. Default: all.
        progress (callable, optional): Wraps the iterables of pictures and frames, to show progress.
        deploy (bool): Run the deployment form of the model. Default: True.
        keypoint_threshold (float): Minimum score of the keypoints that are drawn. Default: 0.3.
        options (Mapping[str, Any], optional): Changes to the config.
        whole_image (bool): For poses, take one box around each picture instead of running a detector. Default: False.
        smooth (bool): For poses in videos, smooth boxes and keypoints over time. Default: True.

    Raises:
        FileNotFoundError, ValueError: If the model or the name of an input is invalid, or an output would overwrite
            an input. Files that cannot be read are listed in `problems` instead.
        OSError: If the folder cannot be written to, or the weights cannot be downloaded.
        KeyboardInterrupt: On Ctrl-C, with the number of results that were written.
    """
    cfg = read_config(config, options=options)
    task = TASKS[cfg.default_scope]
    if (boxes or detector or whole_image) and task != 'pose':
        raise ValueError(f'boxes, detectors and --whole-image are for poses, but {config} is for {task}')
    notes = [f'the pipelines differ: {difference}, which is used here' for difference in pipeline_differences(cfg)]
    if checkpoint is None:
        weights = _released(cfg)
        checkpoint = SCHEME + weights.name
        notes.append(
            f'no checkpoint is given: using the weights {weights.name} of {weights.publisher}'
            + f' ({weights.scores})' * bool(weights.scores)
        )

    def build() -> Predictor:
        on = find_device(device)
        finder = Boxes(boxes, detector, threshold, on, whole_image) if task == 'pose' else None
        model = load_model(cfg, checkpoint)
        if deploy and can_deploy(model):
            model = to_deploy(model)
        model = model.to(on)
        if finder is not None:
            return PoseFinder(cfg, model, finder, batch, keypoint_threshold, smooth)
        return (Segmenter if task == 'segmentation' else Classifier)(cfg, model)

    given = [cfg.filename, checkpoint, *files_of(boxes, detector)]
    return predict_sources(build, inputs, folder, given, batch, frames, progress, notes)


def _released(cfg: Config) -> Released:
    """Find the weights that were released for the config of this name."""
    name = Path(cfg.filename).stem
    found = weights_of(name)
    if found is None:
        raise ValueError(
            f'no weights are released for {name}: give a CHECKPOINT after CONFIG; hrformer-mm weights '
            'lists what is released'
        )
    return found
