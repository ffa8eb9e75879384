"""Five more systems of others, as `foreign_systems.py` has them: Action Cable, SignalR, and brokers that are silent until they are spoken to."""

from __future__ import annotations

import os
import signal
import subprocess

from foreign_systems import (
    ANYBODY,
    ENDED,
    HALTED,
    PACE,
    SERVERS,
    SERVICE,
    TOKEN,
    WITH_TOKEN,
    Found,
    Place,
    System,
    await_page,
    debian,
    free_port,
    pip,
)

A_TOKEN = 'token = { env = "A_TOKEN" }\n'


def _libraries(place: Place) -> str:
    return ":".join(str(folder) for folder in (place.installed / "usr" / "lib").glob("*-linux-gnu*"))


def _ends(place: Place, process: subprocess.Popen[bytes], word: str) -> None:
    """Breaks a process in the way that is the same for all: it stands still, or is gone."""
    if word == "halted":
        os.killpg(process.pid, signal.SIGSTOP)
    if word == "ended":
        os.killpg(process.pid, signal.SIGKILL)


# Ruby -----------------------------------------------------------------------------------------------------------------------


def _rails(place: Place, word: str) -> Found:
    usr = place.installed / "usr"
    standard = (usr / "lib").glob("**/ruby/**/3.1.0")
    gems = [
        *usr.glob("**/rubygems-integration/*/gems/*/lib"),
        *usr.glob("**/rubygems-integration/*/extensions/*/*/*"),
    ]
    # Of this gem the library lies a folder deeper.
    folders = [*standard, *usr.glob("lib/*-linux-gnu/ruby/3.1.0"), usr / "lib" / "ruby" / "vendor_ruby", *gems, *usr.glob("**/concurrent-ruby-*/lib/concurrent-ruby")]  # fmt: skip
    process = place.start(
        usr / "bin" / "ruby3.1", "-W0", SERVERS / "actioncable_app.rb", str(place.port),
        RUBYLIB=":".join(str(folder) for folder in folders), LD_LIBRARY_PATH=_libraries(place), TOKEN="" if word == "anybody" else TOKEN,
    )  # fmt: skip
    _ends(place, process, word)
    return {}


# Python ----------------------------------------------------------------------------------------------------------------------


def _signalr(place: Place, word: str) -> Found:
    process = place.start(place.installed / "bin" / "python", SERVERS / "signalr_app.py", str(place.port), TOKEN="" if word == "anybody" else TOKEN)  # fmt: skip
    _ends(place, process, word)
    return {}


# nginx with nchan ----------------------------------------------------------------------------------------------------------

NCHAN = """
load_module INSTALLED/usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off; worker_processes 1; pid HERE/nginx.pid; error_log HERE/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path HERE/body; proxy_temp_path HERE/proxy; fastcgi_temp_path HERE/fastcgi; uwsgi_temp_path HERE/uwsgi; scgi_temp_path HERE/scgi;
  server {
    listen 127.0.0.1:PORT;
    location = /health { return 200 "ok"; }
    location = /sub { nchan_subscriber; nchan_channel_id news; ASKS }
    location = /pub { nchan_publisher; nchan_channel_id news; }
    location = /who { internal; proxy_pass http://127.0.0.1:DEAD/; }
  }
}
"""


def _nchan(place: Place, word: str) -> Found:
    asks = "nchan_authorize_request /who;" if word == "who" else ""
    text = (
        NCHAN.replace("ASKS", asks)
        .replace("DEAD", str(free_port()))
        .replace("INSTALLED", str(place.installed))
    )
    process = place.start("nginx", "-c", place.write("nginx.conf", text), "-p", place.folder, "-e", place.folder / "error.log")  # fmt: skip
    await_page(f"http://127.0.0.1:{place.port}/health")
    _ends(place, process, word)
    return {}


# webdis before Redis ----------------------------------------------------------------------------------------------------------

WEBDIS = """{"redis_host": "127.0.0.1", "redis_port": REDIS, "redis_auth": null, "http_host": "127.0.0.1", "http_port": PORT, "threads": 2,
"daemonize": false, "websockets": true, "database": 0, "verbosity": 2, "logfile": "HERE/webdis.log"}"""


def _webdis(place: Place, word: str) -> Found:
    usr, redis = place.installed / "usr", free_port()
    libraries = _libraries(place)
    behind = place.start(usr / "bin" / "redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--save", "", port=redis, LD_LIBRARY_PATH=libraries)  # fmt: skip
    process = place.start(usr / "bin" / "webdis", place.write("webdis.json", WEBDIS.replace("REDIS", str(redis))), LD_LIBRARY_PATH=libraries)  # fmt: skip
    await_page(f"http://127.0.0.1:{place.port}/PING")
    _ends(place, behind if word == "ended" else process, word)
    return {}


# XMPP over WebSocket ------------------------------------------------------------------------------------------------------------

PROSODY = """
pidfile = "HERE/prosody.pid"
data_path = "HERE"
daemonize = false
admins = { }
modules_enabled = { "saslauth", "disco", "websocket", "ping" }
modules_disabled = { "s2s" }
c2s_ports = { }
run_as_root = true
http_ports = { PORT }
http_interfaces = { "127.0.0.1" }
https_ports = { }
consider_websocket_secure = true
authentication = "internal_hashed"
log = { info = "HERE/prosody.log" }
VirtualHost "localhost"
"""


def _prosody(place: Place, word: str) -> Found:
    usr = place.installed / "usr"
    program = (
        (usr / "bin" / "prosody")
        .read_text()
        .replace("'/usr/lib/", f"'{usr}/lib/")
        .replace("/etc/prosody", str(place.folder))
    )
    (compiled,) = (usr / "lib").glob("*-linux-gnu/lua/5.4")
    process = place.start(
        usr / "bin" / "lua5.4", place.write("prosody.lua", program), "--config", place.write("prosody.cfg.lua", PROSODY), "-F",
        LUA_PATH=f"{usr}/share/lua/5.4/?.lua;{usr}/share/lua/5.4/?/init.lua;;", LUA_CPATH=f"{compiled}/?.so;;",
        LD_LIBRARY_PATH=_libraries(place),
    )  # fmt: skip
    _ends(place, process, word)
    return {}


# The systems ----------------------------------------------------------------------------------------------------------

MORE: tuple[System, ...] = (
    System(
        name="Action Cable 6.1 under puma", source="rails",
        get=debian(
            "ruby-actioncable", "ruby-actionpack", "ruby-actionview", "ruby-activesupport", "ruby-builder", "ruby-concurrent", "ruby-crass",
            "ruby-erubi", "ruby-i18n", "ruby-loofah", "ruby-nio4r", "ruby-nokogiri", "ruby-rack", "ruby-rack-test", "ruby-rails-dom-testing",
            "ruby-rails-html-sanitizer", "ruby-tzinfo", "ruby-websocket-driver", "ruby-websocket-extensions", "ruby-zeitwerk", "puma", "ruby3.1",
            "libruby3.1", "rubygems-integration", "ruby-minitest", "racc", "rake", "libyaml-0-2", "tzdata", "libxslt1.1",
        ),
        start=_rails, options=("--ws", "/cable", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "halted": HALTED},
        environment=PACE + SERVICE + 'health = "/up"\n' + A_TOKEN + """[service.ws]
path = "/cable"
dialect = "action-cable"
headers = { Origin = "http://127.0.0.1:PORT" }
send_json = { command = "subscribe", identifier = '{"channel":"NewsChannel","id":"{id}"}' }
expect = { json = { type = "confirm_subscription", identifier = '{"channel":"NewsChannel","id":"{id}"}' } }
harmless = true
""",
    ),
    System(
        name="SignalR (aiosignalr)", source="signalr", get=pip("aiosignalr", "uvicorn"), start=_signalr,
        options=("--ws", "/hub", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "halted": HALTED},
        environment=PACE + SERVICE + A_TOKEN + 'ws = { path = "/hub", dialect = "signalr" }\n',
    ),
    System(
        name="nchan in nginx", source="nchan", get=debian("libnginx-mod-nchan"), start=_nchan,
        options=("--ws", "/sub"),
        broken={"who": "what says who may subscribe is gone", "halted": HALTED},
        environment=PACE + SERVICE + 'ws = { path = "/sub" }\n',
    ),
    System(
        name="webdis before Redis 7", source="webdis",
        get=debian("webdis", "libb64-0d", "libhiredis0.14", "redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libevent-2.1-7", "liblua5.1-0"),
        start=_webdis, page="/PING", options=("--ws", "/.json"),
        broken={"ended": "the Redis behind it ended", "halted": HALTED},
        environment=PACE + SERVICE + """health = "/PING"
health_expect = { json = { "PING[1]" = "PONG" } }
[service.ws]
path = "/.json"
any_path = true
headers = { Origin = "http://127.0.0.1:PORT" }
send_json = ["ECHO", "{id} {text}"]
expect = { json = { ECHO = "{id} {text}" } }
harmless = true
""",
    ),
    System(
        name="Prosody 0.12 (XMPP)", source="prosody",
        get=debian("prosody", "lua-expat", "lua-filesystem", "lua5.4", "liblua5.4-0", "lua-bitop", "lua-socket", "lua-sec"),
        start=_prosody, options=("--ws", "/xmpp-websocket", "--subprotocol", "xmpp"),
        broken={"halted": HALTED, "ended": ENDED},
        environment=PACE + SERVICE + """health = ""
[service.ws]
path = "/xmpp-websocket"
subprotocols = ["xmpp"]
opening = [{ send = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" version="1.0"/>', wait_for = { regex = "<mechanism>" } }]
""",
    ),
)  # fmt: skip
