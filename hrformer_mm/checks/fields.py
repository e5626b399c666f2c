"""Checks of the fields of annotation files in COCO's format, and of detection files.

The libraries check no field: a missing one raises `KeyError: 'area'`, null becomes NaN, and a string becomes a number
or raises an error in the middle of an epoch.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .problem import Problem

# The additional keypoints of COCO-WholeBody, by their key in an annotation.
PARTS = dict(foot_kpts=6, face_kpts=68, lefthand_kpts=21, righthand_kpts=21)
_LONGEST = 60  # characters of a value in a message


class Field(NamedTuple):
    """A key of an entry: a predicate and a description of its valid values, and whether the key is required."""

    key: str
    valid: Callable[[Any], bool]
    expected: str
    required: bool = False


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number, and not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def are_numbers(values: Any) -> bool:
    """Return whether a value is a list of finite numbers."""
    return isinstance(values, list) and set(map(type, values)) <= {int, float} and math.isfinite(sum(values))


def _is_id(value: Any) -> bool:
    return is_number(value) and value == int(value)


def _is_count(value: Any) -> bool:
    return _is_id(value) and value >= 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, (bool, int)) and value in (0, 1)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


_ID = 'an integer, not a string'
FIELDS = dict(
    images=(Field('id', _is_id, _ID, True), Field('file_name', _is_name, "the file's name", True)),
    annotations=(
        Field('id', _is_id, _ID, True),
        Field('image_id', _is_id, _ID, True),
        Field('category_id', _is_id, _ID, True),
        Field('area', is_number, "a number in square pixels, or set use_area=False of mmpose's metric"),
        Field('iscrowd', _is_flag, '0 or 1'),
        Field('num_keypoints', _is_count, 'an integer of at least 0'),
        Field('segmentation', lambda value: isinstance(value, (list, dict)), 'a list of polygons or an RLE'),
        *(Field(key.replace('kpts', 'valid'), _is_flag, 'true or false') for key in PARTS),
    ),
    categories=(
        Field('id', _is_id, _ID, True),
        Field('name', _is_name, 'a string'),
        Field('keypoints', _are_names, 'a list of the names of its keypoints'),
    ),
)
DETECTION = (
    Field('image_id', _is_id, _ID, True),
    Field('category_id', _is_id, _ID, True),
    Field(
        'bbox',
        lambda box: are_numbers(box) and len(box) >= 4 and min(box[2:4]) > 0,
        '[x, y, width, height], in pixels, with width and height above 0',
        True,
    ),
    Field('score', is_number, 'a number', True),
)


def show(value: Any) -> str:
    """Return a value as JSON, truncated to 60 characters."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'


def entry_problems(path: str, name: str, entries: Any, fields: tuple[Field, ...]) -> Iterator[Problem]:
    """Find entries of a list that are not objects, and fields that are missing or invalid."""
    if not isinstance(entries, list):
        yield Problem(name, path, f'has {name} {show(entries)}', f'Make {name} a list')
        return
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield Problem(name, path, f'has {name}[{index}] {show(entry)}', 'Make it an object with named fields')
            continue
        for field in fields:
            if field.key in entry:
                if not field.valid(entry[field.key]):
                    yield _problem(path, name, index, entry, field, f'with {field.key} {show(entry[field.key])}')
            elif field.required and not (field.key == 'file_name' and 'coco_url' in entry):  # of LVIS
                yield _problem(path, name, index, entry, field, f'without {field.key}')


def field_problems(content: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Find fields of images, annotations and categories that are missing or invalid.

    Boxes, sizes and keypoints depend on other fields of their entry: :func:`coco_problems` checks them.
    """
    if 'categories' not in content and content.get('annotations'):
        yield Problem(
            'categories',
            path,
            'has no categories',
            'Add categories with their ids and names and, for pose estimation, their keypoints',
        )
    for name, fields in FIELDS.items():
        if name in content:
            yield from entry_problems(path, name, content[name], fields)


def lacking(content: Mapping[str, Any], path: str, key: Any) -> Problem | None:
    """Return the problem of the first entry that lacks a key which its reader requires, or None if all have it."""
    for name in FIELDS:
        entries: Any = content.get(name)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and key not in entry and key in _KNOWN[name]:
                count = sum(isinstance(other, dict) and key not in other for other in entries)
                return Problem(
                    f'{name}.{key}',
                    path,
                    f'has {where(name, index, entry)} without {key}',
                    f'Add {key}, which its reader requires' + (f'; {count} entries lack it' if count > 1 else ''),
                    count,
                )
    return None


def where(name: str, index: int, entry: Mapping[str, Any], without: str = '') -> str:
    """Describe an entry by its index and its ids, except for the key `without`."""
    known = [f'{key} {show(entry[key])}' for key in ('id', 'image_id', 'file_name') if key in entry and key != without]
    return f'{name}[{index}]' + (f' ({", ".join(known)})' if known else '')


def _problem(path: str, name: str, index: int, entry: Mapping[str, Any], field: Field, what: str) -> Problem:
    return Problem(
        f'{name}.{field.key}',
        path,
        f'has {where(name, index, entry, field.key)} {what}',
        f'Make {field.key} {field.expected}',
    )


_KNOWN = dict(
    images=('id', 'file_name', 'width', 'height'),
    annotations=(*(field.key for field in FIELDS['annotations']), 'bbox', 'keypoints', *PARTS),
    categories=('id', 'name', 'keypoints'),
)
