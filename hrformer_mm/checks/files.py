"""Checks of image files, which need not be decoded to find truncated JPEG files."""

import os
import struct
from pathlib import Path

from .problem import Problem

_START, _END = b'\xff\xd8', b'\xff\xd9'
_SCAN = 0xDA
_ENDINGS = [
    ending for lower in ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp') for ending in (lower, lower.upper())
]
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
COPY = 'Copy or download it again, or remove it from the data set'


def is_local(path: object) -> bool:
    """Return whether a path is a local file path, and not the URL of a storage backend of mmengine."""
    return isinstance(path, (str, os.PathLike)) and '://' not in str(path)


def jpeg_is_cut(path: str) -> bool:
    """Return whether a JPEG file is truncated. Other formats give False.

    OpenCV 4 decodes the existing part of such a file and fills the rest with gray, without an error. The markers are
    those of ITU-T T.81, table B.1. After the first scan begins, the bytes of the end marker have no other meaning. The
    headers before it are skipped, because they may contain a complete JPEG file, a thumbnail.
    """
    with open(path, 'rb') as file:
        if file.read(2) != _START:
            return False
        while True:
            marker = file.read(2)
            while marker == b'\xff\xff':  # fill bytes
                marker = b'\xff' + file.read(1)
            if len(marker) < 2:
                return True
            if marker[0] != 0xFF:
                return False  # not a JPEG file: the decoder reports it
            if marker[1] in _ALONE:
                continue
            length = file.read(2)
            if len(length) < 2:
                return True
            file.seek(int.from_bytes(length, 'big') - 2, os.SEEK_CUR)
            if marker[1] == _SCAN:
                break
        scan = file.tell()
        if file.seek(0, os.SEEK_END) < scan + 2:
            return True
        file.seek(-2, os.SEEK_END)
        if file.read(2) == _END:
            return False
        file.seek(scan)
        return _END not in file.read()  # some cameras append data


def cut_problem(path: str) -> Problem:
    """Return the problem of a file for which :func:`jpeg_is_cut` is True."""
    return Problem(
        'cut image',
        path,
        f'is a JPEG file of {Path(path).stat().st_size} bytes without its end: it was cut short, and decoders may '
        'fill the missing part with gray',
        COPY,
    )


def find_problem(path: str, name: str) -> Problem | None:
    """Return the reason why a local file cannot be read as an image, or None if it can.

    Args:
        path (str): The path of the file.
        name (str): The role of the file in the data set, 'image' or 'label map'.
    """
    from PIL import Image, UnidentifiedImageError  # only imported for a bad file

    if not Path(path).is_file():
        what = 'is a folder, not a file' if Path(path).is_dir() else f'is missing: there is no such {name}'
        remedy, found = 'Add the file, or remove it from the data set', other_ending(path)
        if found:
            key = 'img_suffix' if name == 'image' else 'seg_map_suffix'
            what = f'{what}, but there is one that ends in {found}'
            remedy = f"Set {key}='{found}' if the data set has this key, or rename the file"
        return Problem(f'missing {name}', path, what, remedy)
    if not Path(path).stat().st_size:
        return Problem(f'empty {name}', path, f'is a file of 0 bytes, not {_article(name)}', COPY)
    if jpeg_is_cut(path):
        return cut_problem(path)
    try:
        with Image.open(path) as image:
            image.load()
    except Image.DecompressionBombError:
        return None  # only Pillow limits the size
    except UnidentifiedImageError:
        with open(path, 'rb') as file:
            start = file.read(8)
        return Problem(f'unreadable {name}', path, f'is not an image: it begins with {start!r}', COPY)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all of these for damaged files
        return Problem(f'cut {name}', path, f'is cut short or damaged ({error})', COPY)
    return None


def other_ending(path: str) -> str:
    """Return the extension of an image with the same name as a missing one, or '' if no such image exists."""
    return next((ending for ending in _ENDINGS if Path(path).with_suffix(ending).is_file()), '')


def orientation(path: str) -> int:
    """Return the EXIF orientation of a local image file: 1 is upright, 5 to 8 include a quarter turn."""
    from PIL import Image

    try:
        with Image.open(path) as image:  # reads only the header
            found = image.getexif().get(0x0112, 1) if 'exif' in image.info else 1
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return 1
    return found if found in range(1, 9) else 1


def _article(name: str) -> str:
    return f'an {name}' if name == 'image' else f'a {name}'
