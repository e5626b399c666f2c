"""Export to OpenVINO's format: an .xml file, and the weights beside it in a .bin file."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ...deploy.openvino import CompiledModel, import_openvino, openvino_model
from .int8 import quantize


def write_openvino(
    network: nn.Module,
    example: Tensor,
    path: str,
    key: str,
    about: dict[str, Any],
    calibration: Sequence[Tensor] | None = None,
) -> Callable[[Tensor], Tensor]:
    """Write `path` and its .bin file.

    Args:
        network (nn.Module): In the deployment form; it takes images and returns a tensor.
        example (Tensor): Images (N, 3, H, W), of the only shape that the file takes.
        path (str): The file to write, .xml.
        key (str): Where rt_info holds the metadata.
        about (dict): The metadata, which are written as JSON.
        calibration (Sequence[Tensor], optional): Images (1, C, H, W), to quantize to int8. Default: float32.

    Returns:
        callable: Runs the file in the metadata's `precision`.
    """
    ov = import_openvino()
    model = openvino_model(network, example)
    if calibration is not None:
        model = quantize(model, calibration, example.shape[0])
    model.inputs[0].set_names({'images'})
    model.outputs[0].set_names({'output'})
    model.set_rt_info(json.dumps(about), [key])
    ov.save_model(model, path, compress_to_fp16=False)
    run = CompiledModel(path, 'bf16' if about['precision'] == 'bf16' else 'fp32')
    return lambda images: run(images)[0]
