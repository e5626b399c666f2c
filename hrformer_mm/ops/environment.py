"""Backends that the environment chooses, for launchers that leave no place to call a function."""

import os
from collections.abc import Sequence


def backend_of(variable: str, names: Sequence[str]) -> str:
    """The backend that an environment variable names; 'auto' if it is not set.

    Raises:
        ValueError: If there is no such backend.
    """
    name = os.environ.get(variable, 'auto')
    if name not in names:
        raise ValueError(f"environment variable {variable} is {name!r}, but must be one of {', '.join(names)}")
    return name
