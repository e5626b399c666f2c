"""Writers of the files of each data set layout."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .canvas import KINDS, write_image
from .person import KEYPOINTS
from .scene import CLASSES, Scene

# Labels of KINDS, in their order. 0 is the background or unlabelled.
CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33, 4)
CONTEXT = (41, 45, 11, 56, 25, 0, 33, 46, 53, 29, 47, 37, 37, 14, 54, 12, 52, 34, 6, 0)
COCO_STUFF = (138, 129, 85, 161, 102, 153, 10, 12, 158, 113, 146, 1, 1, 3, 8, 6, 7, 4, 2, 0)
ADE = (7, 12, 2, 1, 33, 94, 137, 44, 5, 10, 3, 13, 13, 21, 84, 81, 0, 117, 128, 139)
# The files of each layout: images (None), and label maps with the label of each of KINDS.
FILES: dict[str, dict[str, Sequence[int] | None]] = dict(
    cityscapes={
        'leftImg8bit/{split}/{part}/{part}_{number:06d}_000000_leftImg8bit.png': None,
        'gtFine/{split}/{part}/{part}_{number:06d}_000000_gtFine_labelIds.png': CITYSCAPES_IDS,
        'gtFine/{split}/{part}/{part}_{number:06d}_000000_gtFine_labelTrainIds.png': (*range(19), 255),
    },
    VOCdevkit={
        'VOC2010/JPEGImages/2010_{split}{number:06d}.jpg': None,
        'VOC2010/SegmentationClassContext/2010_{split}{number:06d}.png': CONTEXT,
    },
    coco_stuff10k={
        'images/{part}/COCO_train2014_{number:012d}.jpg': None,
        'annotations/{part}/COCO_train2014_{number:012d}_labelTrainIds.png': COCO_STUFF,
    },
    ade={
        'ADEChallengeData2016/images/{part}/ADE_{split}_{number:08d}.jpg': None,
        'ADEChallengeData2016/annotations/{part}/ADE_{split}_{number:08d}.png': ADE,
    },
    custom={
        'images/{split}/{split}_{number:06d}.jpg': None,
        'labels/{split}/{split}_{number:06d}.png': [int(kind == 'person') for kind in KINDS],
    },
)
PARTS = dict(
    cityscapes=dict(train='arborton', val='dalewick', test='fernleigh'),  # fictitious towns
    coco_stuff10k=dict(train='train2014', val='test2014'),
    ade=dict(train='training', val='validation'),
)

# The detection files that are commonly used for testing, named after their AP on persons.
DETECTIONS = dict(
    val='person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
    test='person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json',
)
FIRST_ID = dict(train=1, val=500001, test=700001)  # image ids are unique across the splits
# Fields that COCO-WholeBody adds to a person: feet, face and hands, all unlabelled here.
WHOLEBODY: dict[str, Any] = {}
for part, count in dict(foot=6, face=68, lefthand=21, righthand=21).items():
    WHOLEBODY |= {f'{part}_kpts': [0] * 3 * count, f'{part}_valid': False, f'{part}_box': [0, 0, 0, 0]}
# A detector has all 80 categories of COCO, although only persons are annotated.
CATEGORY_IDS = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
CATEGORIES = """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli,
carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote,
keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
toothbrush""".replace(',\n', ', ').split(', ')


def write_segmentation(folder: Path, layout: str, split: str, scenes: Iterable[Scene]) -> None:
    """Write images and label maps. Test labels are not public, so all pixels of a test set are ignored."""
    part, number = PARTS.get(layout, {}).get(split), 0
    for number, scene in enumerate(scenes, 1):
        kinds = np.full_like(scene.kinds, KINDS.index('static')) if split == 'test' else scene.kinds
        for name, labels in FILES[layout].items():
            image = scene.image if labels is None else np.array(labels, dtype=np.uint8)[kinds]
            write_image(folder / name.format(split=split, part=part, number=number), image)
    if layout == 'VOCdevkit':
        names = [f'2010_{split}{index:06d}' for index in range(1, number + 1)]
        write_lines(folder / f'VOC2010/ImageSets/SegmentationContext/{split}.txt', names)


def write_imagenet(folder: Path, layout: str, split: str, scenes: Iterable[Scene]) -> None:
    """Write one folder of images per class, and the list of labels in ``meta/``."""
    lines = []
    for index, scene in enumerate(scenes):
        class_folder = list(CLASSES)[index % len(CLASSES)]
        prefix = class_folder if split == 'train' else 'ILSVRC2012_val'
        name = f'{class_folder}/{prefix}_{index + 1:08d}.JPEG'
        write_image(folder / split / name, scene.image)
        lines.append(f'{name} {index % len(CLASSES)}')
    write_lines(folder / f'meta/{split}.txt', sorted(lines))


def write_coco(folder: Path, layout: str, split: str, scenes: Iterable[Scene]) -> None:
    """Write images, annotations and detections. Test annotations are not public, so the test set has none."""
    images, people = [], []
    for image_id, scene in enumerate(scenes, FIRST_ID[split]):
        height, width = scene.kinds.shape
        images.append(dict(id=image_id, file_name=f'{image_id:012d}.jpg', height=height, width=width))
        write_image(folder / f'{split}2017' / images[-1]['file_name'], scene.image)
        people += [
            annotation(image_id, number, keypoints, scene.persons == number)
            for number, keypoints in enumerate(scene.keypoints, 1)
        ]

    person = [dict(supercategory='person', id=1, name='person', keypoints=KEYPOINTS)]
    whole = [{**record, **WHOLEBODY} for record in people]
    categories = [dict(id=number, name=name) for number, name in zip(CATEGORY_IDS, CATEGORIES)]
    files = {
        f'person_keypoints_{split}2017': (people, person),
        f'coco_wholebody_{split}_v1.0': (whole, person),
        f'instances_{split}2017': (people, categories),
    }
    if split == 'test':
        files = {'image_info_test-dev2017': ([], person)}
    info = dict(description='Generated people in the format of COCO 2017')
    for name, (annotations, categories) in files.items():
        content = dict(info=info, images=images, annotations=annotations, categories=categories)
        write_lines(folder / f'annotations/{name}.json', [json.dumps(content)])
    if split in DETECTIONS:  # of a perfect detector
        detections = [
            dict(image_id=record['image_id'], category_id=1, bbox=record['bbox'], score=0.9) for record in people
        ]
        write_lines(folder / DETECTIONS[split], [json.dumps(detections)])


def annotation(image_id: int, number: int, keypoints: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    """Return the COCO annotation of a person, with a box around ``mask`` (H, W) and all labelled keypoints."""
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    labelled = keypoints[keypoints[:, 2] > 0, :2]
    box = cv2.boundingRect(np.concatenate([np.argwhere(mask)[:, ::-1], labelled]).astype(np.int32))
    return dict(
        id=10 * image_id + number,
        image_id=image_id,
        category_id=1,
        iscrowd=0,
        area=int(mask.sum()),
        bbox=box,
        num_keypoints=len(labelled),
        keypoints=keypoints.ravel().tolist(),
        segmentation=[contour.ravel().tolist() for contour in contours if len(contour) >= 3],
    )


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
