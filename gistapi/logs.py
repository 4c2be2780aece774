"""How the process writes its log: lines of JSON, or text for a person."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from gistapi.settings import Settings


class JsonFormatter(logging.Formatter):
    """One JSON object a line; time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configuration(settings: Settings) -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything to standard error, the web server's lines too."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": JsonFormatter},
            "text": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
        },
        "filters": {"server": {"()": ServerFilter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": settings.log_format},
        },
        "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
        "loggers": {"_granian": {"filters": ["server"]}},
    }


class ServerFilter(logging.Filter):
    """Drops the web server's advice on the number of threads: ours wait for GitHub, not the CPU."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        return "Python threads" not in record.getMessage()
