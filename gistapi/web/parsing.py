"""Search requests from JSON bodies and from query parameters, and messages about their faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from gistapi.search.report import FieldError
from gistapi.web.error_table import InvalidRequestError
from gistapi.web.schema import WHERE, SearchRequest

MAX_ERRORS = 10
"""Faults reported in one answer."""
MAX_NAME_CHARACTERS = 100
MAX_INTEGER_DIGITS = 20

_FIELDS = tuple(SearchRequest.model_fields)
_LISTS = {"usernames", "gists", "files", "languages"}
_BOOLEANS = {name for name, field in SearchRequest.model_fields.items() if field.annotation is bool}
_INTEGERS = {"max_count", "context", "limit"}
_MESSAGES = {
    "missing": "This field is required.",
    "string_type": "Send a string.",
    "bool_type": "Send true or false.",
    "int_type": "Send an integer.",
    "list_type": "Send a list.",
    "datetime_type": "Send a time as a string.",
    "string_too_short": "This must not be empty.",
}


def parse_body(body: bytes) -> SearchRequest:
    """The request in a JSON body. Raises InvalidRequestError."""
    return _validated(_load(body))


def parse_parameters(parameters: MultiDict[str, str]) -> SearchRequest:
    """The request in the query parameters of a URL.

    A list is a repeated parameter; booleans are `true` and `false`. Raises InvalidRequestError.
    """
    found: dict[str, object] = {}
    for name, values in parameters.lists():
        if name in _LISTS or name not in _FIELDS:
            found[name] = values
        elif len(values) > 1:
            raise _faulty([_field_error([name], "The parameter is there more than once.")])
        else:
            found[name] = _parameter(name, values[0])
    return _validated(found)


def _parameter(name: str, value: str) -> object:
    if name in _BOOLEANS:
        return {"true": True, "false": False}.get(value, value)
    if name in _INTEGERS and re.fullmatch(rf"-?[0-9]{{1,{MAX_INTEGER_DIGITS}}}", value):
        return int(value)
    return value


def _validated(fields: Mapping[str, object]) -> SearchRequest:
    faults: list[FieldError] = []
    if all(fields.get(name) is None or fields[name] is False for name in WHERE):
        message = f"Say where to search: {', '.join(WHERE[:-1])} or {WHERE[-1]}."
        faults.append(_field_error(["username"], message))
    form = None
    try:
        form = SearchRequest.model_validate({k: v for k, v in fields.items() if k in _FIELDS})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
        faults += [_field_error(detail["loc"], _message(detail)) for detail in details]
    faults += [_unknown(name) for name in [k for k in fields if k not in _FIELDS][:MAX_ERRORS]]
    if form is None or faults:
        raise _faulty(faults[:MAX_ERRORS])
    return form


def _unknown(name: str) -> FieldError:
    near = get_close_matches(name[:MAX_NAME_CHARACTERS], _FIELDS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return _field_error([name], f"There is no such field.{hint}")


def _faulty(faults: list[FieldError]) -> InvalidRequestError:
    first = faults[0]
    where = f"{first['field']}: " if first["field"] else ""
    return InvalidRequestError(f"The request is not valid. {where}{first['message']}", faults)


def _message(detail: ErrorDetails) -> str:
    """The fault in plain words."""
    kind, bounds = detail["type"], detail.get("ctx", {})
    if kind == "fault":
        return str(bounds["message"])
    if kind in {"greater_than_equal", "less_than_equal"}:
        return _range(str(detail["loc"][0]))
    if kind == "too_long":
        return f"Send at most {bounds['max_length']:,} entries."
    if kind == "too_short":
        return "The list must not be empty."
    if kind == "string_too_long":
        return f"This may have at most {bounds['max_length']:,} characters."
    return _MESSAGES.get(kind, "The value has the wrong type.")


def _range(name: str) -> str:
    low, high = 0, 0
    for bound in SearchRequest.model_fields[name].metadata:
        low, high = getattr(bound, "ge", low), getattr(bound, "le", high)
    return f"Send a number from {low:,} to {high:,}."


def _load(body: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise InvalidRequestError("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InvalidRequestError("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequestError(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError:  # https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
        raise InvalidRequestError("The body has a number with too many digits.") from None
    if not isinstance(loaded, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    return loaded


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique: dict[str, object] = {}
    for name, value in pairs:
        if name in unique:
            error = _field_error([name], "The field is there more than once.")
            raise InvalidRequestError("The body has a field more than once.", [error])
        unique[name] = value
    return unique


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidRequestError(f"The body is not JSON: {name} is not a JSON value.")


def _field_error(place: Iterable[int | str], message: str) -> FieldError:
    field = ".".join(str(part)[:MAX_NAME_CHARACTERS] for part in place)
    return {"field": field[:MAX_NAME_CHARACTERS], "message": message}
