"""Run a predictor on pictures and videos, file by file, and keep the finished results if a later file fails."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ..common import Progress, silent
from ..folder import check_folder
from .frames import Frames, fit
from .sources import RESULTS, Source, find_sources

Loaded = dict[str, Any]  # 'img', 'img_path', and for a frame its 'time' in seconds
Result = tuple[dict[str, Any], np.ndarray]  # the entry of predictions.json, and the drawing


@dataclass
class Prediction:
    """The results, one line about each source that failed, and notes for the user."""

    folder: str
    results: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Predictor(Protocol):
    """A model of any task, which maps loaded pictures of one size to their results."""

    load: Any  # `load(path)` and `load.frame(name, image)` return the inputs

    def __call__(self, loaded: Sequence[Loaded]) -> Sequence[Result]: ...


def predict_sources(
    build: Callable[[], Predictor],
    inputs: Sequence[str],
    folder: str,
    given: Sequence[str],
    batch: int,
    frames: int | None,
    progress: Progress | None,
    notes: Sequence[str] = (),
) -> Prediction:
    """Run a predictor, and write its results into a folder. Inputs and outputs are checked before it is built.

    Args:
        build (callable): Returns the predictor.
        given (Sequence[str]): Further files that must not be overwritten.
        notes (Sequence[str]): Notes for the user. Default: ().

    See :func:`.predicting.predict` for the other arguments and the exceptions.
    """
    sources, left_out = find_sources(inputs)
    outputs = _outputs(sources)
    target = check_folder(folder, [RESULTS, *outputs.values()], [*given, *(source.name for source in sources)])
    if any(Path(name).is_dir() and target.is_dir() and target.samefile(name) for name in inputs):
        raise ValueError(f'the output folder {folder} is a folder of inputs: choose another with --output')
    done = Prediction(folder, notes=[*left_out, *notes])
    predictor = build()
    target.mkdir(parents=True, exist_ok=True)
    try:
        pictures = iter((progress or silent)([s for s in sources if s.kind == 'image'], 'pictures'))
        while group := list(islice(pictures, batch)):
            _pictures(predictor, group, [target / outputs[source] for source in group], done)
        for source in (s for s in sources if s.kind != 'image'):
            try:
                _video(predictor, source, target / outputs[source], done, batch, frames, progress or silent)
            except ValueError as error:
                done.problems.append(str(error))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f'{len(done.results)} results are in {folder}.') from None
    finally:
        (target / RESULTS).write_text(json.dumps(done.results, indent=1), encoding='utf-8')
    return done


def _outputs(sources: Sequence[Source]) -> dict[Source, str]:
    """Choose a unique name in the output folder for the drawing of each source."""
    names: dict[Source, str] = {}
    taken: set[str] = set()
    for source in sources:
        suffix = '.png' if source.kind == 'image' else '.mp4'
        name, number = source.stem + suffix, 1
        while name in taken:
            number += 1
            name = f'{source.stem}-{number}{suffix}'
        taken.add(name)
        names[source] = name
    return names


def _pictures(predictor: Predictor, group: Sequence[Source], paths: Sequence[Path], done: Prediction) -> None:
    read = []
    for source, path in zip(group, paths):
        try:
            read.append((source, path, predictor.load(source.name)))
        except ValueError as error:
            done.problems.append(str(error))
    for (source, path, _), result in zip(read, _predict_all(predictor, [loaded for _, _, loaded in read])):
        if isinstance(result, Exception):
            done.problems.append(_describe(source, result))
            continue
        data, picture = result
        if not cv2.imwrite(str(path), picture):
            raise OSError(f'{path} cannot be written: check that the disk is not full')
        done.results.append(dict(source=source.name, picture=path.name, **data))


def _predict_all(predictor: Predictor, loaded: Sequence[Loaded]) -> list[Result | Exception]:
    """Predict pictures of the same size together. The result of a picture that fails is its exception."""
    groups: dict[Any, list[int]] = {}
    for i, one in enumerate(loaded):
        groups.setdefault(one['img'].shape, []).append(i)
    results = {
        i: result for group in groups.values() for i, result in zip(group, _try(predictor, [loaded[i] for i in group]))
    }
    return [results[i] for i in range(len(loaded))]


def _try(predictor: Predictor, loaded: Sequence[Loaded]) -> list[Result | Exception]:
    try:
        return list(predictor(loaded))
    except Exception as error:  # for example in a library's transform, or out of memory: the other pictures must go on
        if len(loaded) == 1:
            return [error]
        return [result for one in loaded for result in _try(predictor, [one])]


def _describe(source: Source, error: Exception) -> str:
    text = str(error).strip().split('\n')[0]
    text = text if isinstance(error, ValueError) and text else f'{type(error).__name__}: {text}'
    return text if source.name in text else f'{source.name}: {text}'


def _video(
    predictor: Predictor,
    source: Source,
    path: Path,
    done: Prediction,
    batch: int,
    limit: int | None,
    progress: Progress,
) -> None:
    frames = Frames(source, limit)
    writer: cv2.VideoWriter | None = None
    number, size, failures = 0, (0, 0), []
    iterator: Iterator[np.ndarray] = iter(progress(frames, source.name))
    try:
        while group := list(islice(iterator, batch)):
            loaded = [
                dict(predictor.load.frame(source.name, frame), time=(number + i) / frames.rate)
                for i, frame in enumerate(group)
            ]
            for result in _predict_all(predictor, loaded):
                frame, number = number, number + 1
                if isinstance(result, Exception):
                    failures.append((frame, result))
                    continue
                data, picture = result
                if writer is None:
                    height, width = (max(2, side // 2 * 2) for side in picture.shape[:2])  # codecs need even sizes
                    size = (width, height)
                    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), frames.rate, size)
                    if not writer.isOpened():
                        raise OSError(f'{path} cannot be written: OpenCV has no encoder for MP4, or the disk is full')
                writer.write(fit(picture, size))
                done.results.append(dict(source=source.name, frame=frame, picture=path.name, **data))
    except KeyboardInterrupt:
        if source.kind != 'camera':  # Ctrl-C is the normal end of a camera
            raise
    finally:
        if writer is not None:
            writer.release()
    if not number:
        raise ValueError(f'{source.name} has no readable frame: check that it is a complete video')
    if failures:
        first, error = failures[0]
        done.problems.append(
            f'{len(failures)} of {number} frames failed, the first one is frame {first}: {_describe(source, error)}'
        )
    if frames.ended_early:
        done.problems.append(frames.ended_early)
