"""Detectors of people, from torchvision or mmdet."""

from collections.abc import Sequence

import numpy as np
import torch
from torchvision import models

from ...weights.download import fetch
from .boxes import WITHOUT


class TorchvisionDetector:
    """A torchvision detector with its best weights, which are downloaded to torch.hub's checkpoint folder.

    Args:
        name (str): One of `torchvision.models.list_models(module=torchvision.models.detection)`.
        device (str): Device of the detector.

    Raises:
        ValueError: If torchvision has no detector of this name.
        OSError: If the weights cannot be downloaded. The message names the file's path and alternatives.
    """

    def __init__(self, name: str, device: str) -> None:
        names = models.list_models(module=models.detection)
        if name not in names:
            raise ValueError(
                f'torchvision has no detector {name}: choose one of {", ".join(names)}, or give one of mmdet with '
                '--mmdet CONFIG WEIGHTS'
            )
        weights = models.get_model_weights(name).DEFAULT
        try:
            fetch(weights.url)  # verifies the checksum; torchvision finds the file afterwards
        except (OSError, ValueError) as error:
            raise OSError(f'the detector {name} has no weights: {error}. {WITHOUT}') from error
        self.model = models.get_model(name, weights=weights).eval().to(device)
        self.person = weights.meta['categories'].index('person')
        self.device = device

    @torch.no_grad()
    def __call__(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find people in images (H, W, 3), BGR, uint8; returns (people, 5) for each: x0, y0, x1, y1 and score."""
        inputs = [torch.from_numpy(image[..., ::-1].copy()).to(self.device).permute(2, 0, 1) / 255 for image in images]
        return [
            torch.cat([found['boxes'], found['scores'][:, None]], 1)[found['labels'] == self.person].cpu().numpy()
            for found in self.model(inputs)
        ]


class MMDetDetector:
    """An mmdet detector whose class 0 is person.

    Args:
        config, weights (str): Files of the config and the checkpoint.
        device (str): Device of the detector.
    """

    def __init__(self, config: str, weights: str, device: str) -> None:
        from mmdet.apis import DetInferencer

        self.inferencer = DetInferencer(config, weights, device=device, show_progress=False)

    def __call__(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See :meth:`TorchvisionDetector.__call__`."""
        from mmengine.registry import DefaultScope
        from mmpose.evaluation.functional import nms

        result = []
        for image in images:
            with DefaultScope.overwrite_default_scope('mmdet'):
                found = self.inferencer(image, return_datasamples=True)['predictions'][0].pred_instances.cpu().numpy()
            boxes = np.concatenate([found.bboxes, found.scores[:, None]], axis=1)[found.labels == 0]
            result.append(boxes[nms(boxes, 0.3)])
        return result
