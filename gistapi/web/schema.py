"""The search's request, as JSON has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, NoReturn, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gistapi.errors import InvalidPatternError
from gistapi.models import USERNAME, Flags, Query
from gistapi.search.globs import MAX_GLOBS, Globs
from gistapi.search.report import FieldError
from gistapi.web.problems import InvalidRequestError

MAX_PATTERN_LENGTH = 1000
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _time(value: object) -> object:
    """An RFC 3339 time with zone, in UTC; anything else is left to the strict type's refusal."""
    if value is None:
        return None
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("rfc3339", "Input should be an RFC 3339 time with zone")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("rfc3339", "Input should be a time that exists") from None


def _globs(value: list[str]) -> list[str]:
    Globs(value)  # its ValueError says what is wrong
    return value


def _text(value: object) -> str:
    # Its length and its surrogates are the pattern's own faults: see `query`.
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "Input should be a valid string")
    return value


Time = Annotated[datetime | None, BeforeValidator(_time)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class SearchRequest(BaseModel):
    """The body of `POST /api/v1/search`. Where the default is none, null means the same."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    username: Annotated[
        str,
        StringConstraints(pattern=USERNAME),
        Field(description="A GitHub login; case does not matter."),
    ]
    pattern: Annotated[
        str,
        PlainValidator(_text),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_PATTERN_LENGTH}),
        Field(description="A regular expression in the syntax of Python's `re`."),
    ]
    ignore_case: Annotated[bool, Field(description="`re.I`")] = False
    multiline: Annotated[bool, Field(description="`re.M`: `^` and `$` match at lines.")] = False
    dotall: Annotated[bool, Field(description="`re.S`: a dot matches line ends too.")] = False
    fixed_string: Annotated[bool, Field(description="The pattern is literal text.")] = False
    word: Annotated[bool, Field(description="It must stand as a whole word.")] = False
    files: Annotated[
        list[Word],
        Field(max_length=MAX_GLOBS, description="Globs of file names; a leading `!` excludes."),
        AfterValidator(_globs),
    ] = []
    languages: Annotated[
        list[Word],
        Field(max_length=100, description="GitHub's names of languages, in any case."),
    ] = []
    updated_since: Annotated[Time, Field(description="Only gists updated then or later.")] = None
    updated_until: Annotated[
        Time, Field(description="Only gists updated then or earlier; not before `updated_since`.")
    ] = None
    limit: Annotated[
        int | None,
        Field(ge=1, le=1000, description="At most so many matches; the rest by `cursor`."),
    ] = None
    cursor: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=16384)] | None,
        Field(description="Go on where an earlier answer's `next` says, with the same query."),
    ] = None
    details: Annotated[bool, Field(description="Say where each gist matched.")] = False

    @model_validator(mode="after")
    def _check_span(self) -> Self:
        since, until = self.updated_since, self.updated_until
        if since and until and since > until:
            raise PydanticCustomError("span", "updated_since is later than updated_until")
        return self

    def query(self) -> Query:
        """The query that this asks.

        Raises:
            InvalidPatternError: the pattern is empty, too long, or no Unicode text.
        """
        _check_pattern(self.pattern)
        flags = Flags(
            ignore_case=self.ignore_case,
            multiline=self.multiline,
            dotall=self.dotall,
            fixed_string=self.fixed_string,
            word=self.word,
        )
        return Query(
            username=self.username,
            pattern=self.pattern,
            flags=flags,
            files=tuple(self.files),
            languages=tuple(self.languages),
            updated_since=self.updated_since,
            updated_until=self.updated_until,
            limit=self.limit,
            cursor=self.cursor,
        )


def parse(body: bytes) -> SearchRequest:
    """The request in a body.

    Raises:
        InvalidRequestError: the body is not strict JSON, or not what the contract asks for.
    """
    try:
        return SearchRequest.model_validate(_load(body))
    except ValidationError as error:
        errors = [_field_error(detail["loc"], detail["msg"]) for detail in error.errors()]
        first = errors[0]
        message = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
        raise InvalidRequestError(f"The request is not valid: {message}", errors) from None


def _load(body: bytes) -> dict[str, object]:
    try:
        loaded = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise InvalidRequestError("The body is nested too deeply") from None
    except UnicodeDecodeError:
        raise InvalidRequestError("The body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidRequestError(f"The body is not JSON: {error}") from None
    except ValueError:  # https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
        raise InvalidRequestError("The body has a number of too many digits") from None
    if not isinstance(loaded, dict):
        raise InvalidRequestError("The body has to be a JSON object")
    return loaded


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in unique if names.count(name) > 1)
        error = _field_error((twice,), "Field is there more than once")
        raise InvalidRequestError("The body has a field more than once", [error])
    return unique


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidRequestError(f"The body is not JSON: {name} is no JSON value")


def _field_error(place: Iterable[int | str], message: str) -> FieldError:
    return {
        "field": ".".join(map(str, place))[:100],
        "message": message.removeprefix("Value error, "),
    }


def _check_pattern(pattern: str) -> None:
    if not pattern:
        raise InvalidPatternError("it is empty")
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise InvalidPatternError(f"it is longer than {MAX_PATTERN_LENGTH:,} characters")
    surrogate = re.search("[\ud800-\udfff]", pattern)
    if surrogate:
        raise InvalidPatternError("lone surrogate, not a character", surrogate.start())
