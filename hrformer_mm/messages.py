"""Known harmless messages of other libraries, which `hrformer-mm` and :class:`~hrformer_mm.hooks.QuietHook` filter.

No other messages are filtered. The comment of each entry explains why the message is harmless.
"""

import logging
import re
import warnings

# Regular expressions that match the start of messages of the module `warnings`.
WARNINGS = (
    'pkg_resources is deprecated',  # mim and mmengine import it
    '``build_(loss|pixel_sampler)`` would be deprecated',  # mmseg's own heads call them
    r'The metainfo config file "configs/_base_/datasets/\S+" does not exist\. A matched',  # mmpose uses its own file
    'When align_corners=True, the output would more aligned',  # the released weights require align_corners
    r"Failed to add <class 'mmengine\.visualization\.vis_backend\.LocalVisBackend'>",  # inferencers write no log
    'The draw is False, it means that the hook for visualization',  # the default without --show-dir
    r'Warning: The \w+ is out of bounds, the drawn \w+ may not be in the image',  # people may be partly outside
)
# Regular expression that matches records of mmengine's logger.
RECORDS = re.compile(
    '|'.join(
        (
            '^paramwise_options -- ',  # one line per parameter and option
            '^"FileClient" will be deprecated',  # mmengine's own hooks use it
            '^"HardDiskBackend" is the alias',
            'in the "function" registry tree',  # mmengine looks up its collate functions in another scope first
            '^The prefix is not set in metric class',  # the names of mmseg's metrics are unique
        )
    )
)


def filter_warnings() -> None:
    """Ignore the known harmless warnings in this process."""
    for message in WARNINGS:
        warnings.filterwarnings('ignore', message=message)


def filter_log() -> None:
    """Drop the known harmless records of mmengine's current logger."""
    from mmengine.logging import MMLogger  # imports torch

    MMLogger.get_current_instance().addFilter(is_news)


def is_news(record: logging.LogRecord) -> bool:
    """Return whether a record is not a known harmless one."""
    return not RECORDS.search(record.getMessage())
