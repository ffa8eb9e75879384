"""Redaction: secrets are held without being shown and removed from text before it is written; names of people and
addresses are replaced by pseudonyms where the environment asks for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
# Shorter values would mask ordinary words.
SHORTEST = 6
# A pattern of more letters than this is too large for some engines; its first letters are enough to say that it may be near.
MOST_CHARS = 20_000
NEAR_CHARS = 8

# What stands in every run whatever it is about: a pattern that matches one of these would hide a verdict, or break the file that it is in.
OWN_WORDS = (
    "pass", "fail", "inconclusive", "error", "PASS", "FAIL", "INCONCLUSIVE", "ERROR", "HEALTHY", "BROKEN", "FIXED", "NOT FIXED",
    "id", "kind", "claim", "required", "verdict", "reason", "statement", "seen", "fix", "critical", "group", "estimate", "method",
    "threshold", "limits", "severity", "severity_at", "sensitivity", "exposure", "window", "controls", "needed", "evidence", "not_established",
    "waived", "history", "runs", "since", "days", "before_run", "earlier_run", "run_id", "phase", "age_s", "differs", "value", "low", "high", "unit", "name", "confidence", "side", "null_hypothesis", "source", "guards", "expected",
    "got", "held", "code", "caught", "tried", "judged", "n", "what", "seconds", "until", "true", "false", "null",
    "before", "rollout", "after", "0", "1", "✔", "✘", "?", "!", '"', ":", ",", "{", "[", "<", ">", "=", " ",
)  # fmt: skip

# A quotation mark, as text, JSON inside JSON and HTML write it; `<q>` in a pattern.
_QUOTE = r"(?:\\*(?:[\"']|&(?:quot|apos|#0?3[49]|#x2[27]);))"
# Names whose value is a secret, as they stand in settings, JSON, headers, arguments and queries; by the word that is in all of them.
_NAMES = {
    ("password", "passwd", "passphrase", "pwd", "secret", "credential"): r"pass(?:word|wd|phrase)|pwd|secret|credentials?",
    ("key",): r"(?:api|access|account|shared[_-]?access|private|signing|encryption|master|secret)[_-]?key(?:[_-]?id)?",
    ("token", "signature"): r"(?:access|refresh|id|auth|session|csrf|xsrf|bearer|api|bot|device|personal)[_-]?token|shared[_-]?access[_-]?signature",
}  # fmt: skip
# Tokens that say themselves what they are: each issuer's documented prefix and the characters that follow it.
_ISSUED = (
    r"gh[pousr]_[A-Za-z0-9]{20,}", r"github_pat_[A-Za-z0-9_]{20,}",  # GitHub
    r"gl(?:pat|ptt|dt|rt|cbt|oas|soat|ft|imt|agent|ffct)-[A-Za-z0-9_.=-]{16,}",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}", r"xapp-[A-Za-z0-9-]{10,}",  # Slack
    r"[sprw]k_(?:live|test)_[A-Za-z0-9]{10,}", r"whsec_[A-Za-z0-9+/=]{16,}",  # Stripe
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", r"SK[0-9a-f]{32}", r"key-[0-9a-f]{32}",  # SendGrid, Twilio, Mailgun
    r"npm_[A-Za-z0-9]{30,}", r"pypi-[A-Za-z0-9_-]{30,}", r"rubygems_[0-9a-f]{40,}", r"oy2[a-z0-9]{43}",  # package indexes
    r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}", r"do[oprt]_v1_[0-9a-f]{32,}", r"pul-[0-9a-f]{40}",  # Docker, DigitalOcean, Pulumi
    r"hv[sbr]\.[A-Za-z0-9_-]{20,}", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}",  # Vault, Terraform
    r"sk-[A-Za-z0-9_-]{20,}", r"hf_[A-Za-z0-9]{20,}", r"gsk_[A-Za-z0-9]{20,}", r"r8_[A-Za-z0-9]{20,}", r"nvapi-[A-Za-z0-9_-]{20,}",  # models
    r"AIza[A-Za-z0-9_-]{30,}", r"ya29\.[A-Za-z0-9_-]{20,}", r"1//0[A-Za-z0-9_-]{30,}", r"GOCSPX-[A-Za-z0-9_-]{20,}",  # Google
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", r"LTAI[A-Za-z0-9]{12,20}", r"dapi[0-9a-f]{32}",  # AWS, Alibaba, Databricks
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}", r"AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{60,}",  # Telegram, Firebase
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}", r"sq0[a-z]{3}-[A-Za-z0-9_-]{20,}",  # Shopify, Square
    r"gl(?:sa|c)_[A-Za-z0-9_+/=]{20,}", r"NRAK-[A-Z0-9]{20,}", r"sntry[su]_[A-Za-z0-9_+/=-]{20,}", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9]{30,}",  # Grafana, New Relic, Sentry, Doppler
    r"lin_api_[A-Za-z0-9]{20,}", r"PMAK-[A-Za-z0-9-]{20,}", r"figd_[A-Za-z0-9_-]{20,}", r"ntn_[A-Za-z0-9]{20,}", r"ATATT3[A-Za-z0-9_=-]{40,}", r"CFPAT-[A-Za-z0-9_-]{20,}",  # desks
    r"AGE-SECRET-KEY-1[A-Z0-9]{40,}",  # age
)  # fmt: skip


# Compared by identity: a rule may hold thousands of words, and caches ask for its hash at every call.
@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A format of secrets.

    words: one of these, in small letters, is in every text that the pattern matches; none: any text may match.
    near: a pattern that matches wherever the rule may, and costs little; by default, one of the words.
    Patterns are in a dialect that Python's `re` and RE2 share, so that tables of any size are scrubbed alike.
    """

    words: tuple[str, ...]
    pattern: str
    replacement: str = MASK
    near: str = ""

    def __post_init__(self) -> None:
        for name in ("pattern", "near"):
            object.__setattr__(self, name, getattr(self, name).replace("<q>", _QUOTE))

    @property
    def hint(self) -> str:
        return self.near or f"(?i:{'|'.join(map(re.escape, self.words))})"


def _named(words: tuple[str, ...], names: str) -> tuple[Rule, ...]:
    """name = value: in settings, JSON (also inside JSON), YAML, arguments, connection strings."""
    name = rf"(?i)((?:{names})<q>?\s*"
    near = rf"(?i:(?:{names})<q>?\s*[=:,])"
    return (
        Rule(words, rf"{name}[=:,]\s*)(<q>)[^\"'&]{{3,}}?(<q>)", rf"\1\2{MASK}\3", near),
        Rule(words, rf"{name}[=:]\s*<q>?)[^\s\"'&,;\\]{{{SHORTEST},}}", rf"\1{MASK}", near),
    )


def _begun(issued: str) -> str:
    """The pattern with four of the characters that end it: an engine writes out what is counted, which takes longer than to read a short log."""
    return re.sub(r"\{[0-9]+(?:,[0-9]*)?\}$", "{4}", issued)


RULES = (
    Rule(("private key-----",), r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:[^-]|-[^-]|--[^-])*(?:-----END [A-Z0-9 ]*PRIVATE KEY-----)?"),
    # A JWT or JWE, whoever issued it: dot-separated base64url parts, the first starts like a JSON object.
    Rule(("eyj",), r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*", near="eyJ"),
    Rule(("authorization",), r"(?i)(authorization<q>?\s*[:=,]\s*<q>?(?:basic|bearer|token|digest|negotiate|apikey|hmac|aws4-hmac-sha256)\s+)[^\s\"'\\,;][^\"'\\\r\n]{2,}", rf"\1{MASK}"),
    Rule(("authorization",), r"(?i)(authorization<q>?\s*[:=,]\s*<q>?)[A-Za-z0-9+/=_.~:-]{20,}", rf"\1{MASK}"),
    Rule(("bearer", "jwt."), r"(?i)(\bbearer\s+|\bjwt\.)[A-Za-z0-9._~+/=-]{16,}", rf"\1{MASK}", r"(?i:bearer\s|jwt\.)"),
    Rule(("cookie",), r"(?i)(cookie<q>?\s*[:=,]\s*<q>?)[^\s\"'\\;,=]+=[^\r\n\"'\\]{4,}", rf"\1{MASK}"),
    Rule(("sess", "sid="), r"(?i)\b((?:[a-z_.]{0,24}sess(?:ion)?[a-z_]{0,8}id|[a-z_.]{0,12}session|connect\.sid|sid)=)[^\s;,&\"'\\]{8,}", rf"\1{MASK}", r"(?i:sess[a-z_]*=|sid=)"),
    # User info in a URL: all up to the last @ before the path, since passwords hold anything.
    Rule(("://",), r"(?i)(\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@\"']*:)[^\s/\"']+(@)", rf"\1{MASK}\2", r"://[^/\s]*@"),
    Rule(("://",), r"(?i)(\b[a-z][a-z0-9+.-]{0,20}://)[^\s:/@\"']{16,}(@)", rf"\1{MASK}\2", r"://[^/\s]*@"),
    *(rule for words, names in _NAMES.items() for rule in _named(words, names)),
    Rule(("token",), r"(?i)(token<q>?\s*[=:]\s*<q>?)[A-Za-z0-9._~+/=-]{16,}", rf"\1{MASK}", r"(?i:token<q>?\s*[=:])"),
    Rule(("x-",), r"(?i)(\bx-[a-z-]{0,40}(?:token|key|secret|signature)<q>?\s*[:=,]\s*<q>?)[^\s\"'\\,;]{8,}", rf"\1{MASK}", r"(?i:x-[a-z-]*(?:token|key|secret|signature))"),
    Rule(("sig=", "key=", "code=", "auth=", "jwt=", "token=", "credential=", "signature="), r"(?i)([?&;][a-z_-]{0,24}(?:sig|key|code|auth|jwt|token|credential|signature)=)[^\s&#\"'\\]{12,}", rf"\1{MASK}"),
    Rule(("--",), r"(?i)(--(?:password|passwd|token|secret|api-?key|auth(?:-token)?)(?:=|<q>?,?\s+<q>?))[^\s\"',&-][^\s\"',&]{4,}", rf"\1{MASK}", r"(?i:--(?:password|passwd|token|secret|api-?key|auth))"),
    Rule(("-u",), r"((?:\s|<q>)(?:-u|--(?:proxy-)?user)(?:=|<q>?,?\s+)<q>?[^\s:\"'&]+:)[^\s\"'&]{3,}", rf"\1{MASK}", r"-u(?:ser)?(?:[=,\s]|<q>)"),
    # Addresses that are secrets: whoever knows them may post.
    Rule(("hooks.slack.com", "/api/webhooks/", "webhook.office.com"), r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/|webhook\.office\.com/)[^\s\"'<>]+", rf"\1{MASK}"),
    Rule(("$2", "$argon2"), r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}|\$argon2[a-z]{1,2}\$[^\s\"']{20,}", near=r"\$2[aby]\$|\$argon2"),
    Rule((), rf"\b(?:{'|'.join(_ISSUED)})", near=rf"\b(?:{'|'.join(map(_begun, _ISSUED))})"),
)  # fmt: skip


class Secret:
    """A secret value; only `reveal()` gives it.

    >>> Secret("hunter2-hunter2")
    Secret([redacted])
    >>> str(Secret("hunter2-hunter2"))
    '[redacted]'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str, *, issued: bool = False) -> None:
        """`issued`: one of many that a login gives. Such a one is remembered only where the rules do not know it by its shape."""
        self._value = value
        if value and (not issued or _scrubbed(value, RULES) != MASK):
            _KNOWN.add(value)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled; pass its reference instead")


# What this process knows beside the rules: every secret that it resolved, and what an environment asks for. Kept here and
# not handed around, since a value that one caller forgot to pass on would be written.
_KNOWN: set[str] = set()
_EXTRA: dict[str, Rule] = {}


def add_patterns(patterns: Iterable[str]) -> None:
    """Adds patterns of text to redact, for this process from now on."""
    for pattern in patterns:
        _EXTRA[pattern] = Rule((), f"(?:{pattern})", near=f"(?:{pattern})")


def rules() -> tuple[Rule, ...]:
    """The rules of redaction: known secrets of this process, known formats, and patterns of environments."""
    return (*_known_rules(frozenset(_KNOWN)), *RULES, *_EXTRA.values())


def suspect(some: tuple[Rule, ...]) -> str:
    """A pattern that matches wherever one of the rules may, to skip most text at once."""
    return "|".join(dict.fromkeys(rule.hint for rule in some))


# Compiled when a text first holds one of the words: a pattern of thousands of known secrets takes a while.
_compiled = lru_cache(maxsize=512)(re.compile)


@lru_cache(maxsize=64)
def _known_rules(values: frozenset[str]) -> tuple[Rule, ...]:
    """Rules for exactly these values, each small enough for an engine: a watch of a day logs in thousands of times."""
    written = sorted(
        {form for value in values if len(value) >= SHORTEST for form in forms(value)}, key=len, reverse=True
    )
    found: list[Rule] = []
    while written:
        size, count = 0, 0
        while count < len(written) and (count == 0 or size + len(written[count]) <= MOST_CHARS):
            size += len(written[count])
            count += 1
        some, written = written[:count], written[count:]
        # Python's search is slow for many alternatives: it looks for the plain text first.
        words = tuple(text.lower() for text in some) if all(map(str.isascii, some)) else ()
        near = "|".join(sorted({_literally(text[:NEAR_CHARS]) for text in some}))
        found.append(Rule(words, f"(?:{'|'.join(map(_literally, some))})", near=f"(?:{near})"))
    return tuple(found)


def _literally(text: str) -> str:
    """A pattern for exactly this text, in both dialects."""
    return "".join(
        letter if letter.isalnum() or ord(letter) > 127 else f"\\x{ord(letter):02x}" for letter in text
    )


def known_patterns() -> list[str]:
    """Patterns for the secrets that this process remembers, in every form in which they may be written; empty without one."""
    return [rule.pattern for rule in _known_rules(frozenset(_KNOWN))]


@lru_cache(maxsize=4096)
def forms(value: str) -> frozenset[str]:
    """A value as it is, and as URLs, JSON and base64 write it, whatever stands before it in the same base64.

    >>> "c2VjcmV0L3ZhbHVl" in forms("secret/value"), "secret%2Fvalue" in forms("secret/value")
    (True, True)
    """
    raw = value.encode("utf-8", "surrogatepass")
    written = {
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Characters at either end hold bits of the neighbours: only those between are known.
            first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            core = encode(b"\0" * before + raw + b"\0" * 3).decode()[first:last]
            if len(core) >= 8:
                written.add(core)
    return frozenset(written)


def scrub(text: str) -> str:
    """`text` without known secrets and without what looks like one (tokens, keys, cookies, passwords, credentials in URLs).

    >>> scrub("GET /ws Authorization: Bearer abcdefghijklmnopqrstuvwxyz")
    'GET /ws Authorization: Bearer [redacted]'
    >>> scrub("postgres://app:s3cr3t@db/x")
    'postgres://app:[redacted]@db/x'
    """
    return _scrubbed(text, rules())


# A notebook is saved after every cell, with all outputs so far.
@lru_cache(maxsize=512)
def _scrubbed(text: str, some: tuple[Rule, ...]) -> str:
    small = text.lower()
    for rule in some:
        if not rule.words or any(word in small for word in rule.words):
            text = _compiled(rule.pattern).sub(rule.replacement, text)
    return text


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Pseudonyms of people and addresses, the same for the same key: `user-3f9a1c`.

    patterns: what names a person, such as `user_[0-9]+`. addresses: whether IP and mail addresses are replaced too.
    """

    key: str = field(repr=False)
    patterns: tuple[str, ...] = ()
    addresses: bool = True

    def apply(self, text: str) -> str:
        """`text` with every such name replaced."""
        for kind, pattern in _kinds(self.patterns, self.addresses):
            text = pattern.sub(partial(self._name, kind), text)
        return text

    def _name(self, kind: str, found: re.Match[str]) -> str:
        value = found.group()
        if kind == "address" and value.startswith(("127.", "0.0.0.0", "::1")):
            return value
        return f"{kind}-{hmac.new(self.key.encode(), value.encode('utf-8', 'replace'), hashlib.sha256).hexdigest()[:8]}"


@lru_cache(maxsize=8)
def _kinds(patterns: tuple[str, ...], addresses: bool) -> tuple[tuple[str, re.Pattern[str]], ...]:
    mail = r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
    four = r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\d)"
    six = r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])|(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}(?![\w:])"
    found = [("user", re.compile(pattern)) for pattern in patterns]
    if addresses:
        found += [("mail", re.compile(mail)), ("address", re.compile(four)), ("address", re.compile(six))]
    return tuple(found)


_PSEUDONYMS: list[Pseudonyms] = []


def use_pseudonyms(pseudonyms: Pseudonyms | None) -> None:
    """Sets the pseudonyms of this process; None for the real names."""
    _PSEUDONYMS[:] = [pseudonyms] if pseudonyms else []


def for_others(text: str) -> str:
    """`text` as it may be sent: scrubbed, and with pseudonyms where the environment asks for them."""
    text = scrub(text)
    for pseudonyms in _PSEUDONYMS:
        text = pseudonyms.apply(text)
    return text


def in_value(value: Any, change: Callable[[str], str] = for_others) -> Any:
    """`change` applied to every string inside lists and dicts, keys included; other values come back as they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {
            change(key) if isinstance(key, str) else key: in_value(item, change)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [in_value(item, change) for item in value]
    return value


def scrub_json(text: str) -> str:
    """JSON without secrets, with the same structure: as `scrub` for each value, and for each name together with its own value.

    As a text alone, `["password", "user"]` looks like a password and `"name": "api_key", "in": "query"` like a key.

    >>> scrub_json('{"password": "hunter2-hunter2", "required": ["password", "username"]}')
    '{"password": "[redacted]", "required": ["password", "username"]}'
    """
    try:
        found = json.loads(text)
        return json.dumps(_scrubbed_value(found))
    except (ValueError, RecursionError):
        return scrub(text)


def _scrubbed_value(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_scrubbed_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {scrub(name): _scrubbed_pair(name, item) for name, item in value.items()}


def _scrubbed_pair(name: str, value: Any) -> Any:
    if isinstance(value, dict | list | bool) or value is None:
        return _scrubbed_value(value)
    alone = _scrubbed_value(value)
    pair = json.dumps({name: alone})
    return alone if scrub(pair) == pair or scrub(name) != name else MASK


class _ScrubbingStream:
    """Wraps a text stream so that a printed secret is masked before it leaves the kernel."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(scrub(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_kernel() -> None:
    """Inside a notebook kernel: mask secrets in printed text and in tracebacks. Elsewhere: nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or getattr(shell, "_proofbook_guarded", False):
        return
    sys.stdout = _ScrubbingStream(sys.stdout)
    sys.stderr = _ScrubbingStream(sys.stderr)
    show = shell._showtraceback

    def show_scrubbed(etype: Any, evalue: Any, stb: list[str]) -> None:
        show(etype, Exception(scrub(str(evalue))), [scrub(line) for line in stb])

    shell._showtraceback = show_scrubbed
    shell._proofbook_guarded = True
