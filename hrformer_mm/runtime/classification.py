"""Classification."""

from collections.abc import Sequence

import numpy as np

from . import drawing
from .model import Model, Result

TOP = 5


class Classification(Model):
    """Results hold `labels`, the five best: `label`, `name` and `score`; `array` is the score of every class."""

    def predict(self, images: Sequence[np.ndarray]) -> list[Result]:
        prepared = [self.prepare(image) for image in images]
        results = []
        for image, small, logits in zip(images, prepared, self.run(prepared)):
            if self.metadata['multi_label']:
                scores = 1 / (1 + np.exp(-logits))
            else:
                scores = np.exp(logits - logits.max())
                scores /= scores.sum()
            best = np.argsort(-scores, kind='stable')[:TOP]
            labels = [
                dict(label=int(i), name=self.metadata['classes'][i], score=round(float(scores[i]), 6)) for i in best
            ]
            results.append(Result(dict(self.sizes(image, small), labels=labels), scores))
        return results

    def draw(self, image: np.ndarray, result: Result) -> np.ndarray:
        return drawing.draw_labels(image, [f'{label["name"]} {label["score"]:.2f}' for label in result['labels']])
