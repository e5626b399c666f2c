"""Building norms from configs."""

from collections.abc import Mapping
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import nn

from ..arguments import check_positive, check_probability

EXAMPLES = "dict(type='BN'), dict(type='SyncBN') or dict(type='GN', num_groups=2)"
# mmcv builds these norms, but they reject maps or normalize the wrong dimension.
_NOT_FOR_MAPS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm3d)


def norm_layer(norm_cfg: Mapping[str, Any], channels: int) -> nn.Module:
    """Build the norm of maps (N, channels, H, W) from its config with mmcv's `build_norm_layer`.

    Raises:
        TypeError: If `norm_cfg` is not a dict with a type.
        ValueError: If the norm cannot be built or does not apply to maps.
    """
    if not isinstance(norm_cfg, Mapping) or 'type' not in norm_cfg:
        raise TypeError(f"norm_cfg must be a dict with a 'type', for example {EXAMPLES}, but is {norm_cfg!r}")
    if 'eps' in norm_cfg:
        check_positive('norm_cfg.eps', norm_cfg['eps'])
    if norm_cfg.get('momentum') is not None and norm_cfg['momentum'] != 1:
        check_probability('norm_cfg.momentum', norm_cfg['momentum'])
    problem = (
        f'norm_cfg is {dict(norm_cfg)!r}, but must be a norm of maps with {channels} channels, for example {EXAMPLES}'
    )
    try:
        layer = build_norm_layer(dict(norm_cfg), channels)[1]
    except (AssertionError, KeyError):  # unknown type or missing num_groups; the error adds no information
        raise ValueError(problem) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f'{problem}: {error}') from error
    if type(layer) in _NOT_FOR_MAPS:
        raise ValueError(f'{problem}: {type(layer).__name__} does not normalize maps')
    return layer
