"""A logging filter that removes secrets from log records before a handler writes them."""

from __future__ import annotations

import logging

from proofbook.redaction.scrubbing import for_others

_FORMATTER = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Redacts the message and the traceback of every record. Belongs on handlers: filters of a logger do not see its children."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True always; the record's text is redacted in place."""
        record.msg, record.args = for_others(record.getMessage()), None
        if record.exc_info:
            record.exc_text = for_others(_FORMATTER.formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = for_others(record.stack_info)
        return True
