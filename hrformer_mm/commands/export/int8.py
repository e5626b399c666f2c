"""Post-training quantization to int8 with NNCF."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

# Upsampling in int8 doubles the mean squared error of heatmaps; attention in int8 is not faster.
_FLOAT = ('Interpolate', 'ScaledDotProductAttention')


def import_nncf() -> Any:
    """Import NNCF.

    Raises:
        ImportError: If NNCF is not installed. The message has the command that installs it.
    """
    try:
        import nncf
    except ImportError as error:
        raise ImportError("int8 requires NNCF: pip install 'hrformer_mm[openvino]'") from error
    nncf.set_log_level(logging.WARNING)
    return nncf


def quantize(model: Any, images: Any, batch: int) -> Any:
    """Quantize the convolutions and projections of an `openvino.Model`, with progress bars.

    Norms, softmax, activations, upsampling, the products of attention and the final classifier stay in float.

    Args:
        model (openvino.Model): The model, which is not modified.
        images (Sequence[Tensor]): Normalized images (1, C, H, W) that calibrate ranges and biases.
        batch (int): Batch size of the model.
    """
    nncf = import_nncf()

    def load(i: int) -> np.ndarray:
        return np.repeat(images[i].numpy(force=True), batch, axis=0)

    return nncf.quantize(
        model,
        nncf.Dataset(range(len(images)), load),
        subset_size=len(images),
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER,
        ignored_scope=nncf.IgnoredScope(names=float_operators(model)),
    )


def float_operators(model: Any) -> list[str]:
    """Return the names of the operators of an `openvino.Model` that stay in float."""
    kept = [
        op
        for op in model.get_ordered_ops()
        if op.get_type_name() in _FLOAT or op.get_type_name() == 'MatMul' and not _has_weights(op)
    ]
    return sorted({op.get_friendly_name() for op in [*kept, *_last_products(model)]})


def _last_products(model: Any) -> Iterator[Any]:
    """Yield the operators with weights that are the last before an output."""
    operators, seen = list(model.get_results()), set[str]()
    while operators:
        op = operators.pop()
        if op.get_friendly_name() in seen:
            continue
        seen.add(op.get_friendly_name())
        if op.get_type_name() in ('Convolution', 'GroupConvolution') or (
            op.get_type_name() == 'MatMul' and _has_weights(op)
        ):
            yield op
        else:
            operators += [value.get_source_output().get_node() for value in op.inputs()]


def _has_weights(product: Any) -> bool:
    return any(value.get_source_output().get_node().get_type_name() == 'Constant' for value in product.inputs())
