"""A model with its checkpoint over pictures and videos."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from mmengine.config import Config

from ...deploy import can_deploy, to_deploy
from ..model import TASKS, find_device, load_model, read_config
from .boxes import Boxes
from .pipeline import pipeline_differences
from .predictors import Classifier, PoseFinder, Predictor, Segmenter
from .running import Prediction, Progress, predict_sources


def predict(config: str, checkpoint: str, inputs: Sequence[str], folder: str, device: Optional[str] = None,
            batch: int = 1, boxes: Optional[str] = None, detector: Optional[tuple[str, str]] = None,
            threshold: float = 0.3, frames: Optional[int] = None, progress: Optional[Progress] = None,
            deploy: bool = True, keypoint_threshold: float = 0.3,
            options: Optional[Mapping[str, Any]] = None) -> Prediction:
    """Write a picture (or video) of the result of each input into a folder, and all results to predictions.json.

    Args:
        config, checkpoint (str): A config or a name in the zoo, and its weights.
        inputs (Sequence[str]): Pictures, videos, folders, patterns, or 'camera:0'.
        folder (str): It is made if it is not there.
        device (str, optional): Default: the first GPU, or the CPU.
        batch (int): Pictures at a time, those of one size together; for poses, boxes.
        boxes, detector, threshold: See :class:`Boxes`.
        frames (int, optional): Of each video or camera, so many at most.
        progress (callable, optional): Goes around what is worked through.
        deploy (bool): Run the deployment form of the model. Default: True.
        keypoint_threshold (float): The least score of a keypoint that is drawn. Default: 0.3.
        options (Mapping[str, Any], optional): Changes of the config.

    Raises:
        FileNotFoundError, ValueError: If the model or an input's name cannot be used, or an output would overwrite an
            input; a file that cannot be read is noted in `problems` instead.
        OSError: If the folder cannot be written to.
        KeyboardInterrupt: On Ctrl-C, with the number of results that were written.
    """
    cfg = read_config(config, options=options)
    task = TASKS[cfg.default_scope]
    if (boxes or detector) and task != 'pose':
        raise ValueError(f'boxes and detectors are for poses, but {config} is for {task}')

    def build() -> Predictor:
        finder = Boxes(boxes, detector, threshold, device)
        return _predictor(cfg, checkpoint, find_device(device), deploy, finder, batch, keypoint_threshold)

    notes = [f'the pipelines differ: {difference}, which is used here' for difference in pipeline_differences(cfg)]
    given = [cfg.filename, checkpoint, boxes or '', *(detector or ())]
    return predict_sources(build, inputs, folder, given, batch, frames, progress, notes)


def _predictor(cfg: Config, checkpoint: str, device: str, deploy: bool, boxes: Boxes, batch: int,
               keypoint_threshold: float) -> Predictor:
    model = load_model(cfg, checkpoint)
    if deploy and can_deploy(model):
        model = to_deploy(model)
    model = model.to(device)
    if cfg.default_scope == 'mmpose':
        return PoseFinder(cfg, model, boxes, batch, keypoint_threshold)
    return (Segmenter if cfg.default_scope == 'mmseg' else Classifier)(cfg, model)
