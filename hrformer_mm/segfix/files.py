"""Files of offsets in the format that the authors publish."""

from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat
from scipy.io.matlab import MatReadError

KEY = 'mat'


def read_offsets(path: str | Path) -> np.ndarray:
    """Read offsets in rows and columns from a MATLAB file with an array `mat` of shape (H, W, 2).

    Returns:
        np.ndarray: int8 offsets of shape (2, H, W).

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be read or contains no offsets.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'there are no offsets at {path}: test a SegFix config first, or set the folder of '
            "the authors' files for this split"
        )
    try:
        offsets = loadmat(path, variable_names=[KEY]).get(KEY)
    except (MatReadError, NotImplementedError, OSError, TypeError, ValueError) as error:
        raise ValueError(f'{path} cannot be read as a file of offsets: {error}') from error
    if offsets is None or offsets.ndim != 3 or offsets.shape[2] != 2:
        found = 'nothing' if offsets is None else f'an array {offsets.shape}'
        raise ValueError(f"{path} must contain an array '{KEY}' of shape (H, W, 2), but contains {found} of this name")
    return np.ascontiguousarray(offsets.transpose(2, 0, 1)).astype(np.int8)


def write_offsets(path: str | Path, offsets: np.ndarray) -> None:
    """Write offsets (2, H, W) in the format that :func:`read_offsets` reads."""
    savemat(path, {KEY: offsets.transpose(1, 2, 0)}, do_compression=True)
