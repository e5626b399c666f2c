"""Released weights: reading files, recognising their layouts, renaming and resizing. Dicts of tensors in and out."""

from .backbone import describe_backbone, fit_backbone, load_backbone
from .check import check_state
from .download import fetch, is_web_address
from .files import TEMPORARY, seal, verify, write_whole
from .io import read_checkpoint, read_tensors, write_tensors
from .layouts import Layout, convert_names, recognise
from .ocr import ocr_shapes

__all__ = [
    'Layout', 'TEMPORARY', 'check_state', 'convert_names', 'describe_backbone', 'fetch', 'fit_backbone',
    'is_web_address', 'load_backbone', 'ocr_shapes', 'read_checkpoint', 'read_tensors', 'recognise', 'seal', 'verify',
    'write_tensors', 'write_whole'
]
