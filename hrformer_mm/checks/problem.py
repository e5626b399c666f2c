"""Problems of data sets, and the error that reports one."""

from collections.abc import Sequence
from dataclasses import dataclass

_ANNOTATIONS = ('duplicate image id', 'duplicate annotation id', 'bad box', 'bad keypoints')
_METAINFO = ('keypoint ids', 'keypoint names', 'keypoint swap', 'sigmas', 'joint_weights')
_KEYPOINTS = ('number of keypoints', 'keypoint order')  # annotations, metainfo and head disagree
_DETECTIONS = ('detection file', 'boxes', 'boxes.image_id', 'boxes.category_id', 'boxes.bbox', 'boxes.score')
_AREAS = ('no area', 'bad area', 'area of another unit')
_EVALUATORS = ('evaluator file', 'other images', 'no annotations to evaluate', *_AREAS, 'no iscrowd')
# A training does not start with problems of these kinds: it would learn wrong labels or fail late. Other kinds are
# counted in a warning.
FATAL = (*_ANNOTATIONS, *_METAINFO, *_KEYPOINTS, *_DETECTIONS, *_EVALUATORS)


@dataclass(frozen=True)
class Problem:
    """A problem of a data set.

    Args:
        kind (str): The kind of problem, by which problems are counted.
        path (str): The file or key that has the problem.
        what (str): What is wrong; it continues a sentence that begins with `path`.
        remedy (str): How to correct it.
        count (int): The number of problems that this one represents. Default: 1.
    """

    kind: str
    path: str
    what: str
    remedy: str
    count: int = 1

    def __str__(self) -> str:
        return f'{self.path} {self.what}. {self.remedy}.'


class DataError(ValueError):
    """Raised if data cannot be used.

    Args:
        message (str): The whole message: PyTorch's workers rebuild the error from it.
        problem (Problem, optional): The problem of a file that the message describes. Default: None.
    """

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem


def shorten(names: Sequence[str], most: int = 5) -> str:
    """Join the first `most` names, and count the others."""
    return ', '.join(names[:most]) + (f' and {len(names) - most} more' if len(names) > most else '')
