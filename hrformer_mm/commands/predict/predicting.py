"""A model over pictures and videos, file by file, so that what is done is kept whatever comes after."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
from mmengine.registry import init_default_scope

from ...deploy import can_deploy, to_deploy
from ...weights import load_weights, read_tensors
from ..folder import make_folder
from ..model import TASKS, dataset_meta, find_device, read_config
from .boxes import Boxes
from .predictors import Classifier, PoseFinder, Segmenter
from .sources import Frames, Source, find_sources, read_image

Progress = Callable[[Iterable, str], Iterable]
JSON = 'predictions.json'


@dataclass
class Prediction:
    """What was written, and one line about each source that was left out."""
    folder: str
    results: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def predict(config: str, checkpoint: str, inputs: Sequence[str], folder: str, device: Optional[str] = None,
            batch: int = 1, boxes: Optional[str] = None, detector: Optional[tuple[str, str]] = None,
            threshold: float = 0.3, frames: Optional[int] = None, progress: Optional[Progress] = None,
            deploy: bool = True) -> Prediction:
    """Write a picture (or video) of the result of each input into a folder, and all results to predictions.json.

    Args:
        config, checkpoint (str): A config or a name in the zoo, and its weights.
        inputs (Sequence[str]): Pictures, videos, folders, patterns, or 'camera:0'.
        folder (str): It is made if it is not there.
        device (str, optional): Default: the first GPU, or the CPU.
        batch (int): Pictures at a time; for poses, boxes.
        boxes, detector, threshold: See :class:`Boxes`.
        frames (int, optional): Of each video or camera, so many at most.
        progress (callable, optional): Goes around what is worked through.
        deploy (bool): Run the deployment form of the model. Default: True.

    Raises:
        FileNotFoundError, ValueError: If the model or an input's name cannot be used; a file that cannot be read is
            noted in `problems` instead.
        OSError: If the folder cannot be written to.
    """
    cfg = read_config(config)
    task = TASKS[cfg.default_scope]
    if (boxes or detector) and task != 'pose':
        raise ValueError(f'boxes and detectors are for poses, but {config} is for {task}')
    sources = find_sources(inputs)
    predictor = _predictor(cfg, checkpoint, device, batch, Boxes(boxes, detector, threshold, device), deploy)
    target = make_folder(folder, JSON)
    done = Prediction(folder)
    names = _Names(target)
    try:
        pictures = iter((progress or _plain)([s for s in sources if s.kind == 'image'], 'pictures'))
        while group := list(islice(pictures, batch)):
            _pictures(predictor, group, names, done)
        for source in (s for s in sources if s.kind != 'image'):
            try:
                _video(predictor, source, names, done, batch, frames, progress or _plain)
            except ValueError as error:
                done.problems.append(str(error))
    finally:
        (target / JSON).write_text(json.dumps(done.results, indent=1), encoding='utf-8')
    return done


def _predictor(cfg: Any, checkpoint: str, device: Optional[str], batch: int, boxes: Boxes,
               deploy: bool) -> Any:
    state = read_tensors(checkpoint)
    device = find_device(device)
    init_default_scope(cfg.default_scope)
    if cfg.default_scope == 'mmseg':
        predictor: Any = Segmenter(cfg, checkpoint, device, dataset_meta(cfg))
    elif cfg.default_scope == 'mmpose':
        predictor = PoseFinder(cfg, checkpoint, device, boxes, batch)
    else:
        predictor = Classifier(cfg, checkpoint, device)
    # mmengine loads what fits, and only warns about the rest.
    load_weights(predictor.model, state, checkpoint)
    if deploy and can_deploy(predictor.model):
        predictor.model = predictor.inferencer.model = to_deploy(predictor.model)
    return predictor


def _pictures(predictor: Any, group: Sequence[Source], names: '_Names', done: Prediction) -> None:
    read = []
    for source in group:
        try:
            read.append((source, read_image(source.name)))
        except ValueError as error:
            done.problems.append(str(error))
    try:
        results = predictor([s.name for s, _ in read], [image for _, image in read]) if read else []
    except ValueError as error:  # boxes that are not there for a picture
        if len(read) == 1:
            done.problems.append(str(error))
            return
        for source, _ in read:
            _pictures(predictor, [source], names, done)
        return
    for (source, _), (data, picture) in zip(read, results):
        path = names(source.stem, '.png')
        if not cv2.imwrite(str(path), picture):
            raise OSError(f'{path} cannot be written: is the disk full?')
        done.results.append(dict(source=source.name, picture=path.name, **data))


def _video(predictor: Any, source: Source, names: '_Names', done: Prediction, batch: int, limit: Optional[int],
           progress: Progress) -> None:
    frames = Frames(source, limit)
    path = names(source.stem, '.mp4')
    writer: Optional[cv2.VideoWriter] = None
    number, size = 0, (0, 0)
    iterator: Iterator[np.ndarray] = iter(progress(frames, source.name))
    try:
        while group := list(islice(iterator, batch)):
            for data, picture in predictor([source.name] * len(group), group):
                if writer is None:
                    size = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2  # what codecs take
                    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), frames.rate, size)
                    if not writer.isOpened():
                        raise OSError(f'{path} cannot be written: OpenCV has no encoder for MP4, or the disk is full')
                writer.write(np.ascontiguousarray(picture[:size[1], :size[0]]))
                done.results.append(dict(source=source.name, frame=number, picture=path.name, **data))
                number += 1
    except KeyboardInterrupt:
        if source.kind != 'camera':  # a camera ends so
            raise
    finally:
        if writer is not None:
            writer.release()
    if not number:
        raise ValueError(f'{source.name} has no frame that can be read')


class _Names:
    """Files of a folder, none twice in one run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.taken = folder, set()

    def __call__(self, stem: str, suffix: str) -> Path:
        name, number = stem + suffix, 1
        while name in self.taken:
            number += 1
            name = f'{stem}-{number}{suffix}'
        self.taken.add(name)
        return self.folder / name


def _plain(items: Iterable, description: str) -> Iterable:
    return items
