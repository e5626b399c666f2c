"""Checks of the lists of samples, text and JSON files, that mmpretrain and mmseg read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from .files import is_local
from .problem import Problem

UNREADABLE = ('blank entry', 'bad entry', 'bad label')
FATAL_ENTRIES = (*UNREADABLE, 'contradicting labels', 'label beyond classes')  # a training does not start with these


def list_problems(dataset: BaseDataset, most: int | None = None) -> Iterator[Problem]:
    """Find invalid entries in the list of a data set. Lists in other formats are not checked.

    Args:
        dataset (BaseDataset): A data set, which need not be initialized.
        most (int, optional): The number of classes of the model. Default: that of the data set.
    """
    reader, path = type(dataset).load_data_list.__qualname__.partition('.')[0], dataset.ann_file
    if not path or not is_local(path) or not Path(path).is_file():
        return
    numbers = (len(dataset.metainfo.get('classes') or ()), most)
    classes = min(filter(None, numbers), default=None)
    try:
        if reader == 'CustomDataset':
            yield from _lines(str(path), with_label=bool(dataset.with_label), classes=classes)
        elif reader == 'BaseSegDataset':
            yield from _lines(str(path), suffix=dataset.img_suffix)
        elif reader == 'BaseDataset' and str(path).endswith('.json'):
            yield from _entries(str(path), classes)
    except UnicodeDecodeError as error:
        yield Problem('bad entry', str(path), f'is not text in UTF-8 ({error})', 'Save it as plain text in UTF-8')


def _lines(path: str, with_label: bool = False, classes: int | None = None, suffix: str = '') -> Iterator[Problem]:
    """Check a text file: "FILE LABEL" or "FILE" for mmpretrain, and names without a suffix for mmseg."""
    seen: dict[str, tuple[int, str]] = {}
    with open(path, encoding='utf-8', newline='\n') as file:
        for number, line in enumerate(map(str.strip, file), 1):
            where = f'{path}, line {number}'
            if not line:
                yield Problem('blank entry', where, 'is blank', 'Remove the line')
                continue
            name, _, label = line.rpartition(' ') if with_label else (line, '', '')
            name = name.strip()
            where = f'{where}: {name}' if name else where
            if line.startswith('\ufeff'):
                yield Problem('bad entry', where, 'begins with a byte order mark', 'Save the file as UTF-8 without BOM')
            elif not name:
                remedy = 'Write the file, one space, and the number of its class'
                yield Problem('bad entry', where, f'is {line!r}: the file or its label is missing', remedy)
                continue
            elif with_label:
                yield from _label_problems(where, label, classes)
            elif suffix and name.endswith(suffix):
                what = f'ends in img_suffix, so that {name}{suffix} is read'
                yield Problem('bad entry', where, what, f'Write the name without {suffix}')
            yield from _repeated(where, name, label, number, seen)


def _label_problems(where: str, label: Any, classes: int | None) -> Iterator[Problem]:
    text = isinstance(label, str)
    if text and not re.fullmatch(r'[+-]?\d+', label) or not isinstance(label, (int, str)) or isinstance(label, bool):
        remedy = 'Write the number of the class, 0 for the first'
        yield Problem('bad label', where, f'has the label {label!r}, which is not an integer', remedy)
    elif int(label) < 0 or classes and int(label) >= classes:
        allowed = f'there are {classes} classes, 0 to {classes - 1}' if classes else 'labels start at 0'
        remedy = 'Correct the label, or add the class to metainfo and to model.head.num_classes'
        yield Problem('label beyond classes', where, f'has label {label}, but {allowed}', remedy)


def _entries(path: str, classes: int | None) -> Iterator[Problem]:
    """Check a file in OpenMMLab's JSON format, for mmpretrain's BaseDataset and MultiLabelDataset."""
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
                remedy = 'Write the number of the class, 0 for the first'
                yield Problem('bad label', where, f'has the gt_label {one!r}, which is a string', remedy)
            else:
                yield from _label_problems(where, one, classes)
        yield from _repeated(where, name, str(label), number, seen)


def _repeated(where: str, name: str, label: str, number: int, seen: dict[str, tuple[int, str]]) -> Iterator[Problem]:
    first, other = seen.setdefault(name, (number, label))
    if first != number:
        kind = 'contradicting labels' if other != label else 'duplicate entry'
        differs = f', with the label {other} in place of {label}' if other != label else ''
        yield Problem(kind, where, f'was listed before, as entry {first}{differs}', 'Remove one of them')
