"""Starts the server of a scene on loopback, and ends every process of it."""

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
from collections.abc import Iterator
from pathlib import Path

from abroad.kinds import NOT_FOUND, Server, Words
from proofbook.rehearsal.certificates import Authority

HERE = Path(__file__).parent
OTHERS = HERE.parent.parent / "tests" / "servers"
PACKAGES = (
    "ws@8",
    "faye-websocket@0.11",
    "permessage-deflate@0.1",
    "socket.io@4",
    "graphql@16",
    "graphql-ws@6",
)
PROGRAMS = {"nginx": "nginx-light", "mosquitto": "mosquitto", "nats-server": "nats-server", "node": "nodejs", "npm": "npm"}  # fmt: skip
# A first process may wait for minutes on a busy machine.
STARTS_WITHIN_S = 120


def missing() -> list[str]:
    """Debian packages that the catalogue needs and this machine has not."""
    return [package for name, package in PROGRAMS.items() if not _program(name)]


def node_modules(folder: Path) -> Path:
    """Where the npm packages are; they are installed once into the folder."""
    done = folder / "node_modules"
    if not (done / "graphql-ws").is_dir():
        words = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), *PACKAGES]
        subprocess.run(words, check=True, timeout=300, stdout=subprocess.DEVNULL)
    return done


class Stage:
    """A place at one address where servers stand, one after another. `authority` vouches for the certificates."""

    def __init__(self, folder: Path, *, modules: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.modules = folder, modules
        self.port = free_port()
        self.authority = Authority(folder)

    @contextlib.contextmanager
    def standing(self, server: Server) -> Iterator[None]:
        """A server listens at the address; afterwards none of its processes is left."""
        processes: list[subprocess.Popen[bytes]] = []
        try:
            self._start(server, processes)
            if server.stopped:
                for process in processes:
                    process.send_signal(signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                _end(process)

    def _start(self, server: Server, processes: list[subprocess.Popen[bytes]]) -> None:
        port = free_port() if server.front else self.port
        if server.make == "nginx":
            return self._nginx(_locations(server.words), server, processes)
        if server.make in ("mosquitto", "nats-server"):
            return self._broker(server, processes)
        ports = [port, *(free_port() for _ in range(server.upstreams - 1))]
        for number, each in enumerate(ports):
            if number >= server.dead:
                self._program(server, each, processes)
        if server.front:
            self._nginx(server.front, server, processes, ports)
        return None

    def _program(self, server: Server, port: int, processes: list[subprocess.Popen[bytes]]) -> None:
        variables = {"NODE_PATH": str(self.modules)}
        if server.make == "grpc":
            command = [sys.executable, str(OTHERS / "grpc_app.py"), str(port)]
            variables = {key: str(value) for key, value in server.words.items()}
        elif server.make in ("socketio", "graphql"):
            command = ["node", str(OTHERS / f"node_{server.make}.js"), str(port)]
            variables |= {key: str(value) for key, value in server.words.items()}
        else:
            words = {**server.words, "make": server.make}
            if server.tls and not server.front:
                words["tls"] = self._tls(server)
            file = self.folder / f"specification-{port}.json"
            file.write_text(json.dumps(words), encoding="utf-8")
            python = server.make == "aiohttp"
            program = [sys.executable, str(HERE / "served.py")] if python else ["node", str(HERE / "served.js")]  # fmt: skip
            command = [*program, str(file), str(port)]
        address = server.words.get("address", "127.0.0.1")
        self._run(command, processes, port=port, address=address, **variables)

    def _tls(self, server: Server) -> Words:
        days = -1 if server.tls == "expired" else 90
        host = "elsewhere.example.com" if server.tls == "other-name" else "127.0.0.1"
        certificate, key = self.authority.issue("server", days=days, host=host)
        told = {"cert": str(certificate), "key": str(key)}
        return {**told, "client_ca": str(self.folder / "ca.pem")} if server.tls == "client" else told

    def _nginx(self, locations: str, server: Server, processes: list[subprocess.Popen[bytes]], ports: list[int] | None = None) -> None:  # fmt: skip
        folder = self.folder / "nginx"
        folder.mkdir(exist_ok=True)
        tls = self._tls(server) if server.tls else {}
        listen = f"listen 127.0.0.1:{self.port}{' ssl' if tls else ''};"
        if tls:
            listen += f" ssl_certificate {tls['cert']}; ssl_certificate_key {tls['key']};"
        if "client_ca" in tls:
            listen += f" ssl_client_certificate {tls['client_ca']}; ssl_verify_client on;"
        upstream = "".join(f"server 127.0.0.1:{each} max_fails=0; " for each in ports or [])
        (folder / "nginx.conf").write_text(
            f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
            events {{ worker_connections 512; }}
            http {{
              access_log off; server_tokens off;
              client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
              uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
              proxy_cache_path {folder}/cache keys_zone=kept:1m; {server.limits}
              {f"upstream inner {{ {upstream} }}" if ports else ""}
              server {{ {listen} {locations.replace("INNER", "http://inner")} }}
            }}""",
            encoding="utf-8",
        )
        words = [_program("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]  # fmt: skip
        self._run(words, processes, port=self.port)

    def _broker(self, server: Server, processes: list[subprocess.Popen[bytes]]) -> None:
        file = self.folder / f"{server.make}.conf"
        told = {"PORT": str(self.port), "OTHER": str(free_port()), "HERE": str(self.folder)}
        settings = server.settings
        for name, value in told.items():
            settings = settings.replace(name, value)
        file.write_text(settings, encoding="utf-8")
        if "password" in server.words:
            words = ["mosquitto_passwd", "-b", "-c", str(self.folder / "passwords"), "proofbook", server.words["password"]]  # fmt: skip
            subprocess.run(words, check=True, capture_output=True)
        self._run([_program(server.make), "-c", str(file)], processes, port=self.port)

    def _run(
        self,
        command: list[str],
        processes: list[subprocess.Popen[bytes]],
        *,
        port: int,
        address: str = "127.0.0.1",
        **variables: str,
    ) -> None:
        with (self.folder / f"server-{port}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, **variables}
            )
        processes.append(process)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
                return
            time.sleep(0.05)
        said = (self.folder / f"server-{port}.log").read_text(errors="replace")[-500:]
        raise RuntimeError(f"{command[0]} does not listen on {address}:{port}: {said}")


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nothing listens."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as free:
        free.bind((address, 0))
        return int(free.getsockname()[1])


def _program(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin") or ""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _locations(spec: Words) -> str:
    """The pages of a specification as locations of nginx, which answers them by itself."""
    parts = [f"location = {path} {{ {_returned(choices[0])} }}" for path, choices in spec.get("pages", {}).items()]  # fmt: skip
    parts += [f"location {start} {{ {_returned(choices[0])} }}" for start, choices in spec.get("under", {}).items()]  # fmt: skip
    other = (spec.get("else") or [NOT_FOUND])[0]
    return " ".join([*parts, "" if "/" in spec.get("under", {}) else f"location / {{ {_returned(other)} }}"])


def _returned(page: Words) -> str:
    headers = {**page.get("headers", {})}
    if "Location" in headers:
        return f"absolute_redirect off; return {page['status']} {headers['Location']};"
    added = " ".join(f'add_header {name} "{value}" always;' for name, value in headers.items())
    text = page["body"].replace("$NOW", "$time_iso8601").replace("$HEX", "$request_id").replace("$UPTIME", "$msec").replace("$N", "$connection")  # fmt: skip
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    status = page.get("status", 200)
    return f"default_type '{page['type']}'; {added} return {status}" + (
        f" '{quoted}';" if status != 204 else ";"
    )
