"""Lists of samples in text and JSON files, as mmpretrain and mmseg read them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from .files import is_local
from .problem import Problem

UNREADABLE = ('blank entry', 'bad entry', 'bad label')
FATAL_ENTRIES = (*UNREADABLE, 'contradicting labels', 'label beyond classes')  # a training does not start


def list_problems(dataset: BaseDataset, most: int | None = None) -> Iterator[Problem]:
    """Entries of a data set's list that are wrong, one problem for each; nothing if the list is of another format.

    Args:
        dataset (BaseDataset): A data set, which need not be read.
        most (int, optional): The number of the model's classes.
    """
    reader, path = type(dataset).load_data_list.__qualname__.partition('.')[0], dataset.ann_file
    if not path or not is_local(path) or not Path(path).is_file():
        return
    classes = [number for number in (len(dataset.metainfo.get('classes') or ()), most) if number]
    try:
        if reader == 'CustomDataset':
            yield from _labelled_lines(str(path), bool(dataset.with_label), min(classes, default=None))
        elif reader == 'BaseSegDataset':
            yield from _names(str(path), dataset.img_suffix)
        elif reader == 'BaseDataset' and str(path).endswith('.json'):
            yield from _entries(str(path), min(classes, default=None))
    except UnicodeDecodeError as error:
        yield Problem('bad entry', str(path), f'is no text in UTF-8 ({error})', 'Save it as plain text in UTF-8')


def _lines(path: str) -> Iterator[tuple[int, str]]:
    with open(path, encoding='utf-8', newline='\n') as file:
        for number, line in enumerate(file, 1):
            yield number, line.strip()


def _labelled_lines(path: str, with_label: bool, classes: int | None) -> Iterator[Problem]:
    """The lines "FILE LABEL" of mmpretrain's CustomDataset and ImageNet."""
    seen: dict[str, tuple[int, str]] = {}
    for number, line in _lines(path):
        where = f'{path}, line {number}'
        if not line:
            yield _blank(where)
            continue
        name, space, label = line.rpartition(' ') if with_label else (line, ' ', '')
        where = f'{path}, line {number}: {name.strip()}' if name else where
        if line.startswith('\ufeff'):
            yield Problem('bad entry', where, 'begins with a byte order mark', 'Save the file as UTF-8 without it')
        elif not space or not name:
            yield Problem(
                'bad entry',
                where,
                f'is {line!r}: the file or its label is missing',
                'Write the file, one space, and the number of its class',
            )
            continue
        elif with_label:
            yield from _label_problems(where, label, classes)
        yield from _repeated(where, name.strip(), label, number, seen)


def _label_problems(where: str, label: Any, classes: int | None) -> Iterator[Problem]:
    if (
        isinstance(label, str)
        and not re.fullmatch(r'[+-]?\d+', label)
        or not isinstance(label, (int, str))
        or isinstance(label, bool)
    ):
        yield Problem(
            'bad label',
            where,
            f'has the label {label!r}, which is no integer',
            'Write the number of the class, 0 for the first',
        )
    elif int(label) < 0 or classes and int(label) >= classes:
        allowed = f'there are {classes} classes, 0 to {classes - 1}' if classes else 'labels start at 0'
        yield Problem(
            'label beyond classes',
            where,
            f'has label {label}, but {allowed}',
            'Correct the label, or name more classes (metainfo, and model.head.num_classes)',
        )


def _names(path: str, suffix: str) -> Iterator[Problem]:
    """The lines of mmseg's data sets: names without their endings."""
    seen: dict[str, tuple[int, str]] = {}
    for number, name in _lines(path):
        where = f'{path}, line {number}: {name}' if name else f'{path}, line {number}'
        if not name:
            yield _blank(where)
            continue
        if name.startswith('\ufeff'):
            yield Problem('bad entry', where, 'begins with a byte order mark', 'Save the file as UTF-8 without it')
        elif suffix and name.endswith(suffix):
            yield Problem(
                'bad entry',
                where,
                f'ends in img_suffix, so that {name}{suffix} is read',
                f'Write the name without {suffix}',
            )
        yield from _repeated(where, name, '', number, seen)


def _entries(path: str, classes: int | None) -> Iterator[Problem]:
    """The entries of OpenMMLab's JSON format, for mmpretrain's BaseDataset and MultiLabelDataset."""
    try:
        content = json.loads(Path(path).read_bytes())
    except ValueError:
        return  # the library reports it
    entries = content.get('data_list') if isinstance(content, dict) else None
    seen: dict[str, tuple[int, str]] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        where = f'{path}, data_list[{number}]'
        if not isinstance(entry, dict):
            yield Problem('bad entry', where, f'is {entry!r}, not an object', 'Write {"img_path": …, "gt_label": …}')
            continue
        name, label = entry.get('img_path'), entry.get('gt_label')
        if not isinstance(name, str) or not name:
            yield Problem('bad entry', where, f'has the img_path {name!r}', 'Write the name of the image file')
            continue
        if label is None:
            yield Problem('bad entry', where, f'has the gt_label {label} ({name})', 'Write the number of its class')
            continue
        for one in label if isinstance(label, list) else [label]:
            if isinstance(one, str):
                yield Problem(
                    'bad label',
                    where,
                    f'has the gt_label {one!r}, which is text',
                    'Write the number of the class, 0 for the first',
                )
            else:
                yield from _label_problems(where, one, classes)
        yield from _repeated(where, name, str(label), number, seen)


def _blank(where: str) -> Problem:
    return Problem('blank entry', where, 'is blank', 'Remove the line')


def _repeated(where: str, name: str, label: str, number: int, seen: dict[str, tuple[int, str]]) -> Iterator[Problem]:
    first, other = seen.setdefault(name, (number, label))
    if first != number:
        differs = f', with the label {other} in place of {label}' if other != label else ''
        yield Problem(
            'contradicting labels' if differs else 'duplicate entry',
            where,
            f'was listed before, as entry {first}{differs}',
            'Remove one of them',
        )
