"""Generated scenes in the layouts of PASCAL-Context, COCO-Stuff 10k, ADE20K and a data set of one's own."""
from pathlib import Path
from typing import Callable, Dict, Tuple

import numpy as np

from .drawing import image_rng, write_image
from .people import draw_people
from .street import draw_street

# What a street shows, as the labels in the files of each data set; 0 is background, or what nobody labelled.
PASCAL_CONTEXT = dict(
    road=41, sidewalk=45, building=11, wall=56, fence=25, pole=0, traffic_light=33, traffic_sign=46, vegetation=53,
    terrain=29, sky=47, person=37, rider=37, car=14, truck=54, bus=12, train=52, motorcycle=34, bicycle=6,
    ego_vehicle=0, static=0, rail_track=51)
COCO_STUFF = dict(
    road=138, sidewalk=129, building=85, wall=161, fence=102, pole=153, traffic_light=10, traffic_sign=12,
    vegetation=158, terrain=113, sky=146, person=1, rider=1, car=3, truck=8, bus=6, train=7, motorcycle=4, bicycle=2,
    ego_vehicle=0, static=0, rail_track=136)
ADE20K = dict(
    road=7, sidewalk=12, building=2, wall=1, fence=33, pole=94, traffic_light=137, traffic_sign=44, vegetation=5,
    terrain=10, sky=3, person=13, rider=13, car=21, truck=84, bus=81, train=0, motorcycle=117, bicycle=128,
    ego_vehicle=0, static=139, rail_track=0)


def write_pascal_context(folder: Path, counts: Dict[str, int], size: Tuple[int, int], seed: int,
                         progress: Callable) -> None:
    """Write ``VOC2010/`` below ``folder``; see :func:`hrformer_mm.data.synthesize`."""
    root = folder / 'VOC2010'
    for split, count in counts.items():
        names = []
        for index in progress(range(count), f'VOCdevkit/{split}'):
            rng = image_rng(seed, f'VOCdevkit/{split}', index)
            image, labels = draw_street(rng, size, index, PASCAL_CONTEXT)
            # As in PASCAL VOC, all images are in one folder, and a list says which split they belong to.
            names.append(f'2010_{index + 1 + 500000 * (split == "val"):06d}')
            write_image(root / f'JPEGImages/{names[-1]}.jpg', image)
            write_image(root / f'SegmentationClassContext/{names[-1]}.png', labels)
        lists = root / 'ImageSets/SegmentationContext'
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f'{split}.txt').write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')


def write_coco_stuff(folder: Path, counts: Dict[str, int], size: Tuple[int, int], seed: int,
                     progress: Callable) -> None:
    """Write ``images/`` and ``annotations/`` below ``folder``; see :func:`hrformer_mm.data.synthesize`."""
    for split, count in counts.items():
        part = dict(train='train2014', val='test2014')[split]
        for index in progress(range(count), f'coco_stuff10k/{split}'):
            rng = image_rng(seed, f'coco_stuff10k/{split}', index)
            image, labels = draw_street(rng, size, index, COCO_STUFF)
            name = f'COCO_train2014_{index + 1 + 500000 * (split == "val"):012d}'
            write_image(folder / f'images/{part}/{name}.jpg', image)
            write_image(folder / f'annotations/{part}/{name}_labelTrainIds.png', labels)


def write_ade20k(folder: Path, counts: Dict[str, int], size: Tuple[int, int], seed: int, progress: Callable) -> None:
    """Write ``ADEChallengeData2016/`` below ``folder``; see :func:`hrformer_mm.data.synthesize`."""
    root = folder / 'ADEChallengeData2016'
    for split, count in counts.items():
        part = dict(train='training', val='validation')[split]
        for index in progress(range(count), f'ade/{split}'):
            rng = image_rng(seed, f'ade/{split}', index)
            image, labels = draw_street(rng, size, index, ADE20K)
            name = f'ADE_{split}_{index + 1:08d}'
            write_image(root / f'images/{part}/{name}.jpg', image)
            write_image(root / f'annotations/{part}/{name}.png', labels)


def write_custom(folder: Path, counts: Dict[str, int], size: Tuple[int, int], seed: int, progress: Callable) -> None:
    """Write ``images/`` and ``labels/`` of people (1) and what is around them (0) below ``folder``."""
    for split, count in counts.items():
        for index in progress(range(count), f'custom/{split}'):
            rng = image_rng(seed, f'custom/{split}', index)
            image, who, _ = draw_people(rng, size)
            name = f'{split}_{index + 1:06d}'
            write_image(folder / f'images/{split}/{name}.jpg', image)
            write_image(folder / f'labels/{split}/{name}.png', (who > 0).astype(np.uint8))
