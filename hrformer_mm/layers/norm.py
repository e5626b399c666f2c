"""The norm that a config asks for."""

from collections.abc import Mapping
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import nn

from ..arguments import check_positive, check_probability

EXAMPLES = "dict(type='BN'), dict(type='SyncBN') or dict(type='GN', num_groups=2)"
# They build, and would fail on the first map, or take its rows for channels.
_OF_NO_MAPS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm3d)


def norm_layer(norm_cfg: Mapping[str, Any], channels: int) -> nn.Module:
    """The norm of maps (N, channels, H, W) that `norm_cfg` describes, as mmcv builds it.

    Raises:
        TypeError, ValueError: If it describes none, with what is wrong and what is allowed.
    """
    if not isinstance(norm_cfg, Mapping) or 'type' not in norm_cfg:
        raise TypeError(f"norm_cfg must be a dict with a 'type', as {EXAMPLES}, but is {norm_cfg!r}")
    if 'eps' in norm_cfg:
        check_positive('norm_cfg.eps', norm_cfg['eps'])
    if norm_cfg.get('momentum') is not None and norm_cfg['momentum'] != 1:
        check_probability('norm_cfg.momentum', norm_cfg['momentum'])
    refusal = f'norm_cfg is {dict(norm_cfg)!r}, but must be a norm of maps with {channels} channels, as {EXAMPLES}'
    try:
        layer = build_norm_layer(dict(norm_cfg), channels)[1]
    except (AssertionError, KeyError):  # an unknown type, or missing num_groups: the error says no more
        raise ValueError(refusal) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f'{refusal}: {error}') from error
    if type(layer) in _OF_NO_MAPS:
        raise ValueError(f'{refusal}: {type(layer).__name__} is a norm of something else')
    return layer
