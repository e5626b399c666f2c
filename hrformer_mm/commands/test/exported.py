"""A model whose network is an exported file."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ... import runtime
from ..export.engines import open_file


def open_exported(path: str) -> runtime.Model:
    """Open an exported file of any format.

    Raises:
        FileNotFoundError, ImportError, ValueError: See :func:`hrformer_mm.runtime.load`.
    """
    return runtime.make_model(open_file(path), path)


def check_fit(metadata: dict[str, Any], wanted: dict[str, Any], path: str, config: str) -> None:
    """Check that a file was exported from the model of a config.

    Args:
        metadata, wanted (dict): The metadata of the file, and those that an export of the config would write.
        path, config (str): Names for the message.

    Raises:
        ValueError: If the task, the input or the output differs.
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


def replace_network(model: Any, exported: runtime.Model) -> None:
    """Replace the network of a model by an exported file. Pre- and post-processing remain the model's.

    Args:
        model (nn.Module): A model of mmseg, mmpose or mmpretrain.
        exported (runtime.Model): The file. It resizes images whose size it does not take, with a warning.
    """

    def run(images: Tensor) -> Tensor:
        outputs = exported.run_inputs(list(images.numpy(force=True)[:, None]))
        return torch.from_numpy(np.stack(outputs)).to(images.device)

    if exported.metadata['task'] == 'segmentation':
        model.encode_decode = lambda images, metas: run(images)
    else:
        model.extract_feat = run
        model.head.forward = lambda outputs: outputs
