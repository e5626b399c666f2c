"""Pictures of people in the layout of COCO 2017: boxes, keypoints, and those of COCO-WholeBody."""
import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

import cv2
import numpy as np

from .canvas import write_image
from .layouts import write_lines
from .person import KEYPOINTS
from .scene import Scene

# The files of detections that everybody tests with, named after their average precision on people.
DETECTIONS = dict(val='person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
                  test='person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json')
FIRST_ID = dict(train=1, val=500001, test=700001)  # an image's id is unique over all splits
# What COCO-WholeBody adds to a person: feet, face and hands, none of them labelled here.
WHOLEBODY = {f'{part}_{key}': value for part, count in dict(foot=6, face=68, lefthand=21, righthand=21).items()
             for key, value in dict(kpts=[0] * 3 * count, valid=False, box=[0, 0, 0, 0]).items()}
# A detector's labels are all 80 categories of COCO, though people alone are annotated.
CATEGORY_IDS = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
CATEGORIES = """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli,
carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote,
keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
toothbrush""".replace(',\n', ', ').split(', ')


def write_coco(folder: Path, layout: str, split: str, scenes: Iterable[Scene]) -> None:
    """Write images, annotations and detections. The test set has no annotations, as they are not public."""
    images, people, detections = [], [], []
    for image_id, scene in enumerate(scenes, FIRST_ID[split]):
        height, width = scene.kinds.shape
        images.append(dict(id=image_id, file_name=f'{image_id:012d}.jpg', height=height, width=width))
        write_image(folder / f'{split}2017' / images[-1]['file_name'], scene.image)
        found = [annotation(image_id, number, keypoints, scene.persons == number)
                 for number, keypoints in enumerate(scene.keypoints, 1)]
        people += found
        detections += detect(image_id, found, (width, height))

    person = [dict(supercategory='person', id=1, name='person', keypoints=KEYPOINTS)]
    whole = [{**record, **WHOLEBODY} for record in people]
    categories = [dict(id=number, name=name) for number, name in zip(CATEGORY_IDS, CATEGORIES)]
    files = {f'person_keypoints_{split}2017': (people, person), f'coco_wholebody_{split}_v1.0': (whole, person),
             f'instances_{split}2017': (people, categories)}
    if split == 'test':
        files = {'image_info_test-dev2017': ([], person)}
    for name, (annotations, categories) in files.items():
        content = dict(info=dict(description='Generated people in the format of COCO 2017'), images=images,
                       annotations=annotations, categories=categories)
        write_lines(folder / f'annotations/{name}.json', [json.dumps(content)])
    if split in DETECTIONS:
        write_lines(folder / DETECTIONS[split], [json.dumps(detections)])


def annotation(image_id: int, number: int, keypoints: np.ndarray, mask: np.ndarray) -> Dict[str, Any]:
    """COCO's entry of the n-th person of an image, who is seen at ``mask`` (height, width).

    The segmentation and its area are of what is seen; the box also holds the labelled keypoints that are hidden.
    """
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    labelled = keypoints[keypoints[:, 2] > 0, :2]
    extent = np.concatenate([np.argwhere(mask)[:, ::-1], labelled])
    low, high = extent.min(axis=0), extent.max(axis=0) + 1
    return dict(
        id=10 * image_id + number, image_id=image_id, category_id=1, iscrowd=0, area=int(mask.sum()),
        bbox=[*low.tolist(), *(high - low).tolist()], num_keypoints=len(labelled), keypoints=keypoints.ravel().tolist(),
        segmentation=[contour.ravel().tolist() for contour in contours if len(contour) >= 3])


def detect(image_id: int, people: List[Dict], size: Tuple[int, int]) -> List[Dict[str, Any]]:
    """What a good detector reports: each person's box, a little off, and a box of nobody with a low score."""
    rng = np.random.default_rng(image_id)
    boxes = np.array([person['bbox'] for person in people] + [(0, 0, size[0] / 3, size[1] / 2)])
    low = np.clip(boxes[:, :2] + rng.normal(0, 0.03, (len(boxes), 2)) * boxes[:, 2:], 0, None)
    extent = np.minimum(boxes[:, 2:] * rng.uniform(0.94, 1.06, (len(boxes), 2)), size - low)
    scores = [*rng.uniform(0.85, 1.0, len(people)), 0.1]
    return [dict(image_id=image_id, category_id=1, bbox=box, score=float(score))
            for box, score in zip(np.hstack([low, extent]).round(2).tolist(), scores)]
