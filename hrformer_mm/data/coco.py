"""Generated pictures of people in the layout of COCO 2017: boxes, keypoints, and those of COCO-WholeBody."""
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import cv2
import numpy as np

from .coco_categories import CATEGORIES
from .drawing import image_rng, write_image
from .figure import KEYPOINTS
from .people import ABSENT, draw_people

Record = Dict[str, Any]

# The files of detections that everybody tests with, named after their average precision on people.
DETECTIONS = dict(val='person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
                  test='person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json')
# As in COCO, no image of one split has the number of an image of the other.
FIRST_ID = dict(train=1, val=500001, test=700001)
# Keypoints that COCO-WholeBody adds to the body's.
WHOLEBODY = dict(foot=6, face=68, lefthand=21, righthand=21)
# Pairs of keypoints, counted from 1, in COCO's order.
SKELETON = ((16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10),
            (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7))


def write_coco(folder: Path, counts: Dict[str, int], size: Tuple[int, int], seed: int, progress: Callable) -> None:
    """Write images, annotations and detections below ``folder``; see :func:`hrformer_mm.data.synthesize`."""
    for split, count in {**counts, 'test': counts['val']}.items():
        images: List[Record] = []
        annotations: List[Record] = []
        detections: List[Record] = []
        for index in progress(range(count), f'coco/{split}'):
            rng = image_rng(seed, f'coco/{split}', index)
            picture, labels, people = draw_people(rng, size)
            image = image_record(FIRST_ID[split] + index, size)
            found = [annotation_record(image['id'], number, person, labels == number)
                     for number, person in enumerate(people, 1)]
            write_image(folder / f'{split}2017' / image['file_name'], picture)
            images.append(image)
            annotations.extend(found)
            detections.extend(detect(rng, image['id'], found, size))
        if split in DETECTIONS:
            _write_json(folder / DETECTIONS[split], detections)
        if split == 'test':  # its annotations are the server's
            _write_json(folder / 'annotations/image_info_test-dev2017.json', data_set(images, []))
            continue
        people = data_set(images, annotations)
        _write_json(folder / f'annotations/person_keypoints_{split}2017.json', people)
        # A detector speaks of all categories, though people alone are drawn.
        _write_json(folder / f'annotations/instances_{split}2017.json', {**people, 'categories': CATEGORIES})
        whole = [{**person, **wholebody_record()} for person in annotations]
        _write_json(folder / f'annotations/coco_wholebody_{split}_v1.0.json', data_set(images, whole))


def data_set(images: List[Record], annotations: List[Record]) -> Record:
    """A whole annotation file."""
    person = dict(supercategory='person', id=1, name='person', keypoints=KEYPOINTS, skeleton=SKELETON)
    return dict(
        info=dict(description='Generated people in the format of COCO 2017', url='', version='1.0', year=2026,
                  contributor='hrformer_mm', date_created='2026/01/01'),
        licenses=[dict(url='', id=1, name='Generated, free of rights')],
        images=images,
        annotations=annotations,
        categories=[person])


def image_record(number: int, size: Tuple[int, int]) -> Record:
    """COCO's entry of one image."""
    return dict(license=1, file_name=f'{number:012d}.jpg', coco_url='', height=size[1], width=size[0],
                date_captured='2026-01-01 00:00:00', flickr_url='', id=number)


def annotation_record(image_id: int, number: int, keypoints: np.ndarray, mask: np.ndarray) -> Record:
    """COCO's entry of one person.

    The segmentation and its area are of what is seen; the box also holds the labelled keypoints that are hidden.

    Args:
        image_id (int): Image that shows the person.
        number (int): Which person of the image this is, from 1.
        keypoints (np.ndarray): (17, 3), as x, y and visibility.
        mask (np.ndarray): (height, width), bool, where the person is seen.
    """
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    labelled = keypoints[keypoints[:, 2] != ABSENT, :2]
    extent = np.concatenate([np.argwhere(mask)[:, ::-1], labelled])
    low, high = extent.min(axis=0), extent.max(axis=0) + 1
    return dict(
        segmentation=[contour.ravel().tolist() for contour in contours if len(contour) >= 3],
        num_keypoints=len(labelled),
        area=int(mask.sum()),
        iscrowd=0,
        keypoints=keypoints.ravel().tolist(),
        image_id=image_id,
        bbox=[*low.tolist(), *(high - low).tolist()],
        category_id=1,
        id=10 * image_id + number)


def wholebody_record() -> Record:
    """COCO-WholeBody's additions to the entry of one person: feet, face and hands, none of them labelled."""
    record: Record = {f'{part}_kpts': [0] * (3 * count) for part, count in WHOLEBODY.items()}
    for part in ('foot', 'face', 'lefthand', 'righthand'):
        record[f'{part}_valid'] = False
        record[f'{part}_box'] = [0, 0, 0, 0]
    return record


def detect(rng: np.random.Generator, image_id: int, people: List[Record], size: Tuple[int, int]) -> List[Record]:
    """What a good but imperfect detector says: each person's box, a little off, and at times a box of nobody."""
    boxes = [(np.array(person['bbox']), rng.uniform(0.85, 1.0)) for person in people]
    for _ in range(rng.integers(0, 3)):
        wide, tall = np.array(size) * rng.uniform(0.15, 0.5, 2)
        boxes.append((np.array([rng.uniform(0, size[0] - wide), rng.uniform(0, size[1] - tall), wide, tall]),
                      rng.uniform(0.02, 0.3)))
    detections = []
    for (left, top, wide, tall), score in boxes:
        corners = np.array([left, top, left + wide, top + tall]) + rng.normal(0, 0.03, 4) * (wide, tall, wide, tall)
        x0, y0, x1, y1 = np.clip(corners, 0, (*size, *size))
        found = [round(float(value), 2) for value in (x0, y0, x1 - x0, y1 - y0)]
        detections.append(dict(image_id=image_id, category_id=1, bbox=found, score=round(float(score), 4)))
    return detections


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding='utf-8')
