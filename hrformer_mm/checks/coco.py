"""Annotation files in COCO's format: what the libraries ignore or mistake silently."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from .files import is_local
from .problem import Problem

# What makes a training learn what is wrong: it does not start. The others leave annotations out.
FATAL = ('duplicate image id', 'duplicate annotation id', 'bad box')
_TOLERANCE = 1.0  # pixels: tools round, and some count the last pixel's far side
_Fault = tuple[str, str, str]  # kind, what, remedy


@dataclass(frozen=True)
class Sizes:
    """Heights and widths by image id, in arrays, since workers share those."""
    ids: np.ndarray
    shapes: np.ndarray

    @classmethod
    def of(cls, content: dict[str, Any]) -> 'Sizes':
        found = {image['id']: (image['height'], image['width']) for image in content['images']
                 if image.get('height') and image.get('width')}
        ids = np.array(list(found))
        order = np.argsort(ids)
        return cls(ids[order], np.array(list(found.values()), dtype=np.int64).reshape(-1, 2)[order])

    def get(self, number: Any) -> Optional[tuple[int, int]]:
        """(height, width) of an image, or None."""
        at = int(np.searchsorted(self.ids, number))
        return tuple(self.shapes[at].tolist()) if at < len(self.ids) and self.ids[at] == number else None


def read_coco(path: object) -> Optional[dict[str, Any]]:
    """The content of a local annotation file, or None if it is not in COCO's format (or is not to be read here)."""
    if not is_local(path) or not str(path).endswith('.json') or not Path(str(path)).is_file():
        return None
    try:
        content = json.loads(Path(str(path)).read_bytes())
    except ValueError:
        return None  # the library says so when it reads it
    if not isinstance(content, dict) or not isinstance(content.get('images'), list):
        return None
    return {**content, 'annotations': content.get('annotations') or []}


def coco_problems(content: dict[str, Any], path: str) -> Iterator[Problem]:
    """All that is wrong in what :func:`read_coco` gave."""
    images: dict[Any, dict] = {}
    for image in content['images']:
        name, number = image.get('file_name'), image.get('id')
        if number in images:
            other = images[number].get('file_name')
            yield Problem('duplicate image id', path, f'has image id {number} twice, of {other} and {name}',
                          "Give each image an id of its own: annotations of the one are taken for the other's")
        elif not (image.get('width', 0) > 0 and image.get('height', 0) > 0):
            yield Problem('image size', path, f'says that {name} is {image.get("width")}x{image.get("height")}',
                          'Write the width and height of the file')
        images[number] = image
    for number, count in Counter(annotation.get('id') for annotation in content['annotations']).items():
        if count > 1:
            yield Problem('duplicate annotation id', path, f'has annotation id {number} {count} times',
                          'Give each annotation an id of its own: the last one is read in place of the others')
    keypoints = {category['id']: len(category.get('keypoints', ())) for category in content.get('categories', ())}
    for annotation in content['annotations']:
        for kind, what, remedy in _annotation_problems(annotation, images, keypoints):
            yield Problem(kind, path, f'has {_name(annotation, images)} {what}', remedy)


def unlabelled(content: dict[str, Any]) -> int:
    """How many annotations say that they have no keypoints, as many of COCO's persons do: they are not trained on."""
    return sum('keypoints' in annotation and not annotation.get('num_keypoints', 1)
               for annotation in content['annotations'])


def _name(annotation: dict[str, Any], images: dict[Any, dict]) -> str:
    image = images.get(annotation.get('image_id'), {})
    return f'annotation {annotation.get("id")} of {image.get("file_name", "an unknown image")}'


def _annotation_problems(annotation: dict[str, Any], images: dict[Any, dict],
                         keypoints: dict[Any, int]) -> Iterator[_Fault]:
    number, category = annotation.get('image_id'), annotation.get('category_id')
    if number not in images:
        yield ('unknown image', f'with image id {number}, which it does not list',
               'List the image, or take the annotation out: it is not read')
        return
    if keypoints and category not in keypoints:
        yield ('unknown category', f'in category {category}, which it does not list',
               'List the category, or correct the annotation')
    size = images[number].get('width') or math.inf, images[number].get('height') or math.inf
    yield from _box_problems(annotation.get('bbox'), size)
    expected = keypoints.get(category, 0)
    if expected and not annotation.get('iscrowd'):
        yield from _keypoint_problems(annotation, expected, size)


def _box_problems(box: Any, size: tuple[float, float]) -> Iterator[_Fault]:
    if box is None:
        yield 'no box', 'without a box', 'Add its bbox, or take the annotation out: it is not trained on'
    elif not isinstance(box, list) or len(box) != 4 or not all(_is_finite(value) for value in box):
        yield 'bad box', f'with the box {box}', 'A box is [x, y, width, height], in pixels'
    elif min(box[2:]) <= 0:
        yield ('box without area', f'with the box {box}, which has no area',
               'Correct the box, or take the annotation out: it is not trained on')
    elif not _inside(box[:2], size) or not _inside((box[0] + box[2], box[1] + box[3]), size):
        yield ('box outside', f'with the box {box}, which leaves the image of {size[0]}x{size[1]}',
               'Correct the box; if many do so, the images have been resized since they were annotated')


def _keypoint_problems(annotation: dict[str, Any], expected: int, size: tuple[float, float]) -> Iterator[_Fault]:
    found = annotation.get('keypoints')
    if not found:
        yield ('no keypoints', 'without keypoints', 'Label its keypoints; for a person of whom none is seen write '
               f'{3 * expected} zeros and num_keypoints 0')
        return
    if len(found) != 3 * expected:
        yield ('keypoint count', f'with {len(found)} numbers of keypoints, but its category has {expected} keypoints',
               f'Write {3 * expected} numbers: x, y and visibility of each')
        return
    labelled = [(x, y) for x, y, seen in zip(found[::3], found[1::3], found[2::3]) if seen > 0]
    said = annotation.get('num_keypoints', len(labelled))
    if said != len(labelled):
        yield ('keypoint count', f'with {len(labelled)} labelled keypoints, but num_keypoints {said}',
               'Make num_keypoints the number of those whose visibility is 1 or 2')
    outside = [point for point in labelled if not _inside(point, size)]
    if outside:
        yield ('keypoint outside', f'with {len(outside)} keypoints outside of the image of {size[0]}x{size[1]}, the '
               f'first at {outside[0][0]}, {outside[0][1]}', 'Correct them, or give them visibility 0')


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _inside(point: Sequence[float], size: tuple[float, float]) -> bool:
    return all(-_TOLERANCE <= at <= end + _TOLERANCE for at, end in zip(point, size))
