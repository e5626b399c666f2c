"""Deployment form of the OCR head, which runs most of the first convolutions before the upsampling."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..models.inputs import check_maps
from ..models.ocr_head import OCRHead
from .openvino import OpenVINOModule
from .upsampled_conv import upsampled_conv


class DeployOCRHead(OCRHead):
    """:class:`OCRHead` of version 'v2' that computes its first two convolutions as one, without concatenating maps.

    Args:
        head (OCRHead): Head with folded batch norms. Its other modules are shared.
    """

    def __init__(self, head: OCRHead) -> None:
        _adopt(self, head)
        pixels, auxiliary = self._modules.pop('pixels'), self._modules.pop('auxiliary')
        self.entry = nn.Conv2d(pixels[0].in_channels, 2 * self.channels, 3, padding=1)
        self.entry.weight = nn.Parameter(torch.cat([pixels[0].weight, auxiliary[0].weight]), requires_grad=False)
        self.entry.bias = nn.Parameter(torch.cat([pixels[0].bias, auxiliary[0].bias]), requires_grad=False)
        self.pixels_rest, self.auxiliary_rest = pixels[1:], auxiliary[1:]

    def forward_both(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute main and auxiliary logits, see :meth:`OCRHead.forward_both`."""
        check_maps(inputs, self.in_index, self.in_channels, self)
        maps = self._transform_inputs(inputs)
        x = upsampled_conv(maps, self.entry.weight, self.entry.bias, self.align_corners)
        pixels, auxiliary = x.split(self.channels, dim=1)
        return self.attend(self.pixels_rest(pixels), self.auxiliary_rest(auxiliary))


class OpenVINOOCRHead(OCRHead):
    """:class:`OCRHead` whose logits OpenVINO computes.

    Args:
        head (OCRHead): Head in the deployment form.
        dtype (str): See :class:`OpenVINOModule`.
    """

    def __init__(self, head: OCRHead, dtype: str) -> None:
        _adopt(self, head)
        self._modules = dict(loss_decode=head.loss_decode, engine=OpenVINOModule(_BothLogits(head), dtype))

    def forward_both(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute main and auxiliary logits, see :meth:`OCRHead.forward_both`."""
        return self.engine(tuple(inputs))


def _adopt(own: OCRHead, head: OCRHead) -> None:
    """Initialize a head with the attributes and modules of another head, which must not be used afterwards."""
    nn.Module.__init__(own)
    hooks = own._load_state_dict_pre_hooks  # the hooks of the other head refer to that head
    own.__dict__.update(head.__dict__, _modules=dict(head._modules), _load_state_dict_pre_hooks=hooks)


class _BothLogits(nn.Module):
    def __init__(self, head: OCRHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        return self.head.forward_both(inputs)
