"""What is wrong with a file of a data set."""

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Problem:
    """A fault: its kind, the file that has it, what it is, and what to do about it."""
    kind: str
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f'{self.path} {self.what}. {self.remedy}.'


class DataError(ValueError):
    """Data that cannot be used; says what is wrong, where, and what to do.

    Args:
        message (str): The whole message; PyTorch's workers rebuild the error from it.
        problem (Problem, optional): The same in parts, where it is one of a file.
    """

    def __init__(self, message: str, problem: Optional[Problem] = None) -> None:
        super().__init__(message)
        self.problem = problem
