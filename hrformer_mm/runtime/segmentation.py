"""Semantic segmentation."""

from collections.abc import Sequence

import numpy as np

from . import drawing
from .model import Model, Result
from .preprocessing import normalize
from .resampling import resize_maps


class Segmentation(Model):
    """A segmentor. A result has the `shares` of the present classes, largest first; its `array` is the label map."""

    def predict(self, images: Sequence[np.ndarray]) -> list[Result]:
        prepared = [self.prepare(image) for image in images]
        inputs = [normalize(image, self.metadata) for image in prepared]
        maps = self._slide(inputs) if self.metadata['window'] else self.run_inputs(inputs)
        results = []
        for image, small, logits in zip(images, prepared, maps):
            logits = logits[:, : small.shape[0], : small.shape[1]]  # without the padding
            logits = resize_maps(logits, image.shape[:2], self.metadata['align_corners'])
            results.append(self._result(logits, self.sizes(image, small)))
        return results

    def draw(self, image: np.ndarray, result: Result) -> np.ndarray:
        return drawing.draw_segmentation(
            image, result.array, result['shares'], self.metadata['classes'], self.metadata['palette']
        )

    def run_inputs(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network on normalized images (1, C, H, W); returns logits (classes, H, W) in the size of each."""
        return [
            resize_maps(logits, x.shape[2:], self.metadata['align_corners'])
            for x, logits in zip(inputs, super().run_inputs(inputs))
        ]

    def _slide(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Average the logits of overlapping windows, as mmseg's `slide` mode does."""
        window, stride = self.metadata['window']['size'], self.metadata['window']['stride']
        means = []
        for x in inputs:
            corners = [
                (top, left)
                for top in _starts(x.shape[2], window[0], stride[0])
                for left in _starts(x.shape[3], window[1], stride[1])
            ]
            parts = [(slice(top, top + window[0]), slice(left, left + window[1])) for top, left in corners]
            total, count = np.zeros(()), np.zeros(x.shape[2:], np.float32)
            for (rows, columns), logits in zip(parts, self.run_inputs([x[:, :, r, c] for r, c in parts])):
                if not count.any():
                    total = np.zeros((len(logits), *x.shape[2:]), np.float32)
                total[:, rows, columns] += logits
                count[rows, columns] += 1
            means.append(total / count)
        return means

    def _result(self, logits: np.ndarray, sizes: dict[str, list[int]]) -> Result:
        threshold = self.metadata['threshold']
        if threshold is None:
            labels = logits.argmax(0)
        else:
            labels = (1 / (1 + np.exp(-logits[0])) > threshold).astype(int)
        return Result(dict(sizes, shares=class_shares(labels, self.metadata['classes'])), labels)


def class_shares(labels: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Return the share of the pixels of each class in a label map (H, W), largest first, without absent classes."""
    shares = np.bincount(labels.ravel(), minlength=len(classes)) / labels.size
    return {classes[i]: round(float(shares[i]), 6) for i in np.argsort(-shares, kind='stable') if shares[i]}


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Return the starts of the windows that cover a length; the last window ends with it."""
    count = max(length - window + stride - 1, 0) // stride + 1
    return [max(min(i * stride, length - window), 0) for i in range(count)]
