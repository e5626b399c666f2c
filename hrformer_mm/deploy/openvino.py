"""OpenVINO as the engine of the deployment form."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from .graph import to_graph_form

PRECISIONS = {'fp32': 'f32', 'bf16': 'bf16'}  # of to_deploy's dtype, in OpenVINO's words
SHAPES = 4  # for which a module keeps compiled models, which each hold the weights


def import_openvino() -> Any:
    """Import OpenVINO.

    Raises:
        ImportError: If it is not installed, with the command that installs it.
    """
    try:
        import openvino
    except ImportError as error:
        raise ImportError("OpenVINO is not installed: pip install 'hrformer_mm[openvino]'") from error
    return openvino


def check_norms(module: nn.Module) -> None:
    """Check that all norms of maps are folded.

    Raises:
        ValueError: If there is a group norm, with which OpenVINO 2026.4 ends the process when it compiles an HRFormer.
    """
    if any(isinstance(child, nn.GroupNorm) for child in module.modules()):
        raise ValueError(
            "norm_cfg is of type 'GN', with which OpenVINO crashes: use engine='torch' or export to .pt2, "
            "or train with norm_cfg=dict(type='BN')"
        )


def openvino_model(module: nn.Module, *inputs: Any) -> Any:
    """Convert a module to an `openvino.Model` for inputs of one shape.

    Args:
        module (nn.Module): In the deployment form, in float32 on the CPU; the result shares its weights.
        *inputs (Tensor | Sequence[Tensor]): Its arguments.

    Raises:
        ImportError, ValueError: See :func:`import_openvino` and :func:`check_norms`.
    """
    ov = import_openvino()
    check_norms(module)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of the exporters, about their own parts
        # OpenVINO fuses PyTorch's operator of attention, but not its parts.
        module = to_graph_form(module, *inputs, implementation='sdpa')
        program = torch.export.export(module, inputs, strict=False)
        return ov.convert_model(program, input=[list(x.shape) for x in tree_leaves(inputs)])


class CompiledModel:
    """An `openvino.Model`, compiled for the number of PyTorch's threads.

    Args:
        model (openvino.Model | str): The model or its file.
        dtype (str): 'fp32' or 'bf16', in which the engine computes. OpenVINO's own default is bfloat16 on CPUs with
            instructions for it.
    """

    def __init__(self, model: Any, dtype: str) -> None:
        options = {
            'INFERENCE_PRECISION_HINT': PRECISIONS[dtype],
            'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_NUM_THREADS': torch.get_num_threads(),
        }
        self._compiled = import_openvino().compile_model(model, 'CPU', options)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Inputs to outputs, new tensors of the dtype and on the device of the first input."""
        results = self._compiled([x.float().numpy(force=True) for x in inputs], share_outputs=False)
        return tuple(torch.from_numpy(results[output]).to(inputs[0]) for output in self._compiled.outputs)


class OpenVINOModule(nn.Module):
    """A module in the deployment form, which OpenVINO runs on the CPU.

    It is compiled at the first call for every new shape of the inputs and number of PyTorch's threads, and the latest
    four are kept. It has no parameters: `state_dict` holds nothing of it.

    Args:
        module (nn.Module): In the deployment form; it takes a tensor or a sequence of them, and returns a
            tuple.
        dtype (str): 'fp32' or 'bf16', in which the engine computes. Outputs are in the dtype of the inputs.

    Raises:
        ImportError, ValueError: See :func:`import_openvino` and :func:`check_norms`.
    """

    def __init__(self, module: nn.Module, dtype: str) -> None:
        import_openvino()
        check_norms(module)
        super().__init__()
        self.__dict__['source'] = module.float().cpu()  # not a child, whose weights could be moved, cast or trained
        self.dtype = dtype
        self._compiled: dict[Any, CompiledModel] = {}

    def forward(self, inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run the engine.

        Raises:
            RuntimeError: If a gradient of the inputs is needed.
        """
        tensors = tree_leaves(inputs)
        if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
            raise RuntimeError(
                "the model was made by to_deploy(engine='openvino') and computes no gradients: use "
                'the model that it was made from, or torch.no_grad()'
            )
        if not all(x.numel() for x in tensors):
            return self.source(inputs)  # which checks the shape; OpenVINO does not run empty batches
        key = (*(x.shape for x in tensors), torch.get_num_threads())
        compiled = self._compiled.pop(key, None)
        if compiled is None:
            example = tree_map(lambda x: torch.zeros(x.shape), inputs)
            compiled = CompiledModel(openvino_model(self.source, example), self.dtype)
        self._compiled = dict([*self._compiled.items(), (key, compiled)][-SHAPES:])
        return compiled(*tensors)

    def train(self, mode: bool = True) -> 'OpenVINOModule':
        """Accept evaluation mode only.

        Raises:
            RuntimeError: In training mode.
        """
        if mode:
            raise RuntimeError(
                "a model made by to_deploy(engine='openvino') cannot be trained: train the model that it was made from"
            )
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_compiled': {}}  # cannot be pickled or copied

    def extra_repr(self) -> str:
        return f'{type(self.source).__name__}, dtype={self.dtype!r}'
