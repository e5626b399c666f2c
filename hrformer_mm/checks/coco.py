"""Checks of annotation files in COCO's format for faults that the libraries ignore or misinterpret silently."""

import codecs
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .fields import PARTS, are_numbers, field_problems, is_number, show, where
from .files import is_local
from .problem import Problem

METAINFO = "describe your keypoints with metainfo=dict(from_file='my_keypoints.py') of the data set"
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_TOLERANCE = 1.0  # pixels: tools round, and some count the far edge of the last pixel
_Fault = tuple[str, str, str]  # kind, what, remedy
_Size = tuple[float, float]


@dataclass(frozen=True)
class Sizes:
    """Heights and widths by image id, in arrays, which worker processes share."""

    ids: np.ndarray
    shapes: np.ndarray

    @classmethod
    def of(cls, content: dict[str, Any]) -> 'Sizes':
        """Collect the valid image sizes of an annotation file."""
        found = {number: size for number, image in images_by_id(content).items() if (size := _size(image))}
        ids = np.array(list(found))
        order = np.argsort(ids)
        return cls(ids[order], np.array(list(found.values()), dtype=np.int64).reshape(-1, 2)[order])

    def get(self, number: Any) -> tuple[int, int] | None:
        """Return (height, width) of an image, or None if it has no valid size."""
        at = int(np.searchsorted(self.ids, number))
        return tuple(self.shapes[at].tolist()) if at < len(self.ids) and self.ids[at] == number else None


def read_coco(path: object) -> dict[str, Any] | None:
    """Return the content of a local annotation file, or None if it is not a readable file in COCO's format."""
    content = read_json(str(path)) if _is_json_file(path) else None
    return content if isinstance(content, dict) and isinstance(content.get('images'), list) else None


def broken(path: object) -> Problem | None:
    """Return the reason why a local file is not a JSON file in COCO's format, or None if it is one."""
    if not _is_json_file(path):
        return None
    content = read_json(str(path))
    if isinstance(content, Problem):
        return content
    if not isinstance(content, dict):
        what = f'holds {show(content)}, but must be an object with images, annotations and categories'
        return Problem('annotation file', str(path), what, 'Use the annotation file, not a result file')
    if 'images' not in content:
        return Problem('annotation file', str(path), 'has no images', 'Add the list images')
    for name in ('images', 'annotations', 'categories'):
        if not isinstance(content.get(name, []), list):
            return Problem('annotation file', str(path), f'has {name} {show(content[name])}', f'Make {name} a list')
    return None


def read_json(path: str) -> Any:
    """Return the content of a local JSON file, or a :class:`Problem` if it cannot be read."""
    raw = Path(path).read_bytes()
    if not raw.strip():
        what, remedy = f'is a file of {len(raw)} bytes without content', 'Copy or write it again'
    elif raw.startswith(_MARKS):
        what, remedy = 'begins with a byte order mark (BOM)', 'Save it as UTF-8 without BOM'
    else:
        try:
            return json.loads(raw.decode())
        except UnicodeDecodeError as error:
            what, remedy = f'is not in UTF-8: {error}', 'Save it as UTF-8'
        except ValueError as error:
            what = 'was cut short' if getattr(error, 'pos', 0) >= len(raw.rstrip()) - 1 else 'is not JSON'
            what, remedy = f'{what}: {error}', 'Copy or write it again'
    return Problem('annotation file', path, what, remedy)


def entries(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects in a list of an annotation file, or [] if it has no such list."""
    found = content.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def images_by_id(content: Mapping[str, Any]) -> dict[Any, dict[str, Any]]:
    """Return the images of an annotation file by their ids."""
    return {image['id']: image for image in entries(content, 'images') if _is_key(image.get('id'))}


def coco_problems(content: dict[str, Any], path: str, count: int | None = None) -> Iterator[Problem]:
    """Find all problems in the content that :func:`read_coco` returned.

    Args:
        content (dict): The content.
        path (str): The path of the file.
        count (int, optional): The number of keypoints of each annotation. Default: that of its category.
    """
    yield from field_problems(content, path)
    for kind, what, remedy in chain(_image_faults(content), _annotation_faults(content, count)):
        yield Problem(kind, path, f'has {what}', remedy)


def grouped(problems: Iterable[Problem], most: int = 3) -> Iterator[Problem]:
    """Yield the first `most` problems of each kind, and one problem that counts the remaining ones of that kind."""
    counts: Counter = Counter()
    unique = {(problem.path, problem.what): problem for problem in problems}
    for problem in unique.values():
        counts[problem.kind] += 1
        if counts[problem.kind] <= most:
            yield problem
    for kind, count in counts.items():
        if count > most:
            more = count - most
            yield Problem(
                kind, problem.path, f'has {more} more problems of this kind: {kind}', 'Correct these too', more
            )


def unlabelled(content: dict[str, Any]) -> int:
    """Count the annotations with `num_keypoints` 0, which a pose estimator is not trained on."""
    return sum(
        'keypoints' in annotation and not annotation.get('num_keypoints', 1)
        for annotation in entries(content, 'annotations')
    )


def _is_json_file(path: object) -> bool:
    return is_local(path) and str(path).endswith('.json') and Path(str(path)).is_file()


def _is_key(value: Any) -> bool:
    return isinstance(value, (int, float, str))


def _size(image: Mapping[str, Any]) -> _Size | None:
    """Return (height, width) of an image, or None if they are invalid."""
    size: Any = image.get('height'), image.get('width')
    return size if all(map(is_number, size)) and min(size) > 0 else None


def _image_faults(content: Mapping[str, Any]) -> Iterator[_Fault]:
    images: dict[Any, dict] = {}
    for index, image in enumerate(entries(content, 'images')):
        number = image.get('id')
        if not _is_key(number):
            continue
        if number in images:
            yield (
                'duplicate image id',
                f'image id {number} twice, for {images[number].get("file_name")} and {image.get("file_name")}',
                'Give each image its own id: annotations of one image are assigned to the other',
            )
        elif _size(image) is None:
            sides = [
                f'with {side} {show(image[side])}' if side in image else f'without {side}'
                for side in ('height', 'width')
            ]
            yield (
                'image size',
                f'{where("images", index, image)} {" and ".join(sides)}',
                'Write the width and height of the file, in pixels',
            )
        images[number] = image


def _annotation_faults(content: Mapping[str, Any], count: int | None) -> Iterator[_Fault]:
    annotations = [annotation for annotation in entries(content, 'annotations') if _is_key(annotation.get('image_id'))]
    numbers = Counter(number for annotation in annotations if _is_key(number := annotation.get('id')))
    for number, times in numbers.items():
        if times > 1:
            remedy = 'Give each annotation its own id: only the last one with this id is read'
            yield 'duplicate annotation id', f'annotation id {number} {times} times', remedy
    keypoints = {
        category['id']: len(names) if isinstance(names := category.get('keypoints'), list) else 0
        for category in entries(content, 'categories')
        if _is_key(category.get('id'))
    }
    images = images_by_id(content)
    for annotation in annotations:
        for kind, what, remedy in _entry_faults(annotation, images, keypoints, count):
            file_name = images.get(annotation['image_id'], {}).get('file_name', 'an unknown image')
            yield kind, f'annotation {annotation.get("id")} of {file_name} {what}', remedy


def _entry_faults(
    annotation: dict[str, Any], images: dict[Any, dict], keypoints: dict[Any, int], count: int | None
) -> Iterator[_Fault]:
    number, category = annotation['image_id'], annotation.get('category_id')
    if number not in images:
        remedy = 'Add the image to images, or remove the annotation, which is not read'
        yield 'unknown image', f'with image_id {show(number)}, which is not in images', remedy
        return
    if keypoints and _is_key(category) and category not in keypoints:
        remedy = 'Add the category to categories, or correct the annotation'
        yield 'unknown category', f'with category_id {show(category)}, which is not in categories', remedy
    height, width = _size(images[number]) or (math.inf, math.inf)
    yield from _box_faults(annotation, (width, height))
    expected = count or (keypoints.get(category, 0) if _is_key(category) else 0)
    if not annotation.get('iscrowd') and (expected or annotation.get('keypoints', []) != []):
        owner = 'the metainfo of the data set' if count else 'its category'
        yield from _keypoint_faults(annotation, expected, owner, (width, height))
    if any(key in annotation for key in PARTS):
        yield from _part_faults(annotation)


def _box_faults(annotation: dict[str, Any], size: _Size) -> Iterator[_Fault]:
    box: Any = annotation.get('bbox')
    if 'bbox' not in annotation:
        yield 'no box', 'without bbox', 'Add its bbox, or remove the annotation, which is not trained on'
    elif not are_numbers(box) or len(box) != 4:
        yield 'bad box', f'with bbox {show(box)}', 'Write a box as [x, y, width, height], in pixels'
    elif min(box[2:]) <= 0:
        remedy = 'Correct the box, or remove the annotation, which is not trained on'
        yield 'box without area', f'with bbox {box}, which has no area', remedy
    elif not _inside(box[:2], size) or not _inside((box[0] + box[2], box[1] + box[3]), size):
        yield (
            'box outside',
            f'with bbox {box}, which extends beyond the image of {size[0]}x{size[1]}',
            'Correct the box. If this affects many boxes, the images were probably resized after they were annotated',
        )


def _keypoint_faults(annotation: dict[str, Any], expected: int, owner: str, size: _Size) -> Iterator[_Fault]:
    found: Any = annotation.get('keypoints')
    if found == [] or 'keypoints' not in annotation:
        zeros = f'{3 * expected} zeros and num_keypoints 0'
        yield 'no keypoints', 'without keypoints', f'Label its keypoints, or write {zeros} if none is visible'
        return
    if not are_numbers(found):
        remedy = 'Write a list of numbers: x, y and visibility of each keypoint, or 0, 0, 0 if it is not labelled'
        yield 'bad keypoints', f'with keypoints {show(found)}', remedy
        return
    if len(found) % 3 or (expected and len(found) != 3 * expected):
        contrast = f', but {owner} has {expected} keypoints' if expected else ''
        yield (
            'number of keypoints',
            f'with {len(found)} numbers in keypoints ({len(found) / 3:g} keypoints){contrast}',
            f'Write x, y and visibility of each keypoint, or {METAINFO}',
        )
        return
    invalid = set(found[2::3]) - {0, 1, 2}
    if invalid:
        remedy = 'Write a visibility of 0 (not labelled), 1 (hidden) or 2 (visible)'
        yield 'visibility', f'with visibility {show(min(invalid))} in keypoints', remedy
    labelled = [(x, y) for x, y, visibility in zip(found[::3], found[1::3], found[2::3]) if visibility > 0]
    number = annotation.get('num_keypoints', len(labelled))
    if number != len(labelled) and is_number(number):
        yield (
            'keypoint count',
            f'with {len(labelled)} labelled keypoints, but num_keypoints {number}',
            'Set num_keypoints to the number of keypoints with visibility 1 or 2',
        )
    outside = [point for point in labelled if not _inside(point, size)]
    if outside:
        yield (
            'keypoint outside',
            f'with {len(outside)} keypoints outside the image of {size[0]}x{size[1]}, the first at {outside[0][0]}, '
            f'{outside[0][1]}',
            'Correct them, or set their visibility to 0',
        )


def _part_faults(annotation: dict[str, Any]) -> Iterator[_Fault]:
    for key, count in PARTS.items():
        found: Any = annotation.get(key)
        if not are_numbers(found) or len(found) != 3 * count:
            what = f'with {key} of {len(found)} numbers' if are_numbers(found) else f'with {key} {show(found)}'
            remedy = f'Write {3 * count} numbers: x, y and visibility of each keypoint, or zeros if none is labelled'
            yield 'bad keypoints', what if key in annotation else f'without {key}', remedy


def _inside(point: Sequence[float], size: _Size) -> bool:
    return all(-_TOLERANCE <= at <= end + _TOLERANCE for at, end in zip(point, size))
