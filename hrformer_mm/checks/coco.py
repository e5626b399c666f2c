"""Annotation files in COCO's format: what the libraries ignore or mistake silently."""

import codecs
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .fields import PARTS, are_numbers, field_problems, is_number, show, where
from .files import is_local
from .problem import Problem

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_TOLERANCE = 1.0  # pixels: tools round, and some count the last pixel's far side
_Fault = tuple[str, str, str]  # kind, what, remedy


@dataclass(frozen=True)
class Sizes:
    """Heights and widths by image id, in arrays, since workers share those."""

    ids: np.ndarray
    shapes: np.ndarray

    @classmethod
    def of(cls, content: dict[str, Any]) -> 'Sizes':
        found = {number: size for number, image in images_by_id(content).items() if (size := _size(image))}
        ids = np.array(list(found))
        order = np.argsort(ids)
        return cls(ids[order], np.array(list(found.values()), dtype=np.int64).reshape(-1, 2)[order])

    def get(self, number: Any) -> tuple[int, int] | None:
        """(height, width) of an image, or None."""
        at = int(np.searchsorted(self.ids, number))
        return tuple(self.shapes[at].tolist()) if at < len(self.ids) and self.ids[at] == number else None


def read_coco(path: object) -> dict[str, Any] | None:
    """The content of a local annotation file, or None if it is not in COCO's format (or is not to be read here)."""
    if not is_local(path) or not str(path).endswith('.json') or not Path(str(path)).is_file():
        return None
    try:
        content = json.loads(Path(str(path)).read_bytes())
    except ValueError:
        return None  # its reader raises, and broken() explains
    if not isinstance(content, dict) or not isinstance(content.get('images'), list):
        return None
    return content


def broken(path: object) -> Problem | None:
    """Why a local file cannot be read as JSON in COCO's format; None if it can."""
    if not is_local(path) or not str(path).endswith('.json') or not Path(str(path)).is_file():
        return None
    content = read_json(str(path))
    if isinstance(content, Problem):
        return content
    if not isinstance(content, dict):
        return Problem(
            'annotation file',
            str(path),
            f'holds {show(content)}, but must be an object with images, annotations and categories',
            'Take the file of annotations, not one of results',
        )
    for name in ('images', 'annotations', 'categories'):
        if name in content and not isinstance(content[name], list) or (name, name in content) == ('images', False):
            return Problem(
                'annotation file',
                str(path),
                f'has {name} {show(content[name])}' if name in content else f'has no {name}',
                f'Make {name} a list',
            )
    return None


def read_json(path: str) -> Any:
    """The content of a local JSON file, or the :class:`Problem` why it cannot be read."""
    raw = Path(path).read_bytes()
    what = remedy = None
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
    """The objects of a list of an annotation file; [] if it has no such list."""
    found = content.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def images_by_id(content: Mapping[str, Any]) -> dict[Any, dict[str, Any]]:
    return {image['id']: image for image in entries(content, 'images') if _is_key(image.get('id'))}


def coco_problems(content: dict[str, Any], path: str, count: int | None = None) -> Iterator[Problem]:
    """All that is wrong in what :func:`read_coco` gave.

    Args:
        content (dict): The content.
        path (str): The file.
        count (int, optional): The number of keypoints that each annotation must have. Default: that of its category.
    """
    yield from field_problems(content, path)
    images: dict[Any, dict] = {}
    for index, image in enumerate(entries(content, 'images')):
        name, number = image.get('file_name'), image.get('id')
        if not _is_key(number):
            continue
        if number in images:
            other = images[number].get('file_name')
            yield Problem(
                'duplicate image id',
                path,
                f'has image id {number} twice, of {other} and {name}',
                "Give each image an id of its own: annotations of the one are taken for the other's",
            )
        elif _size(image) is None:
            sides = [
                f'with {side} {show(image[side])}' if side in image else f'without {side}'
                for side in ('height', 'width')
            ]
            yield Problem(
                'image size',
                path,
                f'has {where("images", index, image)} {" and ".join(sides)}',
                'Write the width and height of the file, in pixels',
            )
        images[number] = image
    annotations = [annotation for annotation in entries(content, 'annotations') if _is_key(annotation.get('image_id'))]
    numbers = Counter(number for annotation in annotations if _is_key(number := annotation.get('id')))
    for number, times in numbers.items():
        if times > 1:
            yield Problem(
                'duplicate annotation id',
                path,
                f'has annotation id {number} {times} times',
                'Give each annotation an id of its own: the last one is read in place of the others',
            )
    keypoints = {
        category['id']: len(names) if isinstance(names := category.get('keypoints'), list) else 0
        for category in entries(content, 'categories')
        if _is_key(category.get('id'))
    }
    for annotation in annotations:
        for kind, what, remedy in _annotation_problems(annotation, images, keypoints, count):
            yield Problem(kind, path, f'has {_name(annotation, images)} {what}', remedy)


def grouped(problems: Iterable[Problem], most: int = 3) -> Iterator[Problem]:
    """The first `most` problems of each kind, and one problem that counts the others of that kind."""
    counts: Counter = Counter()
    seen = set()
    for problem in problems:
        if (problem.path, problem.what) in seen:
            continue
        seen.add((problem.path, problem.what))
        counts[problem.kind] += 1
        last = problem
        if counts[problem.kind] <= most:
            yield problem
    for kind, count in counts.items():
        if count > most:
            yield Problem(
                kind, last.path, f'has {count - most} more of this: {kind}', 'Correct them likewise', count - most
            )


def unlabelled(content: dict[str, Any]) -> int:
    """How many annotations say that they have no keypoints, as many of COCO's persons do: they are not trained on."""
    return sum(
        'keypoints' in annotation and not annotation.get('num_keypoints', 1)
        for annotation in entries(content, 'annotations')
    )


def _is_key(value: Any) -> bool:
    return isinstance(value, (int, float, str))


def _size(image: Mapping[str, Any]) -> tuple[float, float] | None:
    """(height, width), or None if they are no sizes."""
    height, width = image.get('height'), image.get('width')
    return (height, width) if is_number(height) and is_number(width) and min(height, width) > 0 else None


def _name(annotation: dict[str, Any], images: dict[Any, dict]) -> str:
    image = images.get(annotation.get('image_id'), {})
    return f'annotation {annotation.get("id")} of {image.get("file_name", "an unknown image")}'


def _annotation_problems(
    annotation: dict[str, Any], images: dict[Any, dict], keypoints: dict[Any, int], count: int | None
) -> Iterator[_Fault]:
    number, category = annotation['image_id'], annotation.get('category_id')
    if number not in images:
        yield (
            'unknown image',
            f'with image_id {show(number)}, which it does not list',
            'List the image, or take the annotation out: it is not read',
        )
        return
    if keypoints and _is_key(category) and category not in keypoints:
        yield (
            'unknown category',
            f'in category_id {show(category)}, which it does not list',
            'List the category, or correct the annotation',
        )
    height, width = _size(images[number]) or (math.inf, math.inf)
    yield from _box_problems(annotation, (width, height))
    expected = count or (keypoints.get(category, 0) if _is_key(category) else 0)
    if not annotation.get('iscrowd') and (expected or annotation.get('keypoints', []) != []):
        owner = 'the metainfo of the data set' if count else 'its category'
        yield from _keypoint_problems(annotation, expected, owner, (width, height))
    if any(key in annotation for key in PARTS):
        yield from _part_problems(annotation)


def _box_problems(annotation: dict[str, Any], size: tuple[float, float]) -> Iterator[_Fault]:
    box = annotation.get('bbox')
    if 'bbox' not in annotation:
        yield 'no box', 'without bbox', 'Add its bbox, or take the annotation out: it is not trained on'
    elif not are_numbers(box) or len(box) != 4:
        yield 'bad box', f'with bbox {show(box)}', 'A box is [x, y, width, height], in pixels'
    elif min(box[2:]) <= 0:
        yield (
            'box without area',
            f'with bbox {box}, which has no area',
            'Correct the box, or take the annotation out: it is not trained on',
        )
    elif not _inside(box[:2], size) or not _inside((box[0] + box[2], box[1] + box[3]), size):
        yield (
            'box outside',
            f'with bbox {box}, which leaves the image of {size[0]}x{size[1]}',
            'Correct the box; if many do so, the images have been resized since they were annotated',
        )


def _keypoint_problems(
    annotation: dict[str, Any], expected: int, owner: str, size: tuple[float, float]
) -> Iterator[_Fault]:
    found = annotation.get('keypoints')
    if found == [] or 'keypoints' not in annotation:
        yield (
            'no keypoints',
            'without keypoints',
            f'Label its keypoints; for a person of whom none is seen write {3 * expected} zeros and num_keypoints 0',
        )
        return
    if not are_numbers(found):
        yield (
            'bad keypoints',
            f'with keypoints {show(found)}',
            'Keypoints are a list of numbers: x, y and visibility of each, 0, 0, 0 where one is not labelled',
        )
        return
    if len(found) % 3 or (expected and len(found) != 3 * expected):
        yield (
            'number of keypoints',
            f'with {len(found)} numbers in keypoints ({len(found) / 3:g} keypoints)'
            + (f', but {owner} has {expected} keypoints' if expected else ''),
            'Write x, y and visibility of each keypoint, or describe the keypoints that there are: metainfo=dict('
            "from_file='my_keypoints.py') of the data set",
        )
        return
    strange = set(found[2::3]) - {0, 1, 2}
    if strange:
        yield (
            'visibility',
            f'with visibility {show(min(strange))} in keypoints',
            'Visibility is 0 (not labelled), 1 (hidden) or 2 (visible)',
        )
    labelled = [(x, y) for x, y, seen in zip(found[::3], found[1::3], found[2::3]) if seen > 0]
    said = annotation.get('num_keypoints', len(labelled))
    if said != len(labelled) and is_number(said):
        yield (
            'keypoint count',
            f'with {len(labelled)} labelled keypoints, but num_keypoints {said}',
            'Make num_keypoints the number of those whose visibility is 1 or 2',
        )
    outside = [point for point in labelled if not _inside(point, size)]
    if outside:
        yield (
            'keypoint outside',
            f'with {len(outside)} keypoints outside of the image of {size[0]}x{size[1]}, the '
            f'first at {outside[0][0]}, {outside[0][1]}',
            'Correct them, or give them visibility 0',
        )


def _part_problems(annotation: dict[str, Any]) -> Iterator[_Fault]:
    for key, count in PARTS.items():
        found = annotation.get(key)
        if not are_numbers(found) or len(found) != 3 * count:
            what = f'with {key} of {len(found)} numbers' if are_numbers(found) else f'with {key} {show(found)}'
            yield (
                'bad keypoints',
                what if key in annotation else f'without {key}',
                f'Write {3 * count} numbers: x, y and visibility of each, all 0 where none is labelled',
            )


def _inside(point: Sequence[float], size: tuple[float, float]) -> bool:
    return all(-_TOLERANCE <= at <= end + _TOLERANCE for at, end in zip(point, size))
