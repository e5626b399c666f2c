"""SegFix within `mim test`: a metric that scores and writes offsets, and an evaluator that refines labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric, Evaluator

from ..registry import EVALUATOR, METRICS
from .files import read_offsets, write_offsets
from .offsets import DIRECTIONS, predicted_offsets, refine_labels


@METRICS.register_module()
class OffsetMetric(BaseMetric):
    """Scores the predictions of a SegFix model, and writes them to files.

    `boundary_IoU` is the IoU of the pixels near a boundary. `direction_accuracy` is the accuracy of the direction at
    correctly predicted pixels near a boundary. Both are in percent.

    Args:
        output_dir (str, optional): Folder to which the offsets are written in the authors' format, one file per image.
            Default: None.
        format_only (bool): Only write files, for example for a test set without labels. Default: False.
        ignore_index (int): Label of ignored pixels. Default: 255.
        collect_device, prefix: See mmengine's `BaseMetric`.

    Raises:
        ValueError: If `format_only` is True without `output_dir`.
    """

    def __init__(
        self,
        output_dir: str | None = None,
        format_only: bool = False,
        ignore_index: int = 255,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only and output_dir is None:
            raise ValueError('format_only is True, so output_dir must name a folder, but is None')
        self.output_dir, self.format_only, self.ignore_index = output_dir, format_only, ignore_index
        if output_dir and is_main_process():
            Path(output_dir).mkdir(parents=True, exist_ok=True)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score and write a batch of samples with `seg_logits` of shape (2 + 8, H, W)."""
        for sample in data_samples:
            logits = sample['seg_logits']['data']
            if self.output_dir:
                name = Path(sample['img_path']).with_suffix('.mat').name
                write_offsets(Path(self.output_dir, name), predicted_offsets(logits[None])[0].cpu().numpy())
            if self.format_only:
                self.results.append(torch.zeros(3))
                continue
            labels = sample['gt_sem_seg']['data'].squeeze(0).to(logits.device)
            known = labels != self.ignore_index
            near, predicted = known & (labels >= len(DIRECTIONS)), known & (logits[1] > logits[0])
            both = near & predicted
            correct = both & (logits[2:].argmax(0) == labels % len(DIRECTIONS))
            self.results.append(torch.stack([x.sum() for x in (both, near | predicted, correct)]).cpu())

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute both scores over the pixels of all images."""
        if self.format_only:
            return {}
        both, either, correct = torch.stack(results).double().sum(0).tolist()
        return dict(boundary_IoU=100 * both / max(either, 1), direction_accuracy=100 * correct / max(both, 1))


@EVALUATOR.register_module()
class SegFixEvaluator(Evaluator):
    """mmengine's `Evaluator`, which refines predicted labels with SegFix before the metrics process them.

    Args:
        metrics (dict | list): See mmengine's `Evaluator`.
        offsets (str): Folder with one file of offsets per image, named like the image: the authors' files, or those
            that :class:`OffsetMetric` wrote.
        scale (int): Factor that multiplies the offsets. Default: 2, the authors' value for Cityscapes.

    Raises:
        FileNotFoundError: During the test, if the file of an image does not exist.
        ValueError: During the test, if a file contains no offsets, or offsets of another image size.
    """

    def __init__(self, metrics: Any, offsets: str, scale: int = 2) -> None:
        super().__init__(metrics)
        self.offsets, self.scale = Path(offsets), scale

    def process(self, data_samples: Sequence[Any], data_batch: Any | None = None) -> None:
        """Refine the labels of a batch and pass it to the metrics."""
        for sample in data_samples:
            path = self.offsets / Path(sample.img_path).with_suffix('.mat').name
            labels = sample.pred_sem_seg.data  # (1, H, W)
            offsets = torch.from_numpy(read_offsets(path)).to(labels.device)
            try:
                sample.pred_sem_seg.data = refine_labels(labels[0], offsets, self.scale)[None]
            except ValueError as error:
                raise ValueError(f'{path}: {error}') from error
        super().process(data_samples, data_batch)
