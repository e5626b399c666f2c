"""Predict on a photo, and print the result.

    python examples/predict.py CONFIG CHECKPOINT photo.jpg

Without arguments, a generated photo goes through HRFormer-T with random weights.
"""

import sys
import tempfile
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from hrformer_mm import config_path
from hrformer_mm.commands.predict import predict
from hrformer_mm.data import synthesize


def random_model(folder: Path) -> list[str]:
    """Write a photo and a checkpoint of random weights; return config, checkpoint and photo."""
    config = config_path('td-hm_hrformer-t_coco-256x192')
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    torch.save(MODELS.build(cfg.model).state_dict(), folder / 'random.pth')
    synthesize(folder, ['coco'], train=1, val=1)
    return [config, str(folder / 'random.pth'), str(next(folder.glob('coco/val2017/*.jpg')))]


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config, checkpoint, photo = arguments or random_model(Path(folder))
        pose = Config.fromfile(config).default_scope == 'mmpose'
        done = predict(config, checkpoint, [photo], 'predictions', whole_image=pose)
    for line in done.problems:
        print(line)
    for result in done.results:
        print(result)


if __name__ == '__main__':
    main(sys.argv[1:])
