"""The captcha: a proof of work that a browser solves by itself, without third parties (ALTCHA).

https://altcha.org/docs/v2/proof-of-work/. A challenge is signed and expires, so it is not
stored until it is solved. Then its nonce is stored until it expires: each is valid once.
"""

from __future__ import annotations

import time
from typing import Any

from altcha import Payload, create_challenge, verify_solution
from flask import request

from gistapi.errors import CaptchaRequiredError
from gistapi.quota.nonces import NonceStore

HEADER = "X-Captcha"
EXPIRY_SECONDS = 300
# 256 derivations on average, of a millisecond each: solving a challenge takes half a second of a
# laptop's processor, checking the solution a millisecond of the service's.
ALGORITHM = "PBKDF2/SHA-256"
ITERATIONS = 5000
KEY_PREFIX = "00"
MAX_SOLUTION_CHARACTERS = 2048
MAX_NONCE_CHARACTERS = 256


class Captcha:
    """Makes challenges and checks their solutions.

    Instances with the same `key` accept each other's challenges. `used` remembers solved ones.
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
        """Raise CaptchaRequiredError unless the request has a solved challenge."""
        sent = request.headers.get(HEADER, "")
        if not sent:
            raise CaptchaRequiredError(
                "Callers without a key must solve a captcha: get a challenge from"
                f" /api/v1/captcha and send its solution in {HEADER}."
            )
        payload = _payload(sent)
        if payload is None:
            raise CaptchaRequiredError(f"{HEADER} does not hold the solution of a captcha.")
        result = verify_solution(payload, self._key)
        if result.expired:
            raise CaptchaRequiredError("The captcha has expired. Request a new one.")
        if not result.verified:
            raise CaptchaRequiredError("The captcha is not solved.")
        if not self._used.claim(payload.challenge.parameters.nonce, EXPIRY_SECONDS):
            raise CaptchaRequiredError("The captcha was used before. Request a new one.")


def _payload(sent: str) -> Payload | None:
    """The solution; None if its challenge cannot be one of this service.

    The library uses the values before it checks the signature over them.
    """
    if len(sent) > MAX_SOLUTION_CHARACTERS:
        return None
    try:
        payload = Payload.from_base64(sent)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return payload if _is_sound(payload) else None


def _is_sound(payload: Payload) -> bool:
    asked, solved = payload.challenge.parameters, payload.solution
    texts = (asked.nonce, asked.salt, payload.challenge.signature, solved.derived_key)
    return (
        (asked.algorithm, asked.cost, asked.key_prefix) == (ALGORITHM, ITERATIONS, KEY_PREFIX)
        and all(isinstance(text, str) and len(text) <= MAX_NONCE_CHARACTERS for text in texts)
        and type(asked.expires_at) is int
        and type(solved.counter) is int
        and 0 <= solved.counter < 2**32
    )
