"""The fields of a search request: their types, bounds and meaning."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gistapi.errors import InvalidPatternError
from gistapi.models import USERNAME, Flags, Query
from gistapi.search.gist_ids import MAX_ADDRESS_CHARACTERS, gist_id
from gistapi.search.globs import MAX_GLOBS, Globs
from gistapi.search.languages import first_misspelt
from gistapi.search.times import parse_time

MAX_PATTERN_CHARACTERS = 1000
_LOGIN = "A GitHub login has 1 to 39 letters, digits, - or _."
WHERE = ("username", "usernames", "organization", "gists", "mine", "starred")
"""The fields that say where to search; a request has at least one of them."""


def _fault(message: str) -> PydanticCustomError:
    """An error whose message is sent unchanged."""
    return PydanticCustomError("fault", "{message}", {"message": message})


def _login(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(USERNAME.strip("^$"), value):
        raise _fault(_LOGIN)
    return value


def _gist(value: str) -> str:
    try:
        return gist_id(value)
    except ValueError as error:
        raise _fault(str(error)) from None


def _time(value: object, *, end_of_day: bool) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_time(value, end_of_day=end_of_day)
    except ValueError as error:
        raise _fault(str(error)) from None


def _languages(value: list[str]) -> list[str]:
    found = first_misspelt(value)
    if found is not None:
        name, meant = found
        raise _fault(f"GitHub knows no language {name[:100]}. Did you mean {meant}?")
    return value


def _globs(value: list[str]) -> list[str]:
    try:
        Globs(value)
    except ValueError as error:
        raise _fault(str(error)) from None
    return value


def _text(value: object) -> str:
    # Length and surrogates are faults of the pattern, not of the request: see `query`.
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "Send a string.")
    return value


_LOGIN_SCHEMA = WithJsonSchema({"type": "string", "pattern": USERNAME})
_TIME_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date"},
            {"type": "null"},
        ]
    }
)
Login = Annotated[str, BeforeValidator(_login), _LOGIN_SCHEMA]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]
GistName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_ADDRESS_CHARACTERS),
    AfterValidator(_gist),
]


class SearchRequest(BaseModel):
    """A search. A field that is omitted is null, false, 0 or an empty list."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    username: Annotated[
        Login | None, Field(description="A GitHub login; case does not matter.")
    ] = None
    usernames: Annotated[
        list[Login] | None, Field(min_length=1, max_length=100, description="Several users.")
    ] = None
    organization: Annotated[
        Login | None, Field(description="An organization: the gists of its members.")
    ] = None
    gists: Annotated[
        list[GistName] | None,
        Field(min_length=1, max_length=1000, description="Single gists, by ID or address."),
    ] = None
    mine: Annotated[
        bool, Field(description="The gists owned by the GitHub token in X-GitHub-Token.")
    ] = False
    starred: Annotated[bool, Field(description="The gists starred by the owner of that token.")] = (
        False
    )
    pattern: Annotated[
        str,
        PlainValidator(_text),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_PATTERN_CHARACTERS}),
        Field(description="A regular expression in the syntax of Python's `re`."),
    ]
    ignore_case: Annotated[bool, Field(description="Ignore case (`re.I`).")] = False
    multiline: Annotated[bool, Field(description="`^` and `$` match at every line (`re.M`).")] = (
        False
    )
    dotall: Annotated[bool, Field(description="`.` matches line ends too (`re.S`).")] = False
    fixed_string: Annotated[bool, Field(description="The pattern is literal text.")] = False
    word: Annotated[bool, Field(description="Match whole words only.")] = False
    files: Annotated[
        list[Word],
        Field(max_length=MAX_GLOBS, description="Globs of file names; a leading `!` excludes."),
        AfterValidator(_globs),
    ] = []
    languages: Annotated[
        list[Word],
        Field(max_length=100, description="GitHub's language names; case does not matter."),
        AfterValidator(_languages),
    ] = []
    updated_since: Annotated[
        Annotated[datetime | None, BeforeValidator(partial(_time, end_of_day=False)), _TIME_SCHEMA],
        Field(description="Only gists updated at this time or later. A date begins its day, UTC."),
    ] = None
    updated_until: Annotated[
        Annotated[datetime | None, BeforeValidator(partial(_time, end_of_day=True)), _TIME_SCHEMA],
        Field(description="Only gists updated at this time or before. A date ends its day, UTC."),
    ] = None
    names: Annotated[bool, Field(description="Search descriptions and file names as well.")] = False
    details: Annotated[bool, Field(description="Include where each gist matched.")] = False
    max_count: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="Return every matching file with up to this many matches; implies details.",
        ),
    ] = None
    context: Annotated[
        int, Field(ge=0, le=10, description="Lines around each match; implies details.")
    ] = 0
    limit: Annotated[
        int | None,
        Field(ge=1, le=1000, description="The maximum number of matching gists in this answer."),
    ] = None
    cursor: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=16384)] | None,
        Field(description="`next` of an earlier answer to the same query."),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        since, until = self.updated_since, self.updated_until
        if since and until and since > until:
            raise _fault("updated_since is later than updated_until.")
        return self

    @property
    def wants_details(self) -> bool:
        """Whether the answer says where each gist matched."""
        return self.details or self.max_count is not None or self.context > 0

    @property
    def needs_token(self) -> bool:
        """Whether only a request with the caller's own GitHub token can be answered."""
        return self.mine or self.starred

    def query(self) -> Query:
        """The query of this request.

        Raises InvalidPatternError if the pattern is empty, too long, or not Unicode text.
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
            usernames=tuple(self.usernames or ()),
            organization=self.organization,
            gists=tuple(self.gists or ()),
            mine=self.mine,
            starred=self.starred,
            details=self.wants_details,
            names=self.names,
            max_count=self.max_count,
            context=self.context,
        )


def _check_pattern(pattern: str) -> None:
    if not pattern:
        raise InvalidPatternError("it is empty")
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise InvalidPatternError(f"it is longer than {MAX_PATTERN_CHARACTERS:,} characters")
    surrogate = re.search("[\ud800-\udfff]", pattern)
    if surrogate:
        raise InvalidPatternError("lone surrogate, not a character", surrogate.start())
