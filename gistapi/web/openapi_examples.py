"""The examples of the interface's description: one search in every form of answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gistapi.search.details import Detail
from gistapi.search.report import IncompleteEntry, Line
from gistapi.search.summary import SearchedData

_REQUEST = {"username": "octocat", "pattern": "import requests"}
_FOUND = "https://gist.github.com/6cad326836d38bd3a7ae"
_DETAIL: Detail = {
    "gist": _FOUND,
    "owner": "octocat",
    "description": "Are the sites up?",
    "created_at": "2014-10-01T09:30:00Z",
    "updated_at": "2014-10-01T09:30:00Z",
    "files": [
        {
            "file": "status.py",
            "language": "Python",
            "size_bytes": 812,
            "more": None,
            "matches": [
                {
                    "line": 3,
                    "column": 1,
                    "end_line": 3,
                    "end_column": 16,
                    "text": "import requests",
                    "start": 0,
                    "end": 15,
                    "cut": False,
                    "url": f"{_FOUND}#file-status-py-L3",
                }
            ],
        }
    ],
}
_SEARCHED: SearchedData = {
    "gists": 8,
    "files": 12,
    "size_bytes": 34567,
    "listing_age_seconds": 0,
}
_GAP: IncompleteEntry = {
    "gist": None,
    "file": None,
    "reason": "deadline",
    "message": "The deadline has passed. Continue with the cursor in `next`.",
}
_ANSWER = {"status": "success"} | _REQUEST | {"matches": [_FOUND]}
_LINES: tuple[Line, ...] = (
    {"type": "begin", "data": {"username": "octocat", "pattern": "import requests"}},
    {"type": "match", "data": _DETAIL},
    {
        "type": "end",
        "data": {"status": "success", "matches": 1, "searched": _SEARCHED, "elapsed_seconds": 1.5},
    },
)

REQUESTS: Mapping[str, Any] = {
    "least": {"value": _REQUEST},
    "narrowed": {
        "value": {
            **_REQUEST,
            "ignore_case": True,
            "files": ["*.py", "!test_*"],
            "languages": ["Python"],
            "updated_since": "2024-01-01T00:00:00Z",
            "limit": 10,
            "details": True,
        }
    },
}
ANSWERS: Mapping[str, Any] = {
    "complete": {"value": _ANSWER},
    "details": {"value": {**_ANSWER, "details": [_DETAIL], "searched": _SEARCHED}},
    "partial": {
        "value": {**_ANSWER, "status": "partial", "incomplete": [_GAP], "next": "eyJ2IjoxfQ"}
    },
}
STREAMS: Mapping[str, Any] = {
    "found": {
        "summary": "One object a line.",
        "value": "".join(json.dumps(line) + "\n" for line in _LINES),
    }
}
TABLES: Mapping[str, Any] = {
    "found": {
        "value": (
            "gist,owner,description,updated_at,file,language,line,column,text,url\r\n"
            f"{_FOUND},octocat,Are the sites up?,2014-10-01T09:30:00Z,status.py,Python,3,1,"
            f"import requests,{_FOUND}#file-status-py-L3\r\n"
        )
    }
}
FEED = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>tag:gist.github.com,2008:search/0f3c</id>'
    "<title>Gists that match import requests</title><updated>2014-10-01T09:30:00Z</updated>"
    "<author><name>octocat</name></author><entry><id>tag:gist.github.com,2008:6cad326836d38bd3a7ae"
    "/557db03de997c86a4a028e1ebd3a1ceb225be238</id><title>Are the sites up?</title>"
    "<updated>2014-10-01T09:30:00Z</updated>"
    f'<link rel="alternate" href="{_FOUND}#file-status-py-L3"/>'
    '<content type="text">import requests</content></entry></feed>\n'
)
