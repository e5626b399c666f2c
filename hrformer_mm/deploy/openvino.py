"""OpenVINO as the engine of the deployment form."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from .graph import to_graph_form

PRECISIONS = {'fp32': 'f32', 'bf16': 'bf16'}  # from to_deploy's dtype to OpenVINO's name
SHAPES = 4  # number of compiled models that a module caches; each of them holds the weights


def import_openvino() -> Any:
    """Import OpenVINO.

    Raises:
        ImportError: If it is not installed. The message contains the command that installs it.
    """
    try:
        import openvino
    except ImportError as error:
        raise ImportError("OpenVINO is not installed: pip install 'hrformer_mm[openvino]'") from error
    return openvino


def check_norms(module: nn.Module) -> None:
    """Check that OpenVINO supports the norms of a module.

    Raises:
        ValueError: If there is a group norm: OpenVINO 2026.4 crashes when it compiles an HRFormer with group norms.
    """
    if any(isinstance(child, nn.GroupNorm) for child in module.modules()):
        raise ValueError(
            "norm_cfg is of type 'GN', with which OpenVINO crashes: use engine='torch', export to .pt2, "
            "or train with norm_cfg=dict(type='BN')"
        )


def openvino_model(module: nn.Module, *inputs: Any) -> Any:
    """Convert a module to an `openvino.Model` for inputs of a fixed shape.

    Args:
        module (nn.Module): Module in the deployment form, in float32 on the CPU. The result shares its weights.
        *inputs (Tensor | Sequence[Tensor]): Example arguments of the module.

    Raises:
        ImportError, ValueError: See :func:`import_openvino` and :func:`check_norms`.
    """
    ov = import_openvino()
    check_norms(module)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the exporters warn about their own internals
        # OpenVINO fuses PyTorch's attention operator, but not the plain formula.
        module = to_graph_form(module, *inputs, implementation='sdpa')
        program = torch.export.export(module, inputs, strict=False)
        return ov.convert_model(program, input=[list(x.shape) for x in tree_leaves(inputs)])


class CompiledModel:
    """Compiled `openvino.Model` that uses as many threads as PyTorch.

    Args:
        model (openvino.Model | str): Model, or path of its file.
        dtype (str): Precision of the computation, 'fp32' or 'bf16'. OpenVINO's own default is bfloat16 on CPUs that
            support it.
    """

    def __init__(self, model: Any, dtype: str) -> None:
        options = {
            'INFERENCE_PRECISION_HINT': PRECISIONS[dtype],
            'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_NUM_THREADS': torch.get_num_threads(),
        }
        self._compiled = import_openvino().compile_model(model, 'CPU', options)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the model. The outputs have the dtype and device of the first input."""
        results = self._compiled([x.float().numpy(force=True) for x in inputs], share_outputs=False)
        return tuple(torch.from_numpy(results[output]).to(inputs[0]) for output in self._compiled.outputs)


class OpenVINOModule(nn.Module):
    """Module that OpenVINO runs on the CPU.

    It compiles a model at the first call for each combination of input shapes and number of PyTorch's threads, and
    caches the four most recently used models. It has no parameters and no entries in `state_dict`.

    Args:
        module (nn.Module): Module in the deployment form that takes a tensor or a sequence of tensors and returns a
            tuple.
        dtype (str): Precision of the computation, 'fp32' or 'bf16'. Outputs have the dtype of the inputs.

    Raises:
        ImportError, ValueError: See :func:`import_openvino` and :func:`check_norms`.
    """

    source: nn.Module

    def __init__(self, module: nn.Module, dtype: str) -> None:
        import_openvino()
        check_norms(module)
        super().__init__()
        # Not registered as a child, so that its weights are not moved, cast or trained.
        self.__dict__['source'] = module.float().cpu()
        self.dtype = dtype
        self._compiled: dict[Any, CompiledModel] = {}

    def forward(self, inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run the module.

        Raises:
            RuntimeError: If an input requires a gradient.
        """
        tensors = tree_leaves(inputs)
        if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
            raise RuntimeError(
                "a model made by to_deploy(engine='openvino') computes no gradients: use the model that it was made "
                'from, or torch.no_grad()'
            )
        if not all(x.numel() for x in tensors):
            return self.source(inputs)  # validates the shape; OpenVINO does not support empty batches
        key = (*(x.shape for x in tensors), torch.get_num_threads())
        compiled = self._compiled.pop(key, None)
        if compiled is None:
            example = tree_map(lambda x: torch.zeros(x.shape), inputs)
            compiled = CompiledModel(openvino_model(self.source, example), self.dtype)
        self._compiled = dict([*self._compiled.items(), (key, compiled)][-SHAPES:])
        return compiled(*tensors)

    def train(self, mode: bool = True) -> 'OpenVINOModule':
        """Set evaluation mode.

        Raises:
            RuntimeError: If `mode` is True, because the module cannot be trained.
        """
        if mode:
            raise RuntimeError(
                "a model made by to_deploy(engine='openvino') cannot be trained: train the model that it was made from"
            )
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_compiled': {}}  # compiled models cannot be pickled or copied

    def extra_repr(self) -> str:
        return f'{type(self.source).__name__}, dtype={self.dtype!r}'
