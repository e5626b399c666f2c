"""The top-down heatmap head (HRFormer, section 4.1) on mmpose's losses, codecs and decoding."""

from collections.abc import Sequence
from typing import Any

from mmpose.models.heads import HeatmapHead
from mmpose.registry import KEYPOINT_CODECS
from mmpose.registry import MODELS as MMPOSE_MODELS
from torch import Tensor

from ..arguments import check_config, check_int
from ..registry import MODELS
from ..weights import accept_layouts
from .inputs import check_maps


@MODELS.register_module()
class TopdownHeatmapHead(HeatmapHead):
    """One 1x1 convolution over one branch.

    Unlike mmpose's `HeatmapHead`, it has no deconvolutions and takes the finest branch, not the last, of what the
    backbone gives, so that it needs no neck between them.

    Args:
        in_channels (int): Channels of the branch.
        out_channels (int): Keypoints.
        in_index (int): Which of the backbone's maps to take. Default: 0, the finest.
        loss (dict): One of mmpose's losses.
        decoder (dict, optional): One of mmpose's codecs, to turn heatmaps into coordinates.
        init_cfg (dict, optional): By default mmpose's: normal with a deviation of 0.001.

    Raises:
        TypeError, ValueError: If an argument cannot be used, naming it, its value and what is allowed.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        in_index: int = 0,
        loss: dict[str, Any] = dict(type='KeypointMSELoss', use_target_weight=True),
        decoder: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        for name, value in (('in_channels', in_channels), ('out_channels', out_channels)):
            check_int(name, value)
        check_config('loss', loss, MMPOSE_MODELS, "dict(type='KeypointMSELoss')")
        if decoder is not None:
            check_config('decoder', decoder, KEYPOINT_CODECS, "dict(type='MSRAHeatmap', input_size=(192, 256), …)")
        check_int('in_index', in_index, lowest=0)
        super().__init__(
            in_channels, out_channels, deconv_out_channels=None, loss=loss, decoder=decoder, init_cfg=init_cfg
        )
        self.in_index = in_index
        accept_layouts(self, 'head.')

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Maps of the backbone to heatmaps (N, out_channels, H / 4, W / 4) for branch 0.

        Raises:
            TypeError, ValueError: If they are of another number, form or dtype, with the remedy.
        """
        check_maps(feats, (self.in_index,), (self.in_channels,), self)
        return self.final_layer(feats[self.in_index])
