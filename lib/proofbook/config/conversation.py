"""The conversation of a WebSocket endpoint as an environment states it: opening, answers, refusal.

A dialect that ships with Proofbook is a value of this language too, see `known_dialects`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from proofbook.config.fields import JmesPath, _pattern
from proofbook.config.references import Settings
from proofbook.protocol import REFUSED_CODES, REFUSED_STATUS

# What stands for values of a connection in messages and expectations; doubled braces mean themselves: {{id}} is {id}.
PLACES = ("id", "number", "text", "user", "token")
# As long as a server that checks a token elsewhere may take before it closes.
REFUSED_WITHIN_S = 2.0

CloseCode = Annotated[int, Field(ge=1000, le=4999)]
HttpStatus = Annotated[int, Field(ge=100, le=599)]


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"expected bytes in base64, got {value[:40]!r}") from None
    return value


Base64 = Annotated[str, AfterValidator(_base64)]


class Expectation(Settings):
    """How an answer is recognised: JMESPath expressions with the values wanted, or a regular expression.

    In both, `{id}`, `{text}` and `{user}` stand for what this journey sent.
    """

    fields: dict[JmesPath, Any] = Field(default_factory=dict, alias="json")
    regex: str | None = None

    @model_validator(mode="after")
    def _stated(self) -> Expectation:
        if not self.fields and self.regex is None:
            raise ValueError('expected json = {"path" = value} or regex = "…", got neither')
        if self.regex is not None:
            _pattern(re.sub(rf"\{{({'|'.join(PLACES)})\}}", "x", self.regex))
        return self


class Message(Settings):
    """A message of the probe: text, JSON, or bytes in base64."""

    send: str | None = None
    send_json: Any = None
    send_base64: Base64 | None = None

    @property
    def says(self) -> list[str]:
        """Which of the keys that state a message are stated."""
        return [key for key in ("send", "send_json", "send_base64") if getattr(self, key) is not None]

    @property
    def carries_text(self) -> bool:
        """Whether what is said holds `{text}`, so that it can be made longer; bytes may hold its length too, so those are not."""
        return re.search(r"(?<!\{)\{text\}(?!\})", f"{self.send}{json.dumps(self.send_json)}") is not None

    def _says_one_thing(self) -> None:
        if len(self.says) > 1:
            raise ValueError(f"expected one of send, send_json, send_base64, got {' and '.join(self.says)}")


class Step(Message):
    """One step before the first message: something is said, or waited for, or first said and then waited for.

    without_token: what is said instead where there is no token to show.
    """

    without_token: str | None = None
    wait_for: Expectation | None = None

    @property
    def shows_token(self) -> bool:
        """Whether the token stands in what it says."""
        said = base64.b64decode(self.send_base64).decode("latin-1") if self.send_base64 else ""
        return "{token}" in f"{self.send}{json.dumps(self.send_json)}{said}"

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        self._says_one_thing()
        if not self.says and self.wait_for is None:
            raise ValueError("expected send, send_json, send_base64 or wait_for, got none of them")
        if self.without_token is not None and not self.says:
            raise ValueError("expected without_token beside a message that shows a token, got it alone")
        return self


class Answer(Message):
    """What a message of the server is answered with whenever it comes, such as a heartbeat; neither is of the application."""

    to: Expectation

    @model_validator(mode="after")
    def _answers(self) -> Self:
        self._says_one_thing()
        if not self.says:
            raise ValueError("expected send, send_json or send_base64, got none of them")
        return self


class Refusal(Settings):
    """How the server says that it refuses: in which statuses and close codes beside the usual ones, or in which message.

    within_s: how long it may take to refuse somebody whom it has already connected, or even greeted. send: what is said with each
    token that is tried, where a server connects everybody and refuses at the first message; sent as it is written.
    """

    http_status: list[HttpStatus] = Field(default_factory=list)
    close_codes: list[CloseCode] = Field(default_factory=list)
    message: Expectation | None = None
    send: str | None = None
    within_s: float = Field(default=REFUSED_WITHIN_S, ge=0, le=60)

    def is_named(self, http_status: int | None, close_code: int | None) -> bool:
        """Whether a status of the upgrade or a close code says that the token was refused.

        >>> Refusal(close_codes=[4408]).is_named(101, 4408), Refusal().is_named(101, 4408), Refusal().is_named(403, None)
        (True, False, True)
        """
        return (
            http_status in REFUSED_STATUS
            or http_status in self.http_status
            or close_code in REFUSED_CODES
            or close_code in self.close_codes
        )


class Conversation(Message):
    """How one endpoint is spoken on, and the message that shows that it works.

    opening: steps before the first message; where the last one waits for something, who receives that is let in.
    answers: what is answered whenever it comes. prefix: what stands before each message of the application; what comes without it
    is of the protocol. separator: what ends a message, where a frame may hold several or a part of one. ends: the message that ends
    a reply of several; each of these is what `expect` says, and the last may be one of them. ignores: messages that are
    no reply although they bear its id, such as acknowledgements. harmless: the message changes nothing, so that it is sent also
    where `writes` is not allowed. any_path: the server does not look at the path, so that none must be refused.
    """

    subprotocols: list[str] = Field(default_factory=list)
    opening: list[Step] = Field(default_factory=list)
    answers: list[Answer] = Field(default_factory=list)
    prefix: str = ""
    separator: str = ""
    greeting: Expectation | None = None
    expect: Expectation | None = None
    ends: Expectation | None = None
    ignores: list[Expectation] = Field(default_factory=list)
    harmless: bool = False
    refusal: Refusal = Field(default_factory=Refusal)
    any_path: bool = False

    @property
    def lets_in_by_name(self) -> bool:
        """Whether the server says who is let in: the opening ends with something that it waits for."""
        return bool(self.opening) and self.opening[-1].wait_for is not None

    @model_validator(mode="after")
    def _asks_and_expects(self) -> Self:
        self._says_one_thing()
        if bool(self.says) != (self.expect is not None):
            raise ValueError("expected send and expect together; without both, delivery is not measured")
        if self.ends is not None and self.expect is None:
            raise ValueError(
                "expected expect beside ends, the messages of which a reply consists, got ends alone"
            )
        return self
