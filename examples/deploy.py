"""Deploy a backbone with a head of one's own: the deployment form, and ONNX; compare results and times.

    python examples/deploy.py [CHECKPOINT]

CHECKPOINT holds the weights of the classifier below. Without it, weights are random.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.weights import read_tensors


class Classifier(nn.Module):
    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.backbone = HRFormer('tiny', out_indices=(3,))
        self.head = nn.Linear(144, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) to logits (N, classes)."""
        return self.head(self.backbone(images)[0].mean((2, 3)))


def timed(name: str, run: Callable[[], np.ndarray], expected: np.ndarray | None = None) -> np.ndarray:
    result, start = run(), time.perf_counter()
    for _ in range(5):
        run()
    error = 0.0 if expected is None else np.abs(result - expected).max() / np.abs(expected).max()
    print(f'{name:15} {(time.perf_counter() - start) * 200:6.1f} ms, relative difference {error:.1e}')
    return result


def main(checkpoint: str = '') -> None:
    model, images = Classifier().eval(), torch.randn(1, 3, 224, 224)
    if checkpoint:
        model.load_state_dict(read_tensors(checkpoint))
    deployed = to_deploy(model)
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'classifier.onnx'))
        torch.onnx.export(model, (images,), path, dynamo=True, input_names=['images'], verbose=False)
        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
        expected = timed('eager', lambda: model(images).numpy())
        timed('deployment form', lambda: deployed(images).numpy(), expected)
        timed('onnxruntime', lambda: session.run(None, {'images': images.numpy()})[0], expected)


if __name__ == '__main__':
    main(*sys.argv[1:])
