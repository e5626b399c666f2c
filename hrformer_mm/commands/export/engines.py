"""Run exported files of every format."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...runtime.engines import Engine, open_engine
from ...runtime.metadata import KEY


class TorchProgram(Engine):
    """A program of torch.export or AOTInductor (`.pt2`) on the CPU."""

    module: Any

    def __init__(self, path: str) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile:
            names = []
        if not any(name.endswith('/archive_format') for name in names):  # a truncated file may have an earlier entry
            raise ValueError(f'{path} is not a program of torch.export, or is cut short: export or copy it again')
        if any('/data/aotinductor/' in name for name in names):
            self.module = torch._inductor.aoti_load_package(path)
            found = self.module.get_metadata()
            self.metadata, self.shape = found.get(KEY), json.loads(found.get('shape', '[]'))
            return
        extra = {KEY: ''}
        program = torch.export.load(path, extra_files=extra)
        images = next(node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs)
        self.module, self.metadata = program.module(), extra[KEY]
        self.shape = [side if isinstance(side, int) else None for side in images.meta['val'].shape]

    def run(self, images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.module(torch.from_numpy(images)).numpy()


def open_file(path: str) -> Engine:
    """Open an exported file of any format, with PyTorch's number of threads.

    Raises:
        FileNotFoundError, ImportError, ValueError: See :func:`hrformer_mm.runtime.load`.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in ('.onnx', '.xml', '.pt2'):
        raise ValueError(f'{path} is not an exported file: it must end in .onnx, .xml or .pt2')
    if suffix != '.pt2':
        return open_engine(path, None, 'cpu', torch.get_num_threads())
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no exported file {path}')
    return TorchProgram(path)
