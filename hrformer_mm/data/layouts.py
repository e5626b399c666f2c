"""The files of the data sets for segmentation and classification."""
from pathlib import Path
from typing import Iterable

import numpy as np

from .canvas import KINDS, write_image
from .scene import CLASSES, Scene

# For each layout, its pictures (None) and label maps: the label of each of KINDS; 0 is background or unlabelled.
FILES = dict(
    cityscapes={
        'leftImg8bit/{split}/{part}/{part}_{number:06d}_000000_leftImg8bit.png': None,
        'gtFine/{split}/{part}/{part}_{number:06d}_000000_gtFine_labelIds.png': (
            7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33, 1, 4),
        'gtFine/{split}/{part}/{part}_{number:06d}_000000_gtFine_labelTrainIds.png': (*range(19), 255, 255)},
    VOCdevkit={
        'VOC2010/JPEGImages/2010_{part}{number:05d}.jpg': None,
        'VOC2010/SegmentationClassContext/2010_{part}{number:05d}.png': (
            41, 45, 11, 56, 25, 0, 33, 46, 53, 29, 47, 37, 37, 14, 54, 12, 52, 34, 6, 0, 0)},
    coco_stuff10k={
        'images/{part}/COCO_{part}_{number:012d}.jpg': None,
        'annotations/{part}/COCO_{part}_{number:012d}_labelTrainIds.png': (
            138, 129, 85, 161, 102, 153, 10, 12, 158, 113, 146, 1, 1, 3, 8, 6, 7, 4, 2, 0, 0)},
    ade={
        'ADEChallengeData2016/images/{part}/ADE_{split}_{number:08d}.jpg': None,
        'ADEChallengeData2016/annotations/{part}/ADE_{split}_{number:08d}.png': (
            7, 12, 2, 1, 33, 94, 137, 44, 5, 10, 3, 13, 13, 21, 84, 81, 0, 117, 128, 0, 139)},
    custom={
        'images/{split}/{split}_{number:06d}.jpg': None,
        'labels/{split}/{split}_{number:06d}.png': [int(kind == 'person') for kind in KINDS]})
PARTS = dict(
    cityscapes=dict(train='arborton', val='dalewick', test='fernleigh'),  # towns that do not exist
    VOCdevkit=dict(train='0', val='5'),  # all images are in one folder
    coco_stuff10k=dict(train='train2014', val='test2014'),
    ade=dict(train='training', val='validation'),
    custom=dict(train='', val=''))


def write_segmentation(folder: Path, layout: str, split: str, scenes: Iterable[Scene]) -> None:
    """Write images and label maps. In those of a test set everything is ignored, as its labels are not public."""
    part, number = PARTS[layout][split], 0
    for number, scene in enumerate(scenes, 1):
        kinds = np.full_like(scene.kinds, KINDS.index('ego_vehicle')) if split == 'test' else scene.kinds
        for name, labels in FILES[layout].items():
            image = scene.image if labels is None else np.array(labels, dtype=np.uint8)[kinds]
            write_image(folder / name.format(split=split, part=part, number=number), image)
    if layout == 'VOCdevkit':
        names = [f'2010_{part}{index:05d}' for index in range(1, number + 1)]
        write_lines(folder / f'VOC2010/ImageSets/SegmentationContext/{split}.txt', names)


def write_imagenet(folder: Path, layout: str, split: str, scenes: Iterable[Scene]) -> None:
    """Write a folder of images for each class, and ``meta/`` with the labels and the names of the classes."""
    lines = []
    for index, scene in enumerate(scenes):
        class_folder = list(CLASSES)[index % len(CLASSES)]
        prefix = class_folder if split == 'train' else 'ILSVRC2012_val'
        name = f'{class_folder}/{prefix}_{index + 1:08d}.JPEG'
        write_image(folder / split / name, scene.image)
        lines.append(f'{name} {index % len(CLASSES)}')
    write_lines(folder / f'meta/{split}.txt', sorted(lines))
    # For reading without the lists: mmpretrain then expects 1000 folders, unless it is told the classes.
    write_lines(folder / 'meta/classes.txt', CLASSES.values())


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
