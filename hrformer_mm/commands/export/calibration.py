"""Calibration images for int8, from the data of the config."""

from typing import Any

import numpy as np
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from torch import Tensor

from ..model import find_dataset


class CalibrationImages:
    """Images of the training data, or else the validation data, after the test pipeline and the data preprocessor.

    Each is (1, C, H, W), normalized, in the size of the file: center-cropped for a model with sliding windows,
    otherwise resized.

    Args:
        cfg (Config): The config of the model.
        model (nn.Module): The model, whose data preprocessor is used.
        about (dict): The metadata of the file.
        count (int): Maximum number of images, evenly spread over the data.

    Attributes:
        split (str): 'train' or 'val'.

    Raises:
        FileNotFoundError, ValueError: If the config has neither training nor validation data.
    """

    def __init__(self, cfg: Config, model: Any, about: dict[str, Any], count: int) -> None:
        self.split = 'train' if find_dataset(cfg, 'train') else 'val'
        config = dict(find_dataset(cfg, self.split), pipeline=find_dataset(cfg, 'test')['pipeline'])
        if 'type' not in config:
            raise ValueError(
                f'{cfg.filename} has neither training nor validation data, which --int8 needs for calibration'
            )
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            self.dataset = DATASETS.build(config)
        self.indices = np.linspace(0, len(self.dataset) - 1, min(count, len(self.dataset))).astype(int)
        self.scope, self.preprocess = cfg.default_scope, model.data_preprocessor
        self.size, self.slides = tuple(about['size']), bool(about.get('window'))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, i: int) -> Tensor:
        with DefaultScope.overwrite_default_scope(self.scope):
            sample = self.dataset[int(self.indices[i])]
            image = self.preprocess(pseudo_collate([sample]), False)['inputs']
        if self.slides:
            top, left = ((own - size) // 2 for own, size in zip(image.shape[2:], self.size))
            image = image[:, :, max(top, 0) :, max(left, 0) :][:, :, : self.size[0], : self.size[1]]
        if image.shape[2:] != self.size:
            image = F.interpolate(image, self.size, mode='bilinear', align_corners=False)
        return image
