"""Measure the cost of the checks for each sample and at the start of a training.

    python benchmarks/data_checks.py

Loads one sample of each size again and again, through the pipeline of the config, with and without checks, in turns;
prints the medians. Then reads an annotation file of as many persons as COCO's.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from hrformer_mm.checks import check_start
from hrformer_mm.checks.coco import Sizes, coco_problems, read_coco
from hrformer_mm.data import synthesize

CONFIGS = Path(__file__).parents[1] / 'configs'
CASES = [
    ('cityscapes', 'ocr_hrformer-b_cityscapes', (2048, 1024)),
    ('ade', 'ocr_hrformer-b_ade20k', (683, 512)),
    ('coco', 'td-hm_hrformer-b_coco-256x192', (640, 480)),
    ('imagenet', 'hrformer-b_imagenet', (500, 375)),
]
REPEATS = 60


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def cost(layout, config, size, root):
    synthesize(root, layout, train=1, val=1, size=size)
    cfg = Config.fromfile(CONFIGS / f'{config}.py')
    settings = cfg.train_dataloader.dataset
    settings.data_root = str(root / Path(settings.data_root).relative_to('data')) + '/'
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(settings)
    check_start(dataset)
    checked = dataset.pipeline
    plain, steps = [], [step for step in checked.transforms if type(step).__name__.startswith('Load')]
    with_checks, whole = [], []

    def load():
        data = dataset.get_data_info(0)
        for step in steps:
            data = step(data)

    for _ in range(REPEATS):
        plain.append(seconds(load))
        with_checks.append(seconds(lambda: checked.load(dataset.get_data_info(0))))
        whole.append(seconds(lambda: dataset[0]))
    before, after, all_of_it = (1e3 * statistics.median(times) for times in (plain, with_checks, whole))
    print(
        f'{layout:12}{size[0]}x{size[1]}: loading {before:.2f} ms, with checks {after:.2f} ms, '
        f'{after - before:+.2f} ms; the whole pipeline {all_of_it:.2f} ms'
    )


def start(root, images=118_287, persons=262_465):
    path = root / 'persons.json'
    keypoints = [c for n in range(17) for c in (100 + n, 120 + n, 2)]
    path.write_text(
        json.dumps(
            dict(
                images=[dict(id=n, file_name=f'{n:012d}.jpg', width=640, height=480) for n in range(images)],
                annotations=[
                    dict(
                        id=n,
                        image_id=n % images,
                        category_id=1,
                        bbox=[90, 90, 200, 200],
                        keypoints=keypoints,
                        num_keypoints=17,
                    )
                    for n in range(persons)
                ],
                categories=[dict(id=1, name='person', keypoints=[str(n) for n in range(17)])],
            )
        )
    )
    content = None

    def read():
        nonlocal content
        content = read_coco(path)

    reading = seconds(read)
    checking = seconds(lambda: (Sizes.of(content), list(coco_problems(content, str(path)))))
    print(f'at the start, {persons} persons in {images} images: reading {reading:.1f} s, checking {checking:.1f} s')


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            cost(*case, Path(folder))
        start(Path(folder))
