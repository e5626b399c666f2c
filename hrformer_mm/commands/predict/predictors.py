"""Predictors for the three tasks: from loaded pictures to plain data and drawings of the results."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from ...runtime.classification import best_labels
from ...runtime.drawing import draw_people
from ...runtime.images import drawable
from ...runtime.pose import describe
from ...runtime.segmentation import class_shares
from ..model import dataset_meta, describe_classes
from .boxes import Boxes
from .drawing import draw_labels, draw_segmentation
from .pipeline import Loader, Pipeline, check_channels
from .running import Loaded, Result
from .tracking import Follower


class Predictor:
    """A model behind the test pipeline of its config. Call it with loaded pictures of one size.

    Args:
        cfg (Config): The config.
        model (nn.Module): Its model, with weights and the attribute `dataset_meta`.

    Attributes:
        load (Loader): Loads the inputs of a call.
    """

    def __init__(self, cfg: Config, model: Any) -> None:
        self.cfg, self.model = cfg, model
        self.load, self.pipeline = Loader(cfg), Pipeline(cfg)

    def __call__(self, loaded: Sequence[Loaded]) -> list[Result]:
        inputs = [self.prepare(one) for one in loaded]
        return [self.finish(*each) for each in zip(loaded, inputs, self.predict(inputs))]

    @torch.no_grad()
    def predict(self, samples: Sequence[Loaded]) -> list[Any]:
        """Return the model's data samples for the outputs of the pipeline."""
        return self.model.test_step(pseudo_collate(samples))

    def prepare(self, loaded: Loaded) -> dict[str, Any]:
        """Apply the pipeline to a picture.

        Raises:
            ValueError: If the number of channels of the picture is not that of the model.
        """
        check_channels(loaded, self.cfg)
        return self.pipeline(loaded)

    def finish(self, loaded: Loaded, sample: dict[str, Any], found: Any) -> Result:
        """Return the plain data and the drawing of a picture's data sample."""
        raise NotImplementedError


def sizes(loaded: Loaded, sample: dict[str, Any]) -> dict[str, list[int]]:
    """Return the width and height of a picture, and those of the model's input."""
    return dict(size=list(loaded['img'].shape[1::-1]), input_size=list(sample['inputs'].shape[:-3:-1]))


class Segmenter(Predictor):
    """Predicts the shares of the classes, and draws a blend with a legend."""

    def __init__(self, cfg: Config, model: Any) -> None:
        super().__init__(cfg, model)
        self.classes, self.palette = describe_classes(cfg, model, 2 if model.out_channels == 1 else model.num_classes)

    def finish(self, loaded: Loaded, sample: dict[str, Any], found: Any) -> Result:
        labels = found.pred_sem_seg.data[0].long().cpu().numpy()
        shares = class_shares(labels, self.classes)
        picture = draw_segmentation(loaded['img'], labels, shares, self.classes, self.palette)
        return dict(sizes(loaded, sample), shares=shares), picture


class PoseFinder(Predictor):
    """Predicts the keypoints in every box, and draws skeletons. Batches consist of boxes.

    Args:
        boxes (Boxes): Finds the boxes in each picture.
        batch (int): Number of boxes per batch.
        threshold (float): Minimum score of the keypoints that are drawn.
        smooth (bool): Smooth boxes and keypoints in videos. Default: True.
    """

    def __init__(
        self, cfg: Config, model: Any, boxes: Boxes, batch: int, threshold: float, smooth: bool = True
    ) -> None:
        super().__init__(cfg, model)
        self.boxes, self.batch, self.threshold = boxes, batch, threshold
        self.follow = Follower(smooth)
        self.meta = model.dataset_meta or dataset_meta(cfg)
        self.style = dict(
            skeleton=self.meta['skeleton_links'],
            skeleton_colors=np.asarray(self.meta['skeleton_link_colors']).tolist(),
            keypoint_colors=np.asarray(self.meta['keypoint_colors']).tolist(),
        )

    def __call__(self, loaded: Sequence[Loaded]) -> list[Result]:
        pictures = [drawable(one['img']) for one in loaded]
        boxes = self.boxes([one['img_path'] for one in loaded], pictures)
        inputs = [
            [self.prepare({**one, **self.meta, 'bbox': box[None, :4], 'bbox_score': box[4:5]}) for box in of_picture]
            for one, of_picture in zip(loaded, boxes)
        ]
        every, samples = [sample for of_picture in inputs for sample in of_picture], []
        for first in range(0, len(every), self.batch):
            samples += self.predict(every[first : first + self.batch])
        found = iter(samples)  # a batch that fails is repeated: tracks advance only after the last step that can fail
        return [self._one(*each, list(islice(found, len(each[-1])))) for each in zip(loaded, pictures, boxes, inputs)]

    def _one(
        self, loaded: Loaded, picture: np.ndarray, boxes: np.ndarray, inputs: Sequence[Loaded], samples: Sequence[Any]
    ) -> Result:
        from mmpose.structures import merge_data_samples

        if not len(boxes):
            return dict(people=[]), picture
        found: Any = merge_data_samples(samples).pred_instances
        tracks, boxes, points = self.follow(loaded, boxes, found.keypoints)
        keypoints = np.dstack([points, found.keypoint_scores])
        names = [self.meta['keypoint_id2name'][i] for i in range(keypoints.shape[1])]
        data = dict(sizes(loaded, inputs[0]), people=describe(boxes, keypoints, names, tracks))
        # mmpose's visualizer draws with matplotlib, which shrinks pictures if a keypoint or a box lies outside.
        return data, draw_people(picture, boxes[:, :4], keypoints, self.style, self.threshold)


class Classifier(Predictor):
    """Predicts the five best labels, and lists them next to the picture."""

    def finish(self, loaded: Loaded, sample: dict[str, Any], found: Any) -> Result:
        scores = found.pred_score.float().cpu().numpy()
        classes, _ = describe_classes(self.cfg, self.model, len(scores))
        labels = best_labels(scores, classes)
        return dict(sizes(loaded, sample), labels=labels), draw_labels(loaded['img'], labels, classes)
