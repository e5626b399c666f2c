"""Checks of the files of detected boxes that mmpose's data sets read in place of the annotated boxes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .coco import images_by_id, read_json
from .fields import DETECTION, entry_problems, show
from .files import is_local
from .problem import Problem


def detection_problems(path: object, content: Mapping[str, Any], ann_file: str) -> Iterator[Problem]:
    """Find missing or invalid fields, and boxes of images that the annotation file does not list.

    Args:
        path (str | Path, optional): The file of boxes. It is not checked if it is not a local file.
        content (dict): The content of the annotation file.
        ann_file (str): The path of the annotation file.
    """
    if not path or not is_local(path) or not Path(str(path)).is_file():
        return
    path = str(path)
    boxes = read_json(path)
    if isinstance(boxes, Problem):
        yield boxes
    elif not isinstance(boxes, list):
        remedy = 'Use a detection file, a list of objects with image_id, category_id, bbox and score'
        yield Problem('detection file', path, f'holds {show(boxes)}, but must be a list of boxes', remedy)
    else:
        yield from entry_problems(path, 'boxes', boxes, DETECTION)
        images = images_by_id(content)
        for index, box in enumerate(boxes):
            number = box.get('image_id') if isinstance(box, dict) else None
            if isinstance(number, (int, float)) and number not in images:
                yield Problem(
                    'unknown image',
                    path,
                    f'has boxes of image {number} (boxes[{index}]), which {ann_file} does not list',
                    'Use the detection file of this split, or set bbox_file=None to use the annotated boxes',
                )
