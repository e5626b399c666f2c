"""Export to OpenVINO's format: an .xml file, and the weights beside it in a .bin file."""

import json
from collections.abc import Callable
from typing import Any, Optional

import torch
from torch import Tensor, nn

from ...deploy.openvino import CompiledModel, import_openvino, openvino_model


def write_openvino(network: nn.Module, example: Tensor, program: Optional[torch.export.ExportedProgram], path: str,
                   key: str, about: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    """Write `path` and its .bin file.

    Args:
        network (nn.Module): In the deployment form; it takes images and returns a tensor.
        example (Tensor): Images (N, 3, H, W).
        program (torch.export.ExportedProgram, optional): The network for other batches or sizes as well. Default: the
            file takes images like `example` only.
        path (str): The file to write, .xml.
        key (str): Where rt_info holds the metadata.
        about (dict): The metadata, which are written as JSON.

    Returns:
        callable: Runs the file in float32.
    """
    ov = import_openvino()
    model = openvino_model(network, example) if program is None else ov.convert_model(program)
    model.inputs[0].set_names({'images'})
    model.outputs[0].set_names({'output'})
    model.set_rt_info(json.dumps(about), [key])
    ov.save_model(model, path, compress_to_fp16=False)
    run = CompiledModel(path, 'fp32')
    return lambda images: run(images)[0]
