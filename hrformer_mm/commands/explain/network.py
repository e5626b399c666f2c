"""The backbone of a config with its weights, and an image as it goes in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ...models import HRFormer
from ..model import ALL_TASKS, build_model, find_device, load_model, read_config
from ..predict.sources import read_image

UNTRAINED = 'none'  # in place of a checkpoint


def load_network(config: str, checkpoint: str, device: Optional[str]) -> tuple[HRFormer, nn.Module]:
    """The backbone, in evaluation mode and without gradients of its weights, and the model's data preprocessor.

    Args:
        config (str): A config of mmseg, mmpose, mmpretrain or mmdet, or a name in the zoo.
        checkpoint (str): The model's weights; 'none' for those that it is built with, always the same ones.
        device (str, optional): Default: the first GPU, or the CPU.

    Raises:
        FileNotFoundError, ValueError: If there is no such config or checkpoint, if they do not fit, if the device
            cannot be used, or if the model has no HRFormer.
    """
    device = find_device(device)
    cfg = read_config(config, ALL_TASKS)
    if 'data_preprocessor' in cfg:  # mmpretrain's place for it; its runner moves it, too
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    if checkpoint == UNTRAINED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build_model(cfg)
    else:
        model = load_model(cfg, checkpoint)
    backbone = next((module for module in model.modules() if isinstance(module, HRFormer)), None)
    if backbone is None:
        found = type(getattr(model, 'backbone', model))
        raise ValueError(f"{config}: model.backbone is a {found.__name__} of {found.__module__.split('.')[0]}, but "
                         "must be of type 'hrformer_mm.HRFormer'")
    return backbone.to(device).requires_grad_(False), model.data_preprocessor.to(device)


@dataclass
class Picture:
    """An image as it is given and as it goes in.

    Args:
        path (str): Its file.
        given (tuple[int, int]): Its own width and height.
        seen (np.ndarray): What the network is given, (H, W, 3), RGB, uint8.
        pixel (tuple[int, int]): The chosen pixel, x and y, of `seen`.
        given_pixel (tuple[int, int]): The same pixel of the file.
    """
    path: str
    given: tuple[int, int]
    seen: np.ndarray
    pixel: tuple[int, int]
    given_pixel: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of `seen`."""
        return self.seen.shape[1], self.seen.shape[0]

    def as_dict(self) -> dict[str, Any]:
        return dict(path=self.path, size=list(self.given), seen=list(self.size), pixel=list(self.given_pixel),
                    pixel_seen=list(self.pixel))

    def inputs(self, preprocessor: nn.Module) -> Tensor:
        """Normalised, and padded if the model does so, (1, 3, H, W)."""
        image = torch.from_numpy(np.ascontiguousarray(self.seen[..., ::-1].transpose(2, 0, 1)))
        return preprocessor(dict(inputs=[image], data_samples=[BaseDataElement()]), training=False)['inputs']


def read_picture(path: str, max_side: int, pixel: Optional[tuple[int, int]] = None) -> Picture:
    """Read an image; one whose longer side is more than `max_side` is made so small, by averaging, and none larger.

    Args:
        path (str): Its file.
        max_side (int): In pixels.
        pixel (tuple[int, int], optional): x and y in the file. Default: the centre.

    Raises:
        FileNotFoundError, ValueError: If there is no such file, if it is no picture, or if it has no such pixel.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no picture {path}')
    image = read_image(path)[..., ::-1]
    height, width = image.shape[:2]
    x, y = (width // 2, height // 2) if pixel is None else pixel
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f'the pixel is {x} {y}, but {path} has {width} x {height} pixels: x must be 0 to {width - 1}, '
                         f'and y 0 to {height - 1}')
    if max_side < 1:
        raise ValueError(f'the longest side is {max_side}, but must be at least 1 pixel')
    factor = min(1.0, max_side / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    seen = image if factor == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    inside = x * size[0] // width, y * size[1] // height
    return Picture(path, (width, height), np.ascontiguousarray(seen), inside, (x, y))
