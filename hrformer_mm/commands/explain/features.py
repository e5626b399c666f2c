"""Feature maps as pictures."""

import numpy as np
from torch import Tensor


def principal_components(x: Tensor) -> tuple[np.ndarray, list[float]]:
    """The three first principal components of a map's channels, over its places, as colours.

    Args:
        x (Tensor): (C, H, W).

    Returns:
        tuple[np.ndarray, list[float]]: (H, W, 3) in [0, 1], red the first component; each runs from the 1st to the
        99th percentile. And the part of the variance that is in each.
    """
    _, h, w = x.shape
    values = x.detach().double().cpu().numpy().reshape(len(x), -1)
    values = values - values.mean(1, keepdims=True)
    variances, directions = np.linalg.eigh(values @ values.T)  # in rising order
    directions = directions[:, ::-1][:, :3]
    # The sign of a component is free: its largest weight is positive, so that a picture is the same every time.
    largest = directions[abs(directions).argmax(0), np.arange(directions.shape[1])]
    components = (directions * np.where(largest < 0, -1, 1)).T @ values
    low, high = np.percentile(components, [1, 99], axis=1, keepdims=True)
    colours = np.full((3, h * w), 0.5)
    spread = high - low
    varies = spread > 1e-6 * spread.max()  # what is less is rounding
    colours[:len(components)] = np.where(varies, (components - low) / np.where(varies, spread, 1), 0.5).clip(0, 1)
    total = max(variances.clip(0).sum(), 1e-300)
    return colours.T.reshape(h, w, 3), [float(v) for v in (variances[::-1][:3].clip(0) / total)]
