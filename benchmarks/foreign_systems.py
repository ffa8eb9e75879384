"""Eighteen systems of others: how each is installed and started, what its manual tells, two ways to break it, and the two short files.

Nothing is installed into the system or this environment: each finds its place in a folder of its own, from PyPI, npm or Debian.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SERVERS = Path(__file__).parent.parent / "tests" / "servers"
TOKEN = "good-token-of-a-user"
STARTS_WITHIN_S = 300.0
NOT_AWAITED = -1


@dataclass(slots=True, kw_only=True)
class Place:
    """Where one system runs once: its ports, its files, and its processes, which end with it.

    others: numbers of processes that its own started, in sessions of their own.
    """

    installed: Path
    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    others: list[int] = field(default_factory=list)

    def start(self, *words: str | Path, port: int = 0, **variables: str) -> subprocess.Popen[bytes]:
        """Starts a program and waits until it listens; its own port where none is named."""
        with (self.folder / f"{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(word) for word in words], cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "HOME": str(self.folder), "PYTHONPATH": "", **variables},
            )  # fmt: skip
        self.processes.append(process)
        if port != NOT_AWAITED:
            await_port(port or self.port, process)
        return process

    def write(self, name: str, text: str) -> Path:
        """A file of the system, with its port and folder filled in."""
        file = self.folder / name
        file.write_text(text.replace("PORT", str(self.port)).replace("HERE", str(self.folder)))
        return file

    def end(self) -> None:
        """Ends every process that was started here, those that are stopped too."""
        for process in self.processes:
            for sign in (signal.SIGCONT, signal.SIGKILL):
                try:
                    os.killpg(process.pid, sign)
                except ProcessLookupError:
                    break
            process.wait()
        for number in self.others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


# What is filled into options and files beside the port, such as the id of a kernel.
Found = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One system.

    get: installs it into a folder. start: starts it, well where the word is empty, else broken in the way that the word names;
    gives what the manual tells to look up. page: of the address that is tried, where the manual names one. options: of `proofbook try`
    behind the address. broken: what each word means.
    """

    name: str
    source: str
    get: Callable[[Path], None]
    start: Callable[[Place, str], Found]
    broken: Mapping[str, str]
    environment: str
    page: str = ""
    options: tuple[str, ...] = ()
    case: str = 'title = "Is it well?"\n[targets]\nhealth = 0.95\nconnection = 0.95\nauthentication = 0.95\ndelivery = 0.95\n'


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until somebody listens on a port; fails where the process ended before."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on {port}")


def await_page(url: str, status: int = 200) -> None:
    """Waits until a page answers with a status."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                got = answer.status
        except urllib.error.HTTPError as error:
            got = error.code
        except OSError:
            got = 0
        if got == status:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer {status}")


def await_silence(url: str) -> None:
    """Waits until a page answers no longer."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            pass
        except OSError:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} answers all the time")


# Installing ---------------------------------------------------------------------------------------------------------------


def pip(*packages: str) -> Callable[[Path], None]:
    """Installs packages of PyPI into an environment of its own."""

    def get(folder: Path) -> None:
        venv.create(folder, with_pip=True)
        _run(folder / "bin" / "pip", "install", "--quiet", *packages)

    return get


def npm(*packages: str) -> Callable[[Path], None]:
    """Installs packages of npm into a folder."""
    return lambda folder: _run("npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", folder, *packages)  # fmt: skip


def debian(*packages: str) -> Callable[[Path], None]:
    """Unpacks packages of Debian into a folder; nothing of them is set up."""

    def get(folder: Path) -> None:
        folder.mkdir(parents=True)
        _run("apt-get", "download", *packages, cwd=folder)
        for file in folder.glob("*.deb"):
            _run("dpkg", "-x", file, folder)

    return get


def _run(*words: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([str(word) for word in words], cwd=cwd, check=True, stdout=subprocess.DEVNULL)


# Starting -----------------------------------------------------------------------------------------------------------------


def _stops(process: subprocess.Popen[bytes], word: str) -> None:
    """Halts a process where that is the way to break it: it listens still, and does nothing."""
    if word == "halted":
        process.send_signal(signal.SIGSTOP)


def _token(word: str) -> str:
    return "" if word == "anybody" else TOKEN


def _own_application(file: str) -> Callable[[Place, str], Found]:
    def start(place: Place, word: str) -> Found:
        variables = {"TOKEN": _token(word), **({"BROKEN": "1"} if word in ("raises", "ill") else {})}
        process = place.start(place.installed / "bin" / "python", SERVERS / file, str(place.port), port=0, **variables)  # fmt: skip
        _stops(process, word)
        return {}

    return start


def _node(name: str) -> Callable[[Place, str], Found]:
    def start(place: Place, word: str) -> Found:
        variables = {"NODE_PATH": str(place.installed / "node_modules"), "TOKEN": _token(word)}
        silent = {"SILENT": "1"} if word == "silent" else {}
        process = place.start(
            "node", SERVERS / f"node_{name}.js", str(place.port), port=0, **variables, **silent
        )
        _stops(process, word)
        return {}

    return start


def _jupyter(place: Place, word: str) -> Found:
    words = ["lab", "--no-browser", "--ip=127.0.0.1", f"--port={place.port}", "--allow-root", f"--ServerApp.root_dir={place.folder}"]  # fmt: skip
    # Without a token it wants a cookie of its pages instead, to start a kernel.
    words += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"] if word == "anybody" else []  # fmt: skip
    programs = place.installed / "bin"
    place.start(programs / "jupyter", *words, JUPYTER_TOKEN=_token(word), PATH=f"{programs}:{os.environ['PATH']}")  # fmt: skip
    where = f"http://127.0.0.1:{place.port}/api/kernels"
    asked = urllib.request.Request(where, method="POST", headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=120) as answer:
        kernel = json.load(answer)["id"]
    # The program that was given the connection file of this kernel; it is in a session of its own.
    place.others += [number for number, words in _running() if f"kernel-{kernel}.json" in words]
    for number in place.others if word == "kernel" else []:
        os.kill(number, signal.SIGSTOP)
    return {"KERNEL": kernel}


def _running() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(folder.name), (folder / "cmdline").read_text(errors="replace")


NATS = 'port: -1\nwebsocket { port: PORT, host: "127.0.0.1", no_tls: true }\n'


def _nats(place: Place, word: str) -> Found:
    guarded = "" if word == "anybody" else f'authorization {{ token: "{TOKEN}" }}\n'
    program = place.installed / "usr" / "sbin" / "nats-server"
    _stops(place.start(program, "-c", place.write("nats.conf", NATS + guarded)), word)
    return {}


def _mosquitto(place: Place, word: str) -> Found:
    other = free_port()
    guarded = "allow_anonymous true\n" if word == "anybody" else "allow_anonymous false\npassword_file HERE/passwords\n"  # fmt: skip
    # This version does not start with a WebSocket alone.
    settings = f"user root\nlistener {other} 127.0.0.1\nlistener PORT 127.0.0.1\nprotocol websockets\n"
    usr = place.installed / "usr"
    libraries = ":".join(str(folder) for folder in (usr / "lib").glob("*-linux-gnu*"))
    subprocess.run(
        [str(usr / "bin" / "mosquitto_passwd"), "-b", "-c", "passwords", "proofbook", TOKEN],
        cwd=place.folder, check=True, env={**os.environ, "LD_LIBRARY_PATH": libraries},
    )  # fmt: skip
    process = place.start(usr / "sbin" / "mosquitto", "-c", place.write("mosquitto.conf", settings + guarded), LD_LIBRARY_PATH=libraries)  # fmt: skip
    _stops(process, word)
    return {}


def _websockify(place: Place, word: str) -> Found:
    target = free_port()
    if word != "gone":
        screen = place.start(sys.executable, SERVERS / "rfb_like.py", str(target), port=target)
        _stops(screen, "halted" if word == "screen" else "")
    program = place.installed / "bin" / "websockify"
    _stops(place.start(program, f"127.0.0.1:{place.port}", f"127.0.0.1:{target}"), word)
    return {}


NODE_RED = """
module.exports = {
  uiHost: "127.0.0.1", uiPort: PORT, userDir: "HERE", logging: { console: { level: "info" } },
  ADMIN
};
"""
# A flow that never lets go of the only thread, as a function with a mistake does.
ENDLESS = [
    {"id": "a1", "type": "tab", "label": "flow"},
    {"id": "a2", "z": "a1", "type": "inject", "once": True, "onceDelay": 5, "repeat": "", "props": [], "wires": [["a3"]]},
    {"id": "a3", "z": "a1", "type": "function", "func": "while (true) {}", "outputs": 1, "wires": [[]]},
]  # fmt: skip


def _node_red(place: Place, word: str) -> Found:
    program = place.installed / "node_modules" / "node-red"
    made = "console.log(require('bcryptjs').hashSync(process.argv[1], 4))"
    words = ["node", "-e", made, TOKEN]
    done = subprocess.run(words, cwd=program, capture_output=True, text=True, check=True)
    user = f'{{ username: "admin", password: "{done.stdout.strip()}", permissions: "*" }}'
    admin = f'adminAuth: {{ type: "credentials", users: [{user}] }},'
    place.write("settings.js", NODE_RED.replace("ADMIN", admin))
    place.write("flows.json", json.dumps(ENDLESS if word == "endless" else []))
    process = place.start(
        "node", program / "red.js", "-s", place.folder / "settings.js", place.folder / "flows.json"
    )
    here = f"http://127.0.0.1:{place.port}"
    await_page(f"{here}/settings", 401)
    # How its manual says that one gets a token.
    asked = {"client_id": "node-red-admin", "grant_type": "password", "scope": "*", "username": "admin", "password": TOKEN}  # fmt: skip
    with urllib.request.urlopen(
        f"{here}/auth/token", urllib.parse.urlencode(asked).encode(), timeout=60
    ) as answer:
        token = json.load(answer)["access_token"]
    if word == "endless":
        await_silence(f"{here}/settings")
    if word == "ended":
        process.kill()
    return {"SECRET": token}


def _prometheus(place: Place, word: str) -> Found:
    file = place.write("prometheus.yml", 'scrape_configs:\n- job_name: self\n  static_configs: [{targets: ["127.0.0.1:PORT"]}]\n')  # fmt: skip
    program = place.installed / "usr" / "bin" / "prometheus"
    process = place.start(program, f"--config.file={file}", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{place.port}")  # fmt: skip
    await_page(f"http://127.0.0.1:{place.port}/-/ready")
    _stops(process, word)
    if word == "ended":
        process.kill()
    return {}


def _etcd(place: Place, word: str) -> Found:
    names = "abc" if word == "quorum" else "a"
    clients = [place.port, *(free_port() for _ in names[1:])]
    peers = [f"http://127.0.0.1:{free_port()}" for _ in names]
    members = ",".join(f"{name}={peer}" for name, peer in zip(names, peers, strict=True))
    program = place.installed / "usr" / "bin" / "etcd"
    processes = []
    for name, client, peer in zip(names, clients, peers, strict=True):
        here = f"http://127.0.0.1:{client}"
        stated = {
            "name": name,
            "data-dir": name,
            "listen-client-urls": here,
            "advertise-client-urls": here,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": members,
        }
        # Clients are served as soon as there is a leader, so only the last one is waited for.
        words = [str(program), *(f"--{key}={value}" for key, value in stated.items())]
        processes.append(place.start(*words, port=client if name == names[-1] else NOT_AWAITED))
    await_page(f"http://127.0.0.1:{place.port}/health")
    for other in processes[1:]:
        other.kill()
    if word == "quorum":
        await_page(f"http://127.0.0.1:{place.port}/health", 503)
    _stops(processes[0], word)
    return {}


HOME_ASSISTANT = """
homeassistant:
http:
  server_host: 127.0.0.1
  server_port: PORT
api:
"""
PASSWORD = "a-password-of-the-house"


def _home_assistant(place: Place, word: str) -> Found:
    place.write("configuration.yaml", HOME_ASSISTANT)
    python, here = place.installed / "bin" / "python", f"http://127.0.0.1:{place.port}"
    hass, config = [str(python), "-m", "homeassistant"], ["-c", str(place.folder)]
    adds = [*hass, "--script", "auth", *config, "add", "admin", PASSWORD]
    subprocess.run(adds, check=True, stdout=subprocess.DEVNULL)
    process = place.start(*hass, *config)
    await_page(f"{here}/api/", 401)
    flow = _posted(f"{here}/auth/login_flow", {"client_id": f"{here}/", "handler": ["homeassistant", None], "redirect_uri": f"{here}/"})  # fmt: skip
    login = _posted(f"{here}/auth/login_flow/{flow['flow_id']}", {"client_id": f"{here}/", "username": "admin", "password": PASSWORD})  # fmt: skip
    asked = {"client_id": f"{here}/", "grant_type": "authorization_code", "code": login["result"]}
    token = _posted(f"{here}/auth/token", urllib.parse.urlencode(asked).encode())["access_token"]
    _stops(process, word)
    if word == "ended":
        process.kill()
    return {"SECRET": token}


def _posted(url: str, body: object) -> dict[str, str]:
    """What a server answers to JSON, or to a form in bytes."""
    is_form = isinstance(body, bytes)
    kind = "application/x-www-form-urlencoded" if is_form else "application/json"
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, said, headers={"Content-Type": kind})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        told: dict[str, str] = json.load(answer)
        return told


def _synapse(place: Place, word: str) -> Found:
    python = place.installed / "bin" / "python"
    words = [str(python), "-m", "synapse.app.homeserver", "--config-path", "homeserver.yaml"]
    made = ["--generate-config", "--server-name", "localhost", "--report-stats=no"]
    subprocess.run([*words, *made], cwd=place.folder, check=True, capture_output=True)
    file = place.folder / "homeserver.yaml"
    file.write_text(file.read_text().replace("port: 8008", f"port: {place.port}"))
    process = place.start(*words)
    await_page(f"http://127.0.0.1:{place.port}/health")
    _stops(process, word)
    if word == "ended":
        process.kill()
    return {}


def _ganache(place: Place, word: str) -> Found:
    program = place.installed / "node_modules" / "ganache" / "dist" / "node" / "cli.js"
    process = place.start("node", program, "--server.host=127.0.0.1", f"--server.port={place.port}", "--wallet.totalAccounts=1")  # fmt: skip
    _stops(process, word)
    if word == "ended":
        process.kill()
    return {}


INFLUXDB = """
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "HERE/meta"
[data]
  dir = "HERE/data"
  wal-dir = "HERE/wal"
[http]
  bind-address = "127.0.0.1:PORT"
"""


def _influxdb(place: Place, word: str) -> Found:
    file = place.write("influxdb.conf", INFLUXDB)
    process = place.start(place.installed / "usr" / "bin" / "influxd", "-config", file)
    await_page(f"http://127.0.0.1:{place.port}/ping", 204)
    _stops(process, word)
    if word == "ended":
        process.kill()
    return {}


# The systems --------------------------------------------------------------------------------------------------------------

PACE = "[pace]\nper_s = 50\nconcurrency = 10\ntimeout_s = 5\n"
SERVICE = '[[service]]\nname = "it"\nurl = "http://127.0.0.1:PORT"\n'
A_TOKEN = 'token = { env = "A_TOKEN" }\n'
WITH_TOKEN = ("--token-env", "A_TOKEN")
ECHO = """[service.ws]
path = "PATH"
send_json = { id = "{id}", text = "{text}" }
expect = { json = { id = "{id}", text = "{text}" } }
harmless = true
"""
ANYBODY = "any token is let in"
ENDED = "the process ended"
HALTED = "the process is stopped (SIGSTOP)"
PYTHON = pip("litestar", "uvicorn[standard]", "channels", "daphne", "websockify", "jupyterlab")
SPOKEN = npm("ws@8", "aedes@1", "stomp-broker-js@1", "ganache@7")
NODE = npm("ws@8", "socket.io@4", "graphql@16", "graphql-ws@6")

SYSTEMS = (
    System(
        name="Litestar 2 under uvicorn", source="python", get=PYTHON, start=_own_application("litestar_app.py"),
        options=("--ws", "/ws", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "raises": "the handler of the WebSocket raises"},
        environment=PACE + SERVICE + A_TOKEN + ECHO.replace("PATH", "/ws"),
    ),
    System(
        name="JupyterLab 4", source="python", get=PYTHON, start=_jupyter,
        options=("--ws", "/api/kernels/KERNEL/channels", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "kernel": "the kernel is stopped (SIGSTOP)"},
        environment=PACE + SERVICE + 'health = "/api"\n' + A_TOKEN + 'ws = { path = "/api/kernels/KERNEL/channels", dialect = "jupyter" }\n',
    ),
    System(
        name="NATS 2.9", source="nats", get=debian("nats-server"), start=_nats,
        options=("--ws", "/", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "halted": HALTED},
        environment=PACE + SERVICE + 'health = ""\n' + A_TOKEN + 'ws = { path = "/", dialect = "nats" }\n',
    ),
    System(
        name="graphql-ws 6", source="node", get=NODE, start=_node("graphql"),
        options=("--ws", "/graphql", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "silent": "no operation is executed"},
        environment=PACE + SERVICE + A_TOKEN + 'ws = { path = "/graphql", dialect = "graphql-transport-ws" }\n',
    ),
    System(
        name="Socket.IO 4", source="node", get=NODE, start=_node("socketio"),
        options=("--ws", "/socket.io/", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "halted": HALTED},
        environment="writes = true\n" + PACE + SERVICE + A_TOKEN + """[service.ws]
path = "/socket.io/"
dialect = "socket-io"
send_json = ["say", { id = "{id}", text = "{text}" }]
expect = { json = { "[0]" = "said", "[1].id" = "{id}", "[1].text" = "{text}" } }
""",
    ),
    System(
        name="Django Channels under daphne", source="python", get=PYTHON, start=_own_application("channels_app.py"),
        options=("--ws", "/ws/chat/", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "raises": "the consumer raises when somebody connects"},
        environment=PACE + SERVICE + A_TOKEN + ECHO.replace("PATH", "/ws/chat/") + 'headers = { Origin = "http://127.0.0.1:PORT" }\ngreeting = { json = { type = "welcome" } }\n',
    ),
    System(
        name="websockify before a VNC server", source="python", get=PYTHON, start=_websockify,
        options=("--ws", "/websockify", "--subprotocol", "binary"),
        broken={"gone": "nothing listens behind it", "halted": HALTED, "screen": "what is behind it is stopped (SIGSTOP)"},
        environment=PACE + SERVICE + 'health = ""\n[service.ws]\npath = "/websockify"\nsubprotocols = ["binary"]\nany_path = true\ngreeting = { regex = "^RFB 003" }\n',
    ),
    System(
        name="Mosquitto 2.0", source="mosquitto",
        get=debian("mosquitto", "libmosquitto1", "libwebsockets17", "libcjson1", "libdlt2", "libev4", "libuv1"),
        start=_mosquitto,
        options=("--ws", "/mqtt", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "halted": HALTED},
        environment=PACE + SERVICE + 'health = ""\n' + A_TOKEN + 'ws = { path = "/mqtt", dialect = "mqtt" }\n',
    ),
    System(
        name="Node-RED 4", source="node-red", get=npm("node-red@4"), start=_node_red,
        options=("--ws", "/comms", *WITH_TOKEN),
        broken={"ended": ENDED, "endless": "a function of a flow never ends"},
        environment=PACE
        + SERVICE
        + 'health = "/settings"\nheaders = { Authorization = { env = "BEARER" } }\n'
        + A_TOKEN
        + 'ws = { path = "/comms", dialect = "node-red" }\n',
    ),
    System(
        name="Home Assistant 2024.3",
        source="ha",
        # Newer ones of josepy lack what its certificate client asks of it.
        get=pip("homeassistant", "josepy<2"),
        start=_home_assistant,
        options=("--ws", "/api/websocket", *WITH_TOKEN),
        broken={"halted": HALTED, "ended": ENDED},
        environment=PACE
        + SERVICE
        + 'health = "/api/"\nhealth_expect = { json = { message = "API running." } }\nheaders = { Authorization = { env = "BEARER" } }\n'
        + A_TOKEN
        + 'ws = { path = "/api/websocket", dialect = "home-assistant" }\n',
    ),
    System(
        name="Prometheus 2.42", source="prometheus", get=debian("prometheus"), start=_prometheus,
        broken={"halted": HALTED, "ended": ENDED},
        environment=PACE + SERVICE + 'health = "/-/healthy"\nmetrics = "/metrics"\n',
    ),
    System(
        name="etcd 3.4", source="etcd", get=debian("etcd-server"), start=_etcd,
        broken={"quorum": "two of its three members are gone", "halted": HALTED},
        environment=PACE + SERVICE + 'health_expect = { json = { health = "true" } }\n',
    ),
    System(
        name="Matrix Synapse",
        source="synapse",
        get=pip("matrix-synapse"),
        start=_synapse,
        broken={"halted": HALTED, "ended": ENDED},
        environment=PACE + SERVICE + 'timed = ["/_matrix/client/versions"]\n',
    ),
    System(
        name="gRPC with its health service", source="grpc", get=pip("grpcio", "grpcio-health-checking"),
        start=_own_application("grpc_app.py"),
        broken={"ill": "it says NOT_SERVING", "halted": HALTED},
        environment=PACE + SERVICE + 'health = "/grpc.health.v1.Health/Check"\nhealth_method = "gRPC"\nhealth_body = { service = "chat.Threads" }\n',
    ),
    System(
        name="a STOMP broker of npm", source="spoken", get=SPOKEN, start=_node("stomp"),
        options=("--ws", "/stomp", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "halted": HALTED},
        environment=PACE + SERVICE + A_TOKEN + 'ws = { path = "/stomp", dialect = "stomp" }\n',
    ),
    System(
        name="aedes, an MQTT broker of npm", source="spoken", get=SPOKEN, start=_node("aedes"),
        options=("--ws", "/mqtt", *WITH_TOKEN),
        broken={"anybody": ANYBODY, "halted": HALTED},
        environment=PACE + SERVICE + 'health = ""\n' + A_TOKEN + 'ws = { path = "/mqtt", dialect = "mqtt" }\n',
    ),
    System(
        name="Ganache 7 (JSON-RPC)", source="spoken", get=SPOKEN, start=_ganache,
        options=("--ws", "/"),
        broken={"halted": HALTED, "ended": ENDED},
        environment=PACE + SERVICE + 'health = ""\n[service.ws]\npath = "/"\nany_path = true\ndialect = "json-rpc"\n'
        + 'send_json = { jsonrpc = "2.0", id = "{id}", method = "eth_blockNumber", params = [] }\nexpect = { json = { id = "{id}", "result != `null`" = true } }\nharmless = true\n',
    ),
    System(
        name="InfluxDB 1.6", source="influxdb", get=debian("influxdb"), start=_influxdb,
        broken={"halted": HALTED, "ended": ENDED},
        environment=PACE + SERVICE + 'health = "/ping"\nhealth_status = [204]\n',
    ),
)  # fmt: skip


def installed(system: System, folder: Path) -> Path:
    """Where a system is installed; installs it where it is not.

    Raises:
        subprocess.CalledProcessError, OSError: it cannot be.
    """
    home = folder / system.source
    if not home.exists():
        try:
            system.get(home)
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
    return home
