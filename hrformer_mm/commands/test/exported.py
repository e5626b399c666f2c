"""Exported files of every format, and a model whose network is such a file."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ... import runtime
from ...runtime.engines import Engine
from ...runtime.metadata import KEY


class TorchProgram(Engine):
    """A program of torch.export, or of AOTInductor, on the CPU: `.pt2`."""

    def __init__(self, path: str) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile:
            names = []
        if not any(name.endswith('/archive_format') for name in names):  # of a part, if the end is missing
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


def open_exported(path: str) -> runtime.Model:
    """Open a file of `hrformer-mm export` of any format.

    Raises:
        FileNotFoundError, ImportError, ValueError: If it cannot be used, see :func:`hrformer_mm.runtime.load`.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in ('.onnx', '.xml', '.pt2'):
        raise ValueError(f'{path} is not an exported file: it must end in .onnx, .xml or .pt2')
    if suffix != '.pt2':
        return runtime.load(path, threads=torch.get_num_threads())
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no exported file {path}')
    return runtime.make_model(TorchProgram(path), path)


def check_fit(metadata: dict[str, Any], wanted: dict[str, Any], path: str, config: str) -> None:
    """Check that a file is of a config's model.

    Args:
        metadata, wanted (dict): Those of the file, and those that an export of the config would write.
        path, config (str): Names for the message.

    Raises:
        ValueError: If they differ in the task, the input or the output.
    """
    for name, describe in _FACTS.items():
        own, theirs = describe(metadata), describe(wanted)
        if own != theirs:
            raise ValueError(
                f'{path} was exported from another model than that of {config}: its {name} is {own}, not {theirs}'
            )


_FACTS = {
    'task': lambda about: about['task'],
    'number of classes or keypoints': lambda about: len(about.get('classes') or about['keypoints']),
    'normalization': lambda about: [about[key] for key in ('channels', 'mean', 'std', 'rgb')],
    'codec': lambda about: about.get('codec'),
}


def replace_network(model: nn.Module, exported: runtime.Model) -> None:
    """Let an exported file compute the logits or heatmaps of a model; its pre- and post-processing stay.

    Args:
        model (nn.Module): A model of mmseg, mmpose or mmpretrain.
        exported (runtime.Model): It resizes images of sizes that it does not take, with a warning.
    """

    def run(images: Tensor) -> Tensor:
        outputs = exported.run_inputs(images.numpy(force=True)[:, None])
        return torch.from_numpy(np.stack(outputs)).to(images.device)

    if exported.metadata['task'] == 'segmentation':
        model.encode_decode = lambda images, metas: run(images)
    else:
        model.extract_feat = run
        model.head.forward = lambda outputs: outputs
