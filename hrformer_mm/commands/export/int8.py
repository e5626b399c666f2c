"""Int8 by NNCF's post-training quantization."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

_PRODUCTS = ('Convolution', 'GroupConvolution', 'MatMul')  # OpenVINO's operators that have weights


def import_nncf() -> Any:
    """Import NNCF.

    Raises:
        ImportError: If it is not installed, with the command that installs it.
    """
    try:
        import nncf
    except ImportError as error:
        raise ImportError("int8 requires NNCF: pip install 'hrformer_mm[openvino]'") from error
    nncf.set_log_level(logging.WARNING)
    return nncf


def quantize(model: Any, images: Sequence[Tensor], batch: int) -> Any:
    """Quantize the convolutions and projections of an `openvino.Model`, with progress bars.

    Norms, softmax, activations and the last classifier stay in float.

    Args:
        model (openvino.Model): It is unchanged.
        images (Sequence[Tensor]): Normalized images (1, C, H, W), by which ranges and biases are chosen.
        batch (int): Images that the model takes at a time.
    """
    nncf = import_nncf()

    def load(i: int) -> np.ndarray:
        return np.repeat(images[i].numpy(force=True), batch, axis=0)

    return nncf.quantize(model, nncf.Dataset(range(len(images)), load), subset_size=len(images),
                         preset=nncf.QuantizationPreset.MIXED, model_type=nncf.ModelType.TRANSFORMER,
                         ignored_scope=nncf.IgnoredScope(names=last_products(model)))


def last_products(model: Any) -> list[str]:
    """The names of the operators with weights that nothing but the outputs of an `openvino.Model` depends on."""
    names, nodes, seen = [], list(model.get_results()), set()
    while nodes:
        node = nodes.pop()
        if node.get_friendly_name() in seen:
            continue
        seen.add(node.get_friendly_name())
        if node.get_type_name() in _PRODUCTS:
            names.append(node.get_friendly_name())
        else:
            nodes += [value.get_source_output().get_node() for value in node.inputs()]
    return sorted(names)
