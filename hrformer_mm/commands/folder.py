"""Check output files and folders before a command does its work."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Name = str | os.PathLike


def check_folder(name: Name, files: Iterable[str] = (), inputs: Iterable[Name] = ()) -> Path:
    """Check that `files` can be written into a folder, which may not exist yet. Nothing is created.

    Args:
        name (str): The folder.
        files (Iterable[str]): Names of files in the folder. Default: ().
        inputs (Iterable[str]): Files that must not be overwritten, even through a link. Default: ().

    Raises:
        OSError: If the folder or a file cannot be written to.
        ValueError: If a file is one of the inputs.
    """
    folder = Path(name)
    _try_to_write(folder, next(path for path in (folder, *folder.parents) if os.path.lexists(path)))
    if folder.is_dir():
        known = dict(_identities(inputs))
        for file in files:
            _check_existing(folder / file, known)
    return folder


def check_file(name: Name, inputs: Iterable[Name] = ()) -> Path:
    """Check that a file in an existing folder can be written. See :func:`check_folder`."""
    path = Path(name)
    if not path.parent.exists():
        _fail(path, FileNotFoundError(0, f'there is no folder {path.parent}'))
    if not path.exists() or path.is_file():
        _try_to_write(path, path.parent)
    if path.exists():
        _check_existing(path, dict(_identities(inputs)))
    return path


def _check_existing(path: Path, inputs: dict[Any, Name]) -> None:
    if not path.exists():
        return
    try:
        path.open('ab').close()
    except OSError as error:
        _fail(path, error)
    for identity, _ in _identities([path]):
        if identity in inputs:
            raise ValueError(f'{path} would overwrite the input {inputs[identity]}: choose another output')


def _identities(paths: Iterable[Name]) -> Iterator[tuple[Any, Name]]:
    """Yield the identity of each existing file, which all links to it share."""
    for path in paths:
        if os.path.exists(path):
            found = os.stat(path)
            yield (found.st_dev, found.st_ino), path


def _try_to_write(path: Path, folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _fail(path, error)


def _fail(path: Path, error: OSError) -> None:
    raise type(error)(f'{path} cannot be written to ({error.strerror}): choose another output') from None
