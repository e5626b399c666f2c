"""Models of the three tasks, alike: loaded pictures in, plain data and pictures of the result out."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn

from ...runtime.drawing import draw_people
from ...runtime.images import drawable
from ...runtime.pose import describe
from ..model import dataset_meta
from .boxes import Boxes
from .drawing import add_legend
from .pipeline import Loader, Pipeline, check_channels
from .running import Loaded, Result
from .tracking import Follower

TOP = 5
LINES = 20  # of a legend


class Predictor:
    """A model behind the steps of its config's test pipeline.

    Args:
        cfg (Config): The config.
        model (nn.Module): Its model, with weights and the attribute `dataset_meta`.

    Attributes:
        load (Loader): Makes the inputs of a call.
    """

    def __init__(self, cfg: Config, model: nn.Module) -> None:
        self.cfg, self.model = cfg, model
        self.meta = model.dataset_meta or dataset_meta(cfg)
        self.load, self.pipeline = Loader(cfg), Pipeline(cfg)

    def __call__(self, loaded: Sequence[Loaded]) -> list[Result]:
        """Predict pictures of one size; what fails raises."""
        raise NotImplementedError

    @torch.no_grad()
    def predict(self, samples: Sequence[Loaded]) -> list[Any]:
        """The model's data samples for what the pipeline returned."""
        return self.model.test_step(pseudo_collate(samples))

    def prepare(self, loaded: Loaded) -> dict[str, Any]:
        """Run the pipeline on one picture.

        Raises:
            ValueError: If the picture has not the channels that the model takes.
        """
        check_channels(loaded, self.cfg)
        return self.pipeline(loaded)


def sizes(loaded: Loaded, sample: dict[str, Any]) -> dict[str, list[int]]:
    """Width and height of a picture, and of what the model gets of it."""
    return dict(size=list(loaded['img'].shape[1::-1]), input_size=list(sample['inputs'].shape[:-3:-1]))


class Segmenter(Predictor):
    """Shares of the classes, and an overlay with a legend."""

    def __init__(self, cfg: Config, model: nn.Module) -> None:
        super().__init__(cfg, model)
        count = 2 if model.out_channels == 1 else model.num_classes  # one sigmoid output for two classes
        classes, palette = (self.meta.get(key) or () for key in ('classes', 'palette'))
        self.classes = list(classes) if len(classes) == count else [f'class {i}' for i in range(count)]
        self.palette = np.array(
            palette if len(palette) == count else np.random.default_rng(0).integers(0, 255, (count, 3)), np.uint8
        )

    def __call__(self, loaded: Sequence[Loaded]) -> list[Result]:
        inputs = [self.prepare(one) for one in loaded]
        return [self._one(*each) for each in zip(loaded, inputs, self.predict(inputs))]

    def _one(self, loaded: Loaded, sample: dict[str, Any], found: Any) -> Result:
        labels = found.pred_sem_seg.data[0].long().cpu().numpy()
        shares = np.bincount(labels.ravel(), minlength=len(self.classes)) / labels.size
        present = [i for i in np.argsort(-shares, kind='stable') if shares[i]]
        data = dict(sizes(loaded, sample), shares={self.classes[i]: round(float(shares[i]), 6) for i in present})
        overlay = 0.4 * drawable(loaded['img']) + 0.6 * self.palette[labels][..., ::-1]
        rows = [(f'{self.classes[i]} {shares[i]:.1%}', self.palette[i]) for i in present[:LINES]]
        return data, add_legend(overlay.astype(np.uint8), rows, f'{max(self.classes, key=len)} 100.0%')


class PoseFinder(Predictor):
    """Keypoints of every box, and skeletons. The batches are of boxes.

    Args:
        boxes (Boxes): The boxes of each picture.
        batch (int): The number of boxes at a time.
        threshold (float): The least score of a keypoint that is drawn.
        smooth (bool): In videos, smooth boxes and keypoints. Default: True.
    """

    def __init__(
        self, cfg: Config, model: nn.Module, boxes: Boxes, batch: int, threshold: float, smooth: bool = True
    ) -> None:
        super().__init__(cfg, model)
        self.boxes, self.batch, self.threshold = boxes, batch, threshold
        self.follow = Follower(smooth)
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
        found = iter(samples)  # tracks go on when nothing can fail any more: a batch that fails is repeated
        return [self._one(*each, list(islice(found, len(each[-1])))) for each in zip(loaded, pictures, boxes, inputs)]

    def _one(
        self, loaded: Loaded, picture: np.ndarray, boxes: np.ndarray, inputs: Sequence[Loaded], samples: Sequence[Any]
    ) -> Result:
        from mmpose.structures import merge_data_samples

        if not len(boxes):
            return dict(people=[]), picture
        found = merge_data_samples(samples).pred_instances
        tracks, boxes, points = self.follow(loaded, boxes, found.keypoints)
        keypoints = np.dstack([points, found.keypoint_scores])
        names = [self.meta['keypoint_id2name'][i] for i in range(keypoints.shape[1])]
        data = dict(sizes(loaded, inputs[0]), people=describe(boxes, keypoints, names, tracks))
        # mmpose's visualizer draws by matplotlib, which shrinks pictures that a keypoint or a box lies outside of.
        return data, draw_people(picture, boxes[:, :4], keypoints, self.style, self.threshold)


class Classifier(Predictor):
    """The five best labels, beside the picture."""

    def __call__(self, loaded: Sequence[Loaded]) -> list[Result]:
        inputs = [self.prepare(one) for one in loaded]
        return [self._one(*each) for each in zip(loaded, inputs, self.predict(inputs))]

    def _one(self, loaded: Loaded, sample: dict[str, Any], found: Any) -> Result:
        scores = found.pred_score.cpu()
        classes = self.meta.get('classes') or [f'class {i}' for i in range(len(scores))]
        labels = [
            dict(label=int(i), name=classes[i], score=round(float(scores[i]), 6))
            for i in scores.argsort(descending=True)[:TOP]
        ]
        rows = [(f'{label["score"]:.1%} {label["name"]}', None) for label in labels]
        return (
            dict(sizes(loaded, sample), labels=labels),
            add_legend(drawable(loaded['img']), rows, f'100.0% {max(classes, key=len)}'),
        )
