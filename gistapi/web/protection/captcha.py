"""The captcha: a proof of work that a browser does by itself, without third parties (ALTCHA).

https://altcha.org/docs/v2/proof-of-work/. A challenge is signed and expires, so it is kept nowhere
until it is solved; its nonce is then kept until it expires: each is good once.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from altcha import Payload, create_challenge, verify_solution
from flask import request

from gistapi.errors import CaptchaRequiredError

HEADER = "X-Captcha"
EXPIRY_SECONDS = 300
# 256 derivations on average, of a millisecond each: half a second of a laptop's processor for the
# one who asks, a millisecond of ours to check it.
ALGORITHM = "PBKDF2/SHA-256"
ITERATIONS = 5000
KEY_PREFIX = "00"
MAX_SOLUTION_CHARACTERS = 2048


class NonceStore(Protocol):
    """Remembers what is used up."""

    def claim(self, word: str, seconds: float) -> bool:
        """Whether this word comes for the first time; it is remembered for so many seconds."""
        ...


class Captcha:
    """Makes challenges and checks their solutions.

    Instances that share `key` understand each other's.
    """

    def __init__(self, key: str, used: NonceStore) -> None:
        self._key = key
        self._used = used

    def challenge(self) -> dict[str, Any]:
        """A new challenge, as ALTCHA's widget reads it."""
        made = create_challenge(
            ALGORITHM,
            ITERATIONS,
            key_prefix=KEY_PREFIX,
            expires_at=int(time.time()) + EXPIRY_SECONDS,
            hmac_secret=self._key,
        )
        return made.to_dict()

    def check(self) -> None:
        """Raises CaptchaRequiredError unless the request brings a challenge that it solved."""
        sent = request.headers.get(HEADER, "")
        if not sent:
            raise CaptchaRequiredError(
                "Without a key a captcha has to be solved: GET /api/v1/captcha gives a challenge,"
                f" its solution goes into {HEADER}"
            )
        payload = _payload(sent)
        if payload is None:
            raise CaptchaRequiredError(f"{HEADER} holds no solution of a captcha")
        result = verify_solution(payload, self._key)
        if result.expired:
            raise CaptchaRequiredError("The captcha has expired; take a new one")
        if not result.verified:
            raise CaptchaRequiredError("The captcha is not solved")
        if not self._used.claim(payload.challenge.parameters.nonce, EXPIRY_SECONDS):
            raise CaptchaRequiredError("The captcha was used before; take a new one")


def _payload(sent: str) -> Payload | None:
    if len(sent) > MAX_SOLUTION_CHARACTERS:
        return None
    try:
        return Payload.from_base64(sent)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
