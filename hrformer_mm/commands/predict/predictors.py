"""The hosts' inferencers and visualizers, alike for the three tasks: pictures in, (plain data, picture) out."""

from collections.abc import Sequence
from typing import Any, Optional

import cv2
import numpy as np
from mmengine.config import Config

from .boxes import Boxes

Result = tuple[dict[str, Any], np.ndarray]
TOP = 5
ROW = 22  # pixels of a legend's line


class Segmenter:
    """Shares of the classes, and an overlay with a legend."""

    def __init__(self, cfg: Config, checkpoint: str, device: Optional[str], meta: dict[str, Any]) -> None:
        from mmseg.apis import MMSegInferencer
        self.inferencer = MMSegInferencer(cfg, checkpoint, device=device)
        self.model = self.inferencer.model
        self.inferencer.show_progress = False
        count = self.model.decode_head.num_classes
        self.classes = list(meta.get('classes') or [])
        self.palette = list(meta.get('palette') or [])
        if len(self.classes) != count:
            self.classes = [f'class {i}' for i in range(count)]
        if len(self.palette) != count:
            self.palette = np.random.default_rng(0).integers(0, 255, (count, 3)).tolist()
        self.model.dataset_meta = dict(classes=self.classes, palette=self.palette)

    def __call__(self, names: Sequence[str], images: Sequence[np.ndarray]) -> list[Result]:
        samples = self.inferencer(list(images), return_datasamples=True, batch_size=len(images))
        samples = samples if isinstance(samples, list) else [samples]
        pictures = self.inferencer.visualize([image[..., ::-1] for image in images], samples, return_vis=True,
                                             opacity=0.6, with_labels=False)
        results = []
        for sample, picture in zip(samples, pictures):
            labels = sample.pred_sem_seg.data[0].cpu().numpy()
            shares = np.bincount(labels.ravel(), minlength=len(self.classes)) / labels.size
            present = [i for i in np.argsort(-shares, kind='stable') if shares[i]]
            data = dict(shares={self.classes[i]: round(float(shares[i]), 6) for i in present})
            results.append((data, self._legend(picture[..., ::-1], present, shares)))
        return results

    def _legend(self, picture: np.ndarray, present: Sequence[int], shares: np.ndarray) -> np.ndarray:
        texts = [f'{self.classes[i]} {shares[i]:.1%}' for i in present]
        longest = max(map(len, self.classes))  # the same for every frame of a video
        height = max(picture.shape[0], ROW * len(texts) + 8)
        canvas = np.full((height, picture.shape[1] + 9 * (longest + 7) + 40, 3), 255, np.uint8)
        canvas[:picture.shape[0], :picture.shape[1]] = picture
        for row, (label, text) in enumerate(zip(present, texts)):
            x, y = picture.shape[1] + 10, 8 + row * ROW
            cv2.rectangle(canvas, (x, y), (x + 14, y + 14), tuple(int(v) for v in self.palette[label][::-1]), -1)
            cv2.putText(canvas, text, (x + 22, y + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        return canvas[:picture.shape[0]] if ROW * len(texts) + 8 <= picture.shape[0] else canvas


class PoseFinder:
    """Keypoints of every box, and skeletons. The batches are of boxes."""

    def __init__(self, cfg: Config, checkpoint: str, device: Optional[str], boxes: Boxes, batch: int) -> None:
        from mmpose.apis import MMPoseInferencer
        from mmpose.structures import merge_data_samples
        # The same class that its own command uses; boxes are handed over below.
        self.inferencer = MMPoseInferencer(cfg, checkpoint, device=device, det_model='whole_image').inferencer
        self.model = self.inferencer.model
        self.merge, self.boxes, self.batch = merge_data_samples, boxes, batch

    def __call__(self, names: Sequence[str], images: Sequence[np.ndarray]) -> list[Result]:
        return [self._one(name, image) for name, image in zip(names, images)]

    def _one(self, name: str, image: np.ndarray) -> Result:
        import torch
        boxes = self.boxes(name, image)
        if not len(boxes):
            return dict(people=[]), image
        inputs = [self.inferencer.pipeline(dict(img=image, img_path=name, bbox=box[None, :4], bbox_score=box[4:5],
                                                **self.model.dataset_meta)) for box in boxes]
        samples: list = []
        with torch.no_grad():
            for first in range(0, len(inputs), self.batch):
                samples += self.model.test_step(self.inferencer.collate_fn(inputs[first:first + self.batch]))
        merged = self.merge(samples)
        found = merged.pred_instances
        names = self.model.dataset_meta['keypoint_id2name']
        people = [dict(box=[round(float(v), 2) for v in box], keypoints={
            names[i]: [round(float(v), 3) for v in (*point, score)]
            for i, (point, score) in enumerate(zip(points, scores))})
            for box, points, scores in zip(boxes, found.keypoints, found.keypoint_scores)]
        radius = max(2, round(min(image.shape[:2]) / 150))
        picture, = self.inferencer.visualize([image], [merged], return_vis=True, radius=radius,
                                             thickness=max(1, radius // 2))
        picture = np.ascontiguousarray(picture[..., ::-1])
        for box in boxes.round().astype(int):  # mmpose's own boxes shrink the picture where they touch its border
            cv2.rectangle(picture, box[:2].tolist(), box[2:4].tolist(), (0, 160, 0), 1)
        return dict(people=people), picture


class Classifier:
    """The five best labels, written into the picture."""

    def __init__(self, cfg: Config, checkpoint: str, device: Optional[str]) -> None:
        from mmpretrain.apis import ImageClassificationInferencer
        from mmpretrain.visualization import UniversalVisualizer
        self.inferencer = ImageClassificationInferencer(cfg, checkpoint, device=device or 'cpu')
        self.model = self.inferencer.model
        self.visualizer = UniversalVisualizer()

    def __call__(self, names: Sequence[str], images: Sequence[np.ndarray]) -> list[Result]:
        from mmengine.dataset import default_collate
        steps = self.inferencer.pipeline
        inputs = [steps(dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])) for image in images]
        results = []
        for image, sample in zip(images, self.inferencer.forward(default_collate(inputs))):
            best = sample.pred_score.argsort(descending=True)[:TOP]
            sample.set_pred_label(best)
            picture = self.visualizer.visualize_cls(image[..., ::-1], sample, self.inferencer.classes, draw_gt=False)
            classes = self.inferencer.classes or [f'class {i}' for i in range(len(sample.pred_score))]
            data = dict(labels=[dict(label=int(i), name=classes[i], score=round(float(sample.pred_score[i]), 6))
                                for i in best])
            results.append((data, picture[..., ::-1]))
        return results
