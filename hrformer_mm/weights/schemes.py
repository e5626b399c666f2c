"""Registration of this package's reader in mmengine's `CheckpointLoader`, so that loading a checkpoint runs no code.

mmengine 0.10.7 relies on PyTorch's default for that, and later releases and forks pass `weights_only=False`. Importing
this module registers :func:`read_checkpoint` for all schemes except `pavi://`, and for `hrformer_mm://NAME`.
"""

import os
from typing import Any

from mmengine.runner import checkpoint as host

from ..released import SCHEME
from .io import read_checkpoint

_CATALOGUES = {
    'torchvision': host.get_torchvision_models,
    'modelzoo': host.get_torchvision_models,
    'open-mmlab': host.get_external_models,
    'openmmlab': host.get_external_models,
    'mmcls': host.get_mmcls_models,
}


def _read_named(filename: str, map_location: Any = None) -> Any:
    """Read a checkpoint by its name in one of the model catalogues of torchvision and OpenMMLab."""
    scheme, name = filename.split('://', 1)
    if _CATALOGUES[scheme] is host.get_external_models:
        name = host.get_deprecated_model_names().get(name, name)
    address = _CATALOGUES[scheme]()[name]
    if '://' not in address:
        address = os.path.join(host._get_mmengine_home(), address)
    checkpoint = read_checkpoint(address, map_location)
    return host._process_mmcls_checkpoint(checkpoint) if scheme == 'mmcls' else checkpoint


host.CheckpointLoader.register_scheme(
    ['', SCHEME, 'http://', 'https://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://'], read_checkpoint, force=True
)
host.CheckpointLoader.register_scheme([f'{scheme}://' for scheme in _CATALOGUES], _read_named, force=True)
