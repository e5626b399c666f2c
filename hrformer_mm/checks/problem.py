"""What is wrong with a file of a data set."""

from dataclasses import dataclass

# What makes a training learn what is wrong, or ends it late: it does not start. Others are counted in a warning.
FATAL = (
    'duplicate image id',
    'duplicate annotation id',
    'bad box',
    'bad keypoints',  # of annotation files
    'keypoint ids',
    'keypoint names',
    'keypoint swap',
    'sigmas',
    'joint_weights',  # of the metainfo
    'number of keypoints',
    'keypoint order',  # of one and the other, and of the model
    'detection file',
    'boxes',
    'boxes.image_id',
    'boxes.category_id',
    'boxes.bbox',
    'boxes.score',
    'evaluator file',
    'other images',
    'no annotations to evaluate',
    'no area',
    'bad area',
    'area of another unit',
    'no iscrowd',
)  # of evaluators


@dataclass(frozen=True)
class Problem:
    """A fault: its kind, the file that has it, what it is, what to do about it, and how many there are of it."""

    kind: str
    path: str
    what: str
    remedy: str
    count: int = 1

    def __str__(self) -> str:
        return f'{self.path} {self.what}. {self.remedy}.'


class DataError(ValueError):
    """Data that cannot be used; says what is wrong, where, and what to do.

    Args:
        message (str): The whole message; PyTorch's workers rebuild the error from it.
        problem (Problem, optional): The same in parts, where it is one of a file.
    """

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem
