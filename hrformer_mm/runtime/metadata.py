"""Metadata of exported files: JSON under one key, which `hrformer-mm export` writes and the runtime reads."""

import json
from typing import Any

KEY = 'hrformer_mm'
VERSION = 1
TASKS = ('segmentation', 'pose', 'classification')


def read_metadata(text: str | None, path: str) -> dict[str, Any]:
    """Parse the text that a file stores under `KEY`.

    Raises:
        ValueError: If the text is missing or damaged, or has another version.
    """
    remedy = 'export the model again with hrformer-mm export'
    if not text:
        raise ValueError(f'{path} has no metadata of hrformer_mm: {remedy}')
    try:
        metadata = json.loads(text)
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        raise ValueError(f'{path} has damaged metadata of hrformer_mm: {remedy}')
    version = metadata.get('version')
    if version != VERSION or metadata.get('task') not in TASKS:
        raise ValueError(f'{path} has metadata version {version}, but this package reads version {VERSION}: {remedy}')
    return metadata
