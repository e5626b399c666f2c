"""Hook that filters harmless messages from the log."""

from mmengine.hooks import Hook

from ..arguments import check_bool
from ..messages import filter_log, filter_warnings
from ..registry import HOOKS


@HOOKS.register_module()
class QuietHook(Hook):
    """Filters the known harmless messages of other libraries that :mod:`hrformer_mm.messages` lists.

    The constructor sets up the filters, because a runner logs most of these messages before it calls a hook.

    Args:
        enabled (bool): Filter messages. Default: True.
    """

    def __init__(self, enabled: bool = True) -> None:
        check_bool('enabled', enabled)
        if enabled:
            filter_warnings()
            filter_log()
