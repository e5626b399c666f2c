"""A pipeline that checks the images and label maps that it loads."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from .coco import Sizes
from .files import cut_problem, find_problem, is_local, jpeg_is_cut
from .problem import DataError, Problem
from .samples import Facts, image_problems, label_map_problems, label_problems, orientation_problem
from .segmentation import histogram

_IMAGE = ('LoadImageFromFile', 'LoadImage')
_LABELS = ('LoadAnnotations',)


class CheckedPipeline(Compose):
    """The transforms of a data set, with a check of each loaded image and label map before the next transform.

    A bad sample raises an error that names its file. With mmcv's option `ignore_empty=True` of the step that loads
    images, a training skips it instead: it is logged once, and :attr:`skipped` counts it.

    Args:
        dataset (BaseDataset): An initialized data set.
        where (str): The description of the data set in errors.
        sizes (Sizes, optional): The image sizes of the annotation file. Default: None.
        most (int, optional): The number of classes of the model, if it may be lower than that of the data set.
            Default: None.
        strict (bool): Skip no sample, even with `ignore_empty`, and raise an error instead of a warning.
            Default: False.
        ignored (Mapping, optional): The ignored label by the keys that set it. Default: that of the data set.

    Attributes:
        bad (Tensor, optional): (samples, ), bool, in shared memory: the samples that were bad so far. None if bad
            samples raise errors.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        where: str,
        sizes: Sizes | None = None,
        most: int | None = None,
        strict: bool = False,
        ignored: Mapping[str, int | None] | None = None,
    ) -> None:
        self.transforms = dataset.pipeline.transforms
        self.where = where
        self.strict = strict
        self.facts = Facts.of(dataset, sizes, most, ignored)
        self.warned = torch.zeros((), dtype=torch.bool).share_memory_()  # warned of one rotated image
        # The samples of concatenated data sets have the indices of the inner data sets, which are not unique.
        may_skip = not (strict or dataset.test_mode or hasattr(dataset, 'datasets'))
        skips = may_skip and any(getattr(step, 'ignore_empty', False) for step in self.transforms)
        self.bad = torch.zeros(len(dataset), dtype=torch.bool).share_memory_() if skips else None
        self.hint = ' To train without such samples: ignore_empty=True of the step that loads images.' * may_skip

    @property
    def skipped(self) -> int:
        """The number of samples that all workers have skipped so far."""
        return 0 if self.bad is None else int(self.bad.sum())

    def __call__(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Run the transforms and the checks.

        Returns:
            dict, optional: The transformed sample, or None if it is skipped.

        Raises:
            DataError: If a file of the sample is bad and bad samples are not skipped.
        """
        index, path = data.get('sample_idx'), data.get('img_path')
        if self.bad is not None and self.bad[index]:
            return None
        try:
            self._check(label_problems(data, self.facts))
            for step in self.transforms:
                data = self._load(step, data) if _loads(step) else step(data)
                if data is None:
                    return None
        except DataError as error:
            if self.bad is None:
                raise DataError(f'{error}{self.hint}', error.problem) from error.__cause__
            self.bad[index] = True
            print_log(f'Skipped: {error}', logger='current', level=logging.WARNING)
            return None
        except Exception as error:
            if hasattr(error, 'add_note'):  # Python 3.11
                error.add_note(f'{self.where}: raised for {path}')
            raise
        return data

    def load(self, data: dict[str, Any]) -> np.ndarray | None:
        """Load and check a sample without the other transforms.

        Returns:
            np.ndarray, optional: (256, ), the number of pixels of each label, or None if the sample has no label map.

        Raises:
            DataError: If the sample is bad.
        """
        self._check(label_problems(data, self.facts))
        if not isinstance(data.get('img_path'), str):  # e.g. of videos: their transforms choose the files
            return None
        for step in filter(_loads, self.transforms):
            data = self._load(step, data)
        return histogram(data)

    def _load(self, step: Callable, data: dict[str, Any]) -> dict[str, Any]:
        image = _kind(step) in _IMAGE
        path: Any = data.get('img_path' if image else 'seg_map_path')
        local = is_local(path)
        try:
            if image and local and 'img' not in data and jpeg_is_cut(path):
                self._check([cut_problem(path)])
            loaded = step(data)
        except DataError:
            raise
        except Exception as error:
            problem = find_problem(path, 'image' if image else 'label map') if local else None
            if problem is None:
                raise
            raise self._error(problem) from error
        if loaded is None:  # ignore_empty
            problem = find_problem(path, 'image') if local else None
            remedy = 'Check that the file exists and is complete'
            raise self._error(problem or Problem('unreadable image', str(path), 'cannot be read', remedy))
        if image:
            self._check(image_problems(loaded, self.facts))
            if local and (self.strict or not self.warned) and _turns(step):
                self._doubt(orientation_problem(loaded, self.facts))
        elif 'gt_seg_map' in loaded and 'reduce_zero_label' in loaded:  # mmseg's
            self._check(label_map_problems(loaded, self.facts))
        return loaded

    def _check(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            raise self._error(problem)

    def _doubt(self, problem: Problem | None) -> None:
        if problem and self.strict:
            raise self._error(problem)
        if problem and not self.warned:
            self.warned.fill_(True)
            print_log(
                f'{self.where}: {problem} hrformer-mm check-data CONFIG lists all such images',
                logger='current',
                level=logging.WARNING,
            )

    def _error(self, problem: Problem) -> DataError:
        return DataError(f'{self.where}: {problem}', problem)


def _kind(step: Callable) -> str:
    return type(step).__name__


def _turns(step: Callable) -> bool:
    """Return whether a step applies the EXIF orientation: mmcv's loaders do so unless `color_type` prevents it."""
    backend = getattr(step, 'imdecode_backend', None)
    return getattr(step, 'color_type', '') in ('color', 'grayscale') and backend not in ('turbojpeg', 'tifffile')


def _loads(step: Callable) -> bool:
    return _kind(step) in _IMAGE + _LABELS
