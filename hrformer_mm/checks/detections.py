"""Files of detected boxes, which mmpose's data sets read in place of those of the annotations."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .coco import images_by_id, read_json
from .fields import DETECTION, entry_problems, show
from .files import is_local
from .problem import Problem


def detection_problems(path: object, content: Mapping[str, Any], ann_file: str) -> Iterator[Problem]:
    """Fields that are missing or of another type, and boxes of images that the annotation file does not list."""
    if not path or not is_local(path) or not Path(str(path)).is_file():
        return
    path = str(path)
    boxes = read_json(path)
    if isinstance(boxes, Problem):
        yield boxes
    elif not isinstance(boxes, list):
        yield Problem(
            'detection file',
            path,
            f'holds {show(boxes)}, but must be a list of boxes',
            'Take a file of detections, each with image_id, category_id, bbox and score',
        )
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
                    'Take the boxes of this split, or bbox_file=None for those of the annotations',
                )
