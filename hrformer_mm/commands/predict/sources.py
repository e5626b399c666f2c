"""Find the inputs of a prediction: pictures and videos in files, folders and patterns, and cameras."""

import glob
import json
import mimetypes
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...checks.files import cut_problem, find_problem, jpeg_is_cut
from ...runtime import images

CAMERA = 'camera:'
RESULTS = 'predictions.json'
_EXPLANATION = 'explanation.json'
# Formats that OpenCV reads, but `mimetypes` does not know on every system.
_IMAGES = '.avif .bmp .jp2 .jpeg .jpg .pgm .png .ppm .tif .tiff .webp'.split()
_VIDEOS = '.3gp .avi .flv .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv'.split()


@dataclass(frozen=True)
class Source:
    """A picture, a video or a camera."""

    name: str
    kind: str  # 'image', 'video' or 'camera'

    @property
    def stem(self) -> str:
        return self.name.replace(':', '') if self.kind == 'camera' else Path(self.name).stem


def is_input(word: str) -> bool:
    """Return whether a word names a camera, a folder, a pattern, a picture or a video; see :func:`find_sources`."""
    if '://' in word:
        return False
    path = Path(word)
    return word.startswith(CAMERA) or path.is_dir() or bool(_kind(path)) or glob.has_magic(word) and not path.is_file()


def find_sources(names: Sequence[str]) -> tuple[list[Source], list[str]]:
    """Find the sources that the names stand for, without the results of earlier runs.

    Args:
        names (Sequence[str]): Files, folders (all pictures and videos in them), patterns, and 'camera:0'.

    Returns:
        tuple[list[Source], list[str]]: The unique sources in order, and a note for each folder with files that are
        left out.

    Raises:
        FileNotFoundError: If a name matches nothing, or if all matches are results of earlier runs.
        ValueError: If a camera has no number.
    """
    found: dict[Source, None] = {}
    notes: dict[str, None] = {}
    results: dict[Path, set[str]] = {}
    for name in names:
        if name.startswith(CAMERA):
            if not name.removeprefix(CAMERA).isdecimal():
                raise ValueError(f'{name} is not a camera: give its number, for example {CAMERA}0')
            found[Source(name, 'camera')] = None
            continue
        files = _files(name)
        earlier = Counter(
            path.parent for path in files if path.name in results.setdefault(path.parent, _results_in(path.parent))
        )
        files = [path for path in files if path.name not in results[path.parent]]
        # A named file may have any suffix: its content is checked when it is read.
        chosen = [path for path in files if _kind(path)] or ([] if Path(name).is_dir() else files)
        for folder, count in earlier.items():
            notes[f'{count} results of an earlier run in {folder} are left out'] = None
        if not chosen and (files or not earlier):
            raise FileNotFoundError(f'there is no picture or video at {name}{_reason(name, files)}')
        if Path(name).is_dir() and (inside := _pictures_below(Path(name))):
            notes[
                f"{inside} pictures or videos in subfolders of {name} are left out: '{name}/**/*' in quotes finds them"
            ] = None
        found.update((Source(str(path), _kind(path) or 'image'), None) for path in chosen)
    if not found:
        raise FileNotFoundError(f'there is no picture or video at {" ".join(names)}: {"; ".join(notes)}')
    return list(found), list(notes)


def _files(name: str) -> list[Path]:
    path = Path(name)
    paths: Iterable[Path] = path.iterdir() if path.is_dir() else [path]
    if not path.exists():
        paths = map(Path, glob.glob(name, recursive=True))
    return sorted(path for path in paths if path.is_file())


def _kind(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix in _IMAGES + _VIDEOS:
        return 'image' if suffix in _IMAGES else 'video'
    kind = (mimetypes.guess_type(path.name)[0] or '').split('/')[0]
    return kind if kind in ('image', 'video') else None


def _results_in(folder: Path) -> set[str]:
    """Return the names of the files that `predict` or `explain` wrote into a folder, from their JSON files."""
    try:
        names = set(json.loads((folder / _EXPLANATION).read_text(encoding='utf-8'))['pictures'])
    except (OSError, ValueError, TypeError, KeyError):
        names = set()
    try:
        entries = json.loads((folder / RESULTS).read_text(encoding='utf-8'))
        listed = {entry['picture'] for entry in entries}
        sources = {Path(entry['source']).name for entry in entries}
    except (OSError, ValueError, TypeError, KeyError):
        return names
    # predictions.json lists the last run only: without inputs in the folder, all other files are older results.
    only_results = listed and not any((folder / name).is_file() for name in sources - listed)
    return names | listed | ({path.name for path in folder.iterdir()} if only_results else set())


def _pictures_below(folder: Path) -> int:
    """Count the pictures and videos in subfolders, without the results of earlier runs."""
    return sum(bool(_kind(path)) and path.name not in _results_in(path.parent) for path in folder.glob('*/**/*'))


def _reason(name: str, files: Sequence[Path]) -> str:
    """Explain why there is no input, with a remedy."""
    path = Path(name)
    if path.is_dir() and (inside := _pictures_below(path)):
        return f" itself, but {inside} in its subfolders: '{name}/**/*' in quotes finds them"
    if files:
        suffixes = ', '.join(sorted({path.suffix or path.name for path in files})[:8])
        return f': {len(files)} files have other suffixes ({suffixes}). To read one of them anyway, name the file'
    if path.exists():
        return ': the folder is empty'
    return f': give a file, a folder with some in it, a pattern in quotes, or {CAMERA}0'


def unreadable(path: str, full: bool = True) -> str | None:
    """Explain why a file cannot be read as a picture; None if it can.

    Args:
        path (str): The file.
        full (bool): Decode the whole file as well. Default: True.
    """
    if not Path(path).is_file():
        return f'there is no picture {path}'
    problem: Any = cut_problem(path) if jpeg_is_cut(path) else find_problem(path, 'picture') if full else None
    return problem and (
        f'{path} cannot be read as a picture: it {problem.what}. Copy it again, or convert it to a format that OpenCV '
        'reads, for example PNG'
    )


def read_image(path: str, color_type: str = 'color') -> np.ndarray:
    """Read a picture; by default (H, W, 3), BGR, uint8. See :func:`...runtime.images.read_image`.

    Raises:
        ValueError: If the file is not a picture, or is truncated.
    """
    if problem := unreadable(path, full=False):
        raise ValueError(problem)
    try:
        return images.read_image(path, color_type)
    except ValueError as error:
        raise ValueError(unreadable(path) or str(error)) from None
