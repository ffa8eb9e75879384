"""Hostile strings and made-up secrets, for tests of whatever is written. None of these secrets was ever valid."""

from __future__ import annotations

import base64
import json
import random
import string

HOSTILE = {
    "script": "<script>window.broken = 1</script>",
    "image": "<img src=x onerror='window.broken = 2'>",
    "svg": "<svg onload=window.broken=3><animate onbegin=window.broken=4></svg>",
    "closing script": "</script><script>window.broken = 5</script>",
    "comment": "<!-- <script> --!> <!--",
    "link": "[click](javascript:window.broken=6) <a href='javascript:window.broken=7'>click</a>",
    "style": "</style><style>body{display:none}</style>",
    "frame": "<iframe srcdoc='<script>parent.broken=8</script>'></iframe>",
    "base": "<base href='https://example.com/'><meta http-equiv=refresh content='0;url=https://example.com'>",
    "attribute": '" onmouseover="window.broken=9" x=\'',
    "entity": "&lt;script&gt;window.broken=10&lt;/script&gt; &amp; &#x3c;",
    "right to left": "user\u202egnp.exe \u2067\u2066",
    "emoji": "🔥👩‍👩‍👧‍👦 ✔ pass",
    "lone surrogate": "cut \ud83d here",
    "controls": "\x1b[31mred\x1b[0m \x00 \x07 \x0b",
    "template": "{{ 7*7 }} ${7*7} {% raw %}",
    "plotly": "<b>bold</b><a href='javascript:window.broken=11'>x</a>",
    "markdown": "|a|b|\n|--|--|\n# heading `code` **bold** @everyone #1 <details>",
    "long": "x" * 200_000,
}


def _letters(alphabet: str, count: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=count))


_WORD = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_SMALL = string.ascii_lowercase + string.digits
_BIG = string.ascii_uppercase + string.digits


def _part(data: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


def secrets() -> dict[str, tuple[str, str]]:
    """By name: (text as it would be met, the secret in it). Put together here, so that no scanner takes them for real ones."""
    shapes = {
        "github personal": ("gh" + "p_", _WORD, 36), "github oauth": ("gh" + "o_", _WORD, 36), "github app": ("gh" + "s_", _WORD, 36),
        "github fine-grained": ("github" + "_pat_", _WORD + "_", 82), "gitlab personal": ("gl" + "pat-", _WORD, 20), "gitlab runner": ("gl" + "rt-", _WORD, 20),
        "slack bot": ("xo" + "xb-", string.digits + "-" + string.ascii_letters, 50), "slack user": ("xo" + "xp-", _WORD, 60), "slack app": ("xa" + "pp-", _WORD, 60),
        "stripe live": ("sk" + "_live_", _WORD, 24), "stripe restricted": ("rk" + "_live_", _WORD, 24), "stripe webhook": ("wh" + "sec_", _WORD, 32),
        "twilio": ("S" + "K", _HEX, 32), "mailgun": ("ke" + "y-", _HEX, 32), "npm": ("np" + "m_", _WORD, 36), "pypi": ("pyp" + "i-", _WORD, 90), "rubygems": ("ruby" + "gems_", _HEX, 48),
        "nuget": ("o" + "y2", _SMALL, 43), "docker": ("dckr" + "_pat_", _WORD, 27), "digitalocean": ("do" + "p_v1_", _HEX, 64), "pulumi": ("pu" + "l-", _HEX, 40),
        "vault": ("hv" + "s.", _WORD, 90), "openai": ("s" + "k-proj-", _WORD, 48), "anthropic": ("s" + "k-ant-", _WORD, 90), "hugging face": ("h" + "f_", _WORD, 34), "groq": ("gs" + "k_", _WORD, 52),
        "google api": ("AI" + "za", _WORD, 35), "google oauth": ("ya" + "29.", _WORD, 60), "google refresh": ("1/" + "/0", _WORD, 60), "google client": ("GOC" + "SPX-", _WORD, 28),
        "aws key id": ("AK" + "IA", _BIG, 16), "aws temporary": ("AS" + "IA", _BIG, 16), "alibaba": ("LT" + "AI", _WORD, 20), "databricks": ("da" + "pi", _HEX, 32), "telegram": ("123456789:" + "AA", _WORD, 33),
        "shopify": ("shp" + "at_", _HEX, 32), "square": ("sq0" + "csp-", _WORD, 43), "grafana": ("gl" + "sa_", _WORD, 32), "new relic": ("NR" + "AK-", _BIG, 27), "sentry": ("sntr" + "ys_", _WORD, 60),
        "doppler": ("dp" + ".pt.", _WORD, 43), "linear": ("lin" + "_api_", _WORD, 40), "postman": ("PM" + "AK-", _HEX, 59), "figma": ("fi" + "gd_", _WORD, 40), "atlassian": ("ATA" + "TT3", _WORD, 186), "age": ("AGE-SECRET-" + "KEY-1", _BIG, 58),
        "terraform": (_letters(_WORD, 14, 7) + ".atlas" + "v1.", _WORD, 60), "sendgrid": ("S" + "G." + _letters(_WORD, 22, 8) + ".", _WORD, 43),
    }  # fmt: skip
    found = {
        name: (made, made)
        for seed, (name, (prefix, alphabet, count)) in enumerate(shapes.items())
        for made in [prefix + _letters(alphabet, count, seed)]
    }
    jwt = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part({'sub': 'user_1', 'exp': 1})}.{_letters(_WORD, 43, 90)}"
    pem = (
        "-----BEGIN "
        + "PRIVATE KEY-----\n"
        + _letters(_WORD + "+/", 64, 91)
        + "\n-----END "
        + "PRIVATE KEY-----"
    )
    plain = "corr3ct-h0rse-" + _letters(_SMALL, 8, 92)
    found |= {
        "jwt": (jwt, jwt), "jwt in subprotocol": (f"Sec-WebSocket-Protocol: jwt.{jwt}", jwt), "jwe": (".".join([jwt, *jwt.split(".")[1:]]), jwt.split(".")[2]),
        "private key": (pem, pem.splitlines()[1]), "private key in json": (json.dumps({"private_key": pem}), pem.splitlines()[1]), "private key cut": (pem[:70], pem[28:70].strip()),
        "bearer": (f"Authorization: Bearer {plain}{plain}", plain), "basic": (f"Authorization: Basic {base64.b64encode(plain.encode()).decode()}", base64.b64encode(plain.encode()).decode()), "header tuple": (f"('authorization', 'Bearer {plain}')", plain),
        "cookie": (f"Cookie: theme=dark; sid={plain}", plain), "set-cookie": (f"set-cookie: session={plain}; HttpOnly", plain), "session id": (f"GET /?JSESSIONID={plain}", plain),
        "password in url": (f"postgres://app:{plain}@db:5432/x", plain), "password with @": (f"redis://:p@{plain}@cache/0", plain), "token in url": (f"https://{plain}{plain}@example.com/x.git", plain),
        "password": (f"password={plain}", plain), "environment": (f"DB_PASSWORD={plain}", plain), "yaml": (f"client_secret: {plain}", plain), "json": (json.dumps({"apiKey": plain}), plain), "json in json": (json.dumps({"body": json.dumps({"password": f"{plain} and more"})}), plain),
        "json in json in json": (json.dumps(json.dumps(json.dumps({"password": f"{plain} and more"}))), plain), "python repr": (repr({"secret": plain}), plain), "toml": (f'access_token = "{plain}"', plain), "connection string": (f"AccountName=x;AccountKey={plain}==;EndpointSuffix=y", plain), "odbc": (f"Driver=x;Uid=app;Pwd={plain};", plain),
        "query token": (f"wss://example.com/ws?token={plain}&x=1", plain), "signed url": (f"https://example.com/o?X-Amz-Signature={plain}{plain}", plain), "sas": (f"https://example.com/b?sv=1&sig={plain}%3D", plain), "oauth code": (f"/callback?code={plain}&state=1", plain),
        "argument": (f"client --password {plain} --verbose", plain), "argument list": (f"['client', '--token', '{plain}']", plain), "curl": (f"curl -u app:{plain} https://example.com", plain), "curl on two lines": (f"curl https://example.com \\\n-u app:{plain}", plain), "curl user": (f"curl --user app:{plain} -v", plain), "proxy user": (f"curl --proxy-user=app:{plain}", plain), "curl as a list": (f"['curl', '-u', 'app:{plain}']", plain), "curl in json": (json.dumps(["curl", "--user", f"app:{plain}"]), plain), "header": (f"X-Api-Key: {plain}", plain), "vault header": (f"'X-Vault-Token': '{plain}'", plain),
        "slack webhook": (f"https://hooks.slack.com/services/T0/B0/{plain}", plain), "discord webhook": (f"https://discord.com/api/webhooks/1/{plain}", plain), "bcrypt": ("$2b$12$" + _letters(_WORD + "./", 53, 93), _letters(_WORD + "./", 53, 93)),
    }  # fmt: skip
    return found
