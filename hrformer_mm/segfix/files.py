"""Offsets in files, as the authors publish theirs."""

from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat
from scipy.io.matlab import MatReadError

KEY = 'mat'


def read_offsets(path: str | Path) -> np.ndarray:
    """Read a file of offsets: a MATLAB file with an array `mat`, (H, W, 2), rows and columns.

    Returns:
        np.ndarray: (2, H, W), int8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of offsets.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'there are no offsets {path}: test a SegFix config first, or name the folder of '
            "the authors' files for this split"
        )
    try:
        offsets = loadmat(path, variable_names=[KEY]).get(KEY)
    except (MatReadError, NotImplementedError, OSError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is no file of offsets that can be read: {error}') from error
    if offsets is None or offsets.ndim != 3 or offsets.shape[2] != 2:
        found = 'nothing' if offsets is None else f'an array {offsets.shape}'
        raise ValueError(f"{path} must hold an array '{KEY}' of (H, W, 2), but holds {found} of this name")
    return np.ascontiguousarray(offsets.transpose(2, 0, 1)).astype(np.int8)


def write_offsets(path: str | Path, offsets: np.ndarray) -> None:
    """Write offsets (2, H, W) as :func:`read_offsets` reads them."""
    savemat(path, {KEY: offsets.transpose(1, 2, 0)}, do_compression=True)
