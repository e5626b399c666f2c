"""Where pictures come from: files, folders, patterns, videos and cameras."""

import glob
import json
import mimetypes
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...checks.files import cut_problem, find_problem, jpeg_is_cut

CAMERA = 'camera:'
RESULTS = 'predictions.json'
_EXPLANATION = 'explanation.json'
# What OpenCV reads, and `mimetypes` may not know: it depends on the system.
_IMAGES = ('.avif', '.bmp', '.jp2', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
_VIDEOS = (
    '.3gp',
    '.avi',
    '.flv',
    '.m4v',
    '.mjpeg',
    '.mjpg',
    '.mkv',
    '.mov',
    '.mp4',
    '.mpeg',
    '.mpg',
    '.mts',
    '.ogv',
    '.ts',
    '.webm',
    '.wmv',
)


@dataclass(frozen=True)
class Source:
    """A picture's file, a video's, or a camera's number."""

    name: str
    kind: str  # 'image', 'video' or 'camera'

    @property
    def stem(self) -> str:
        return self.name.replace(':', '') if self.kind == 'camera' else Path(self.name).stem


def is_input(word: str) -> bool:
    """Whether a word is for :func:`find_sources`: a camera, a folder, a pattern, or the name of a picture or video."""
    if '://' in word:
        return False
    path = Path(word)
    return word.startswith(CAMERA) or path.is_dir() or bool(_kind(path)) or glob.has_magic(word) and not path.is_file()


def find_sources(names: Sequence[str]) -> tuple[list[Source], list[str]]:
    """What each of the user's words stands for. Results of earlier runs are left out.

    Args:
        names (Sequence[str]): Files, folders (all pictures and videos in them), patterns, and 'camera:0'.

    Returns:
        tuple[list[Source], list[str]]: The sources, each once, in order; and a line about each folder of which files
        are left out.

    Raises:
        FileNotFoundError: If one stands for nothing, or all for results of earlier runs.
        ValueError: If a camera has no number.
    """
    found: dict[Source, None] = {}
    notes: dict[str, None] = {}
    results: dict[Path, set[str]] = {}
    for name in names:
        if name.startswith(CAMERA):
            if not name.removeprefix(CAMERA).isdecimal():
                raise ValueError(f'{name} is not a camera: give its number, as in {CAMERA}0')
            found[Source(name, 'camera')] = None
            continue
        files = _files(name)
        earlier = Counter(
            path.parent for path in files if path.name in results.setdefault(path.parent, _results_in(path.parent))
        )
        files = [path for path in files if path.name not in results[path.parent]]
        # The content of a file with another suffix is checked when its turn comes.
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
    """The names of the files in a folder that `predict` or `explain` wrote, as their JSON files list them."""
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
    # Unless inputs are in it as well, a folder of results holds those of the runs before the last one, too.
    only_results = listed and not any((folder / name).is_file() for name in sources - listed)
    return names | listed | ({path.name for path in folder.iterdir()} if only_results else set())


def _pictures_below(folder: Path) -> int:
    """The number of pictures and videos in subfolders, except results of earlier runs."""
    return sum(bool(_kind(path)) and path.name not in _results_in(path.parent) for path in folder.glob('*/**/*'))


def _reason(name: str, files: Sequence[Path]) -> str:
    """Why there is nothing, and what to do."""
    path = Path(name)
    if path.is_dir() and (inside := _pictures_below(path)):
        return f" itself, but {inside} in its subfolders: '{name}/**/*' in quotes finds them"
    if files:
        suffixes = ', '.join(sorted({path.suffix or path.name for path in files})[:8])
        return f': {len(files)} files have other suffixes ({suffixes}). To read one of them anyway, name the file'
    return (
        f': give a file, a folder with some in it, a pattern in quotes, or {CAMERA}0'
        if not path.exists()
        else ': the folder is empty'
    )


def unreadable(path: str, full: bool = True) -> str | None:
    """Why a file cannot be read as a picture, or None.

    Args:
        path (str): The file.
        full (bool): Decode it, too. Default: True.
    """
    if not Path(path).is_file():
        return f'there is no picture {path}'
    problem = cut_problem(path) if jpeg_is_cut(path) else find_problem(path, 'picture') if full else None
    return problem and (
        f'{path} cannot be read as a picture: it {problem.what}. Copy it again, or convert it to a '
        'format that OpenCV reads, for example PNG'
    )


def read_image(path: str) -> np.ndarray:
    """(H, W, 3), BGR, uint8.

    Raises:
        ValueError: If the file is not a picture, or is cut short.
    """
    problem, image = unreadable(path, full=False), None
    if not problem:
        try:
            image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        except (OSError, cv2.error):
            pass
    if image is None:
        raise ValueError(
            problem
            or unreadable(path)
            or f'{path} cannot be read as a picture: convert it to a format that OpenCV reads, for example PNG'
        )
    return image
