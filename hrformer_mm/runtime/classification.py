"""Image classification."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import drawing
from .model import Model, Result

TOP = 5


class Classification(Model):
    """A classifier. A result has `labels`, the five best: `label`, `name` and `score`; its `array` has all scores."""

    def predict(self, images: Sequence[np.ndarray]) -> list[Result]:
        prepared = [self.prepare(image) for image in images]
        results = []
        for image, small, logits in zip(images, prepared, self.run(prepared)):
            if self.metadata['multi_label']:
                scores = 1 / (1 + np.exp(-logits))
            else:
                scores = np.exp(logits - logits.max())
                scores /= scores.sum()
            labels = best_labels(scores, self.metadata['classes'])
            results.append(Result(dict(self.sizes(image, small), labels=labels), scores))
        return results

    def draw(self, image: np.ndarray, result: Result) -> np.ndarray:
        return drawing.draw_labels(image, result['labels'], self.metadata['classes'])


def best_labels(scores: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the five classes with the highest scores, best first."""
    best = np.argsort(-scores, kind='stable')[:TOP]
    return [dict(label=int(i), name=classes[i], score=round(float(scores[i]), 6)) for i in best]
