"""SegFix within `mim test`: offsets written and scored, and labels refined before metrics see them."""

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
    """Scores what a SegFix model predicts, and writes it.

    `boundary_IoU` is of the pixels near a boundary, `direction_accuracy` of those predicted to be and are, in per
    cent.

    Args:
        output_dir (str, optional): Where the offsets are written, in the authors' layout, one file for each image.
        format_only (bool): Whether files are written alone: a test set has no labels.
        ignore_index (int): The label that is none. Default: 255.

    Raises:
        ValueError: If nothing is to be written and nothing scored.
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
        """Score and write a batch; `seg_logits` are (2 + 8, H, W)."""
        for sample in data_samples:
            logits = sample['seg_logits']['data']
            if self.output_dir:
                name = Path(sample['img_path']).with_suffix('.mat').name
                write_offsets(Path(self.output_dir, name), predicted_offsets(logits[None])[0].cpu().numpy())
            if self.format_only:
                self.results.append(torch.zeros(4))
                continue
            labels = sample['gt_sem_seg']['data'].squeeze(0).to(logits.device)
            known = labels != self.ignore_index
            near, said = known & (labels >= len(DIRECTIONS)), known & (logits[1] > logits[0])
            both = near & said
            right = both & (logits[2:].argmax(0) == labels % len(DIRECTIONS))
            self.results.append(torch.stack([x.sum() for x in (both, near | said, right, both)]).cpu())

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Both scores, of all pixels together."""
        if self.format_only:
            return {}
        both, either, right, among = torch.stack(results).double().sum(0).tolist()
        return dict(boundary_IoU=100 * both / max(either, 1), direction_accuracy=100 * right / max(among, 1))


@EVALUATOR.register_module()
class SegFixEvaluator(Evaluator):
    """mmengine's evaluator, whose metrics see refined labels; the same for one scale, several scales and files.

    Args:
        metrics (dict | list): As of mmengine's.
        offsets (str): Folder of the offsets, each image's under the image's name: the authors' files, or what
            :class:`OffsetMetric` wrote.
        scale (int): Factor of the offsets. Default: 2, as the authors have it for Cityscapes.

    Raises:
        FileNotFoundError: While testing, if an image's offsets are not there.
        ValueError: While testing, if they are none, or of another size.
    """

    def __init__(self, metrics: Any, offsets: str, scale: int = 2) -> None:
        super().__init__(metrics)
        self.offsets, self.scale = Path(offsets), scale

    def process(self, data_samples: Sequence[Any], data_batch: Any | None = None) -> None:
        """Refine the labels of a batch, and hand them on."""
        for sample in data_samples:
            path = self.offsets / Path(sample.img_path).with_suffix('.mat').name
            labels = sample.pred_sem_seg.data  # (1, H, W)
            offsets = torch.from_numpy(read_offsets(path)).to(labels.device)
            try:
                sample.pred_sem_seg.data = refine_labels(labels[0], offsets, self.scale)[None]
            except ValueError as error:
                raise ValueError(f'{path}: {error}') from error
        super().process(data_samples, data_batch)
