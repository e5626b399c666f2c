"""A model with its checkpoint over pictures and videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...deploy import can_deploy, to_deploy
from ...released import SCHEME, Released, weights_of
from ..model import TASKS, find_device, load_model, read_config
from .boxes import Boxes, Detector, files_of
from .pipeline import pipeline_differences
from .predictors import Classifier, PoseFinder, Predictor, Segmenter
from .running import Prediction, Progress, predict_sources


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
    """Write a picture (or video) of the result of each input into a folder, and all results to predictions.json.

    Args:
        config (str): A config or a name in the zoo.
        checkpoint (str, optional): Its weights: a file, a URL, or a released name. Default: those released for a
            config of this name.
        inputs (Sequence[str]): Pictures, videos, folders, patterns, or 'camera:0'.
        folder (str): It is made if it is not there.
        device (str, optional): Default: the first GPU, or the CPU.
        batch (int): Pictures at a time, those of one size together; for poses, boxes.
        boxes (str, optional): For poses, a JSON file: {"picture.jpg": [[x0, y0, x1, y1], …], …}.
        detector (str | tuple[str, str], optional): For poses, a detector of torchvision that finds people, or a config
            and weights of mmdet. Default: 'fasterrcnn_mobilenet_v3_large_320_fpn'.
        threshold (float): Least score of a detection. Default: 0.3.
        frames (int, optional): Of each video or camera, so many at most.
        progress (callable, optional): Goes around what is worked through.
        deploy (bool): Run the deployment form of the model. Default: True.
        keypoint_threshold (float): The least score of a keypoint that is drawn. Default: 0.3.
        options (Mapping[str, Any], optional): Changes of the config.
        whole_image (bool): For poses, one box around each picture, instead of a detector. Default: False.
        smooth (bool): For poses in videos, smooth boxes and keypoints over time. Default: True.

    Raises:
        FileNotFoundError, ValueError: If the model or an input's name cannot be used, or an output would overwrite an
            input; a file that cannot be read is noted in `problems` instead.
        OSError: If the folder cannot be written to, or weights cannot be fetched.
        KeyboardInterrupt: On Ctrl-C, with the number of results that were written.
    """
    cfg = read_config(config, options=options)
    task = TASKS[cfg.default_scope]
    if (boxes or detector or whole_image) and task != 'pose':
        raise ValueError(f'boxes, detectors and the whole image are for poses, but {config} is for {task}')
    notes = [f'the pipelines differ: {difference}, which is used here' for difference in pipeline_differences(cfg)]
    if checkpoint is None:
        weights = _released(cfg)
        checkpoint = SCHEME + weights.name
        notes.append(
            f'no checkpoint is given: the weights are {weights.name} of {weights.publisher}'
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
    """The released weights that fit a config by its name."""
    name = Path(cfg.filename).stem
    found = weights_of(name)
    if found is None:
        raise ValueError(
            f'no weights are released for {name}: give a CHECKPOINT after CONFIG; hrformer-mm weights '
            'lists what is released'
        )
    return found
