"""Weights: downloading, reading and writing files, and loading every supported layout into a model."""

from .check import check_fit, check_state
from .door import (
    Pretrained,
    accept_layouts,
    accept_whole_files,
    adapt_state_dict,
    check_pretrained,
    fit_weights,
    load_weights,
)
from .download import fetch
from .files import TEMPORARY, seal, sha256, verify, write_whole
from .io import find_tensors, read_checkpoint, read_tensors, write_tensors
from .layouts import convert_names
from .names import find_released, locate

__all__ = [
    'TEMPORARY',
    'Pretrained',
    'accept_layouts',
    'accept_whole_files',
    'adapt_state_dict',
    'check_fit',
    'check_pretrained',
    'check_state',
    'convert_names',
    'fetch',
    'find_released',
    'find_tensors',
    'fit_weights',
    'load_weights',
    'locate',
    'read_checkpoint',
    'read_tensors',
    'seal',
    'sha256',
    'verify',
    'write_tensors',
    'write_whole',
]
