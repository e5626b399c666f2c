"""Annotation files in COCO's format: what the libraries leave out, or mistake, without a word."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from .files import is_local
from .problem import Problem

# What makes a training learn what is wrong: it does not start. The others leave annotations out.
FATAL = ('duplicate image id', 'duplicate annotation id', 'bad box')
_TOLERANCE = 1.0  # pixels: tools round, and some count the last pixel's far side


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
    images = {}
    for image in content['images']:
        if image['id'] in images:
            yield Problem('duplicate image id', path, f'has image id {image["id"]} twice, of {images[image["id"]].get("file_name")} '
                          f'and {image.get("file_name")}', 'Give each image an id of its own: annotations of the one are taken '
                          'for the other\'s')
        elif not (image.get('width', 0) > 0 and image.get('height', 0) > 0):
            yield Problem('image size', path, f'says that {image.get("file_name")} is {image.get("width")}x'
                          f'{image.get("height")}', 'Write the width and height of the file')
        images[image['id']] = image
    twice = Counter(annotation.get('id') for annotation in content['annotations'])
    for number, count in twice.items():
        if count > 1:
            yield Problem('duplicate annotation id', path, f'has annotation id {number} {count} times', 'Give each '
                          'annotation an id of its own: the last one is read in place of the others')
    keypoints = {category['id']: len(category.get('keypoints', ())) for category in content.get('categories', ())}
    for annotation in content['annotations']:
        yield from _annotation_problems(annotation, images, keypoints, path)


def unlabelled(content: dict[str, Any]) -> int:
    """How many annotations say that they have no keypoints, as half of COCO's persons do: they are not trained on."""
    return sum('keypoints' in annotation and not annotation.get('num_keypoints', 1)
               for annotation in content['annotations'])


def _annotation_problems(annotation: dict[str, Any], images: dict[Any, dict], keypoints: dict[Any, int],
                         path: str) -> Iterator[Problem]:
    image = images.get(annotation.get('image_id'))
    name = f'annotation {annotation.get("id")}'
    if image is None:
        yield Problem('unknown image', path, f'has {name} of image id {annotation.get("image_id")}, which it does not list',
                      'List the image, or take the annotation out: it is not read')
        return
    name = f'{name} of {image.get("file_name")}'
    if keypoints and annotation.get('category_id') not in keypoints:
        yield Problem('unknown category', path, f'has {name} in category {annotation.get("category_id")}, which it does '
                      'not list', 'List the category, or correct the annotation')
    width, height = image.get('width') or 0, image.get('height') or 0
    yield from _box_problems(annotation.get('bbox'), name, width, height, path)
    expected = keypoints.get(annotation.get('category_id'), 0)
    if expected and not annotation.get('iscrowd'):
        yield from _keypoint_problems(annotation, expected, name, width, height, path)


def _box_problems(box: Any, name: str, width: float, height: float, path: str) -> Iterator[Problem]:
    if box is None:
        yield Problem('no box', path, f'has {name} without a box', 'Add its bbox, or take the annotation out: it is not '
                      'trained on')
        return
    if not isinstance(box, list) or len(box) != 4 or not all(
            isinstance(value, (int, float)) and math.isfinite(value) for value in box):
        yield Problem('bad box', path, f'has {name} with the box {box}', 'A box is [x, y, width, height], in pixels')
        return
    x, y, wide, tall = box
    if wide <= 0 or tall <= 0:
        yield Problem('box without area', path, f'has {name} with the box {box}, which has no area', 'Correct the box, or '
                      'take the annotation out: it is not trained on')
    elif width and height and (min(x, y) < -_TOLERANCE or x + wide > width + _TOLERANCE
                               or y + tall > height + _TOLERANCE):
        yield Problem('box outside', path, f'has {name} with the box {box}, which leaves the image of {width}x{height}',
                      'Correct the box; if many do so, the images have been resized since they were annotated')


def _keypoint_problems(annotation: dict[str, Any], expected: int, name: str, width: float, height: float,
                       path: str) -> Iterator[Problem]:
    found = annotation.get('keypoints')
    if not found:
        yield Problem('no keypoints', path, f'has {name} without keypoints', f'Label its keypoints; for a person of whom '
                      f'none is seen write {3 * expected} zeros and num_keypoints 0')
        return
    if len(found) != 3 * expected:
        yield Problem('keypoint count', path, f'has {name} with {len(found)} numbers of keypoints, but its category has '
                      f'{expected} keypoints', f'Write {3 * expected} numbers: x, y and visibility of each')
        return
    labelled = [(x, y) for x, y, seen in zip(found[::3], found[1::3], found[2::3]) if seen > 0]
    said = annotation.get('num_keypoints', len(labelled))
    if said != len(labelled):
        yield Problem('keypoint count', path, f'has {name} with {len(labelled)} labelled keypoints, but num_keypoints '
                      f'{said}', 'Make num_keypoints the number of those whose visibility is 1 or 2')
    outside = [point for point in labelled if width and height and not (
        -_TOLERANCE <= point[0] <= width + _TOLERANCE and -_TOLERANCE <= point[1] <= height + _TOLERANCE)]
    if outside:
        yield Problem('keypoint outside', path, f'has {name} with {len(outside)} keypoints outside of the image of '
                      f'{width}x{height}, the first at {outside[0][0]}, {outside[0][1]}', 'Correct them, or give them '
                      'visibility 0')
