"""What is measured side by side: nginx, a LiteLLM proxy and Undertow, each before the same mock upstream.

Every peer is one process that serves, as its own documentation recommends for production where that applies, with less work to
do than Undertow: nginx forwards bytes and logs nothing; LiteLLM checks its master key and has no database and no call-backs.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from gateway.certificates import make_certificates
from gateway.processes import Running, first_line, start

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "bench" / "gateway"
ENVIRONMENTS = ROOT / "build" / "bench-peers"
PEERS = Path(__file__).with_name("peers.txt")
HERE = Path(__file__).parent

KEY_ID = "benchMrk"
KEY = f"ut_{KEY_ID}_" + "k" * 43
"""Key of the measured Undertow; it opens nothing else."""
LITELLM_KEY = "sk-benchmark"


@dataclass(frozen=True, slots=True)
class Peer:
    """One gateway that takes requests.

    Attributes:
        name: `nginx`, `litellm` or `undertow`.
        port: Where it listens.
        running: Its processes.
        key: Bearer key.
        version: Of the program.
    """

    name: str
    port: int
    running: Running
    key: str
    version: str


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_mock(*, tls: bool = False) -> tuple[Running, int]:
    """The mock upstream and its port."""
    command = [sys.executable, str(HERE / "mock.py")]
    if tls:
        _, certificate, key = make_certificates(WORK / "tls")
        command += ["--certificate", str(certificate), "--key", str(key)]
    name = "mock-tls" if tls else "mock"
    running = start(name, command, WORK / f"{name}.log")
    return running, int(first_line(running))


def wait_until_it_answers(peer: Peer, model: str, timeout_s: float) -> None:
    """Ask until an answer comes.

    Raises:
        RuntimeError: None came in time, or the process ended.
    """
    deadline = time.monotonic() + timeout_s
    document = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    seen = "nothing"
    while time.monotonic() < deadline and peer.running.process.poll() is None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{peer.port}/v1/chat/completions",
            json.dumps(document).encode(),
            {"content-type": "application/json", "authorization": f"Bearer {peer.key}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                if json.load(answer)["object"] == "chat.completion":
                    return
        except OSError as error:
            body = error.read()[:500] if hasattr(error, "read") else b""
            seen = f"{error!r} {body!r}"
            time.sleep(0.2)
    peer.running.stop()
    tail = peer.running.log.read_text(errors="replace")[-3000:]
    raise RuntimeError(
        f"{peer.name} did not answer within {timeout_s:g} s (last: {seen}). Its output ends with:\n{tail}"
    )


# --- nginx

NGINX = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 4096;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log error;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {work}/nginx-body;
  proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-f;
  uwsgi_temp_path {work}/nginx-u;
  scgi_temp_path {work}/nginx-s;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_body_buffer_size 64k;
  proxy_buffers 8 16k;
  proxy_http_version 1.1;
  proxy_set_header connection "";
  proxy_connect_timeout 5s;
  proxy_read_timeout 120s;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{ proxy_pass {scheme}://model; proxy_buffering {buffering}; {tls} }}
  }}
}}
"""
NGINX_TLS = (
    "proxy_ssl_verify on; proxy_ssl_trusted_certificate {authority}; proxy_ssl_name localhost; "
    "proxy_ssl_server_name on; proxy_ssl_session_reuse on;"
)


def start_nginx(upstream: int, *, stream: bool, tls: bool = False) -> Peer:
    """Nginx as a reverse proxy: one worker, kept-alive connections, no access log; unbuffered for streams."""
    program = nginx_program()
    port = free_port()
    name = f"nginx-{port}"
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    authority, _, _ = make_certificates(WORK / "tls") if tls else (None, None, None)
    config = NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        work=folder,
        upstream=upstream,
        port=port,
        scheme="https" if tls else "http",
        buffering="off" if stream else "on",
        tls=NGINX_TLS.format(authority=authority) if tls else "",
    )
    path = folder / "nginx.conf"
    path.write_text(config, encoding="utf-8")
    version = subprocess.run([program, "-v"], check=True, capture_output=True, text=True).stderr.strip()
    running = start(name, [program, "-p", str(folder), "-c", str(path)], folder / "output.log")
    peer = Peer("nginx", port, running, "none", version.rpartition("/")[2])
    wait_until_it_answers(peer, "any", 10)
    return peer


def nginx_program() -> str:
    """Path of nginx, installed by the system's package manager where it is missing and that is allowed.

    Raises:
        RuntimeError: There is none and it cannot be installed.
    """
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    if found := shutil.which("nginx", path=path):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "nginx-light"]):
            subprocess.run(command, check=True, capture_output=True)
        if found := shutil.which("nginx", path=path):
            return found
    raise RuntimeError("the benchmark compares with nginx: install it, for example with apt-get install nginx-light")


# --- LiteLLM


def litellm_is_installed() -> bool:
    """Whether the environment of the LiteLLM proxy is there."""
    return (ENVIRONMENTS / "litellm" / ".complete").exists()


def environment(name: str, *packages: str) -> Path:
    """Path of the Python of an environment of its own with these packages, made where it is missing."""
    folder = ENVIRONMENTS / name
    program = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        print(f"installing {' '.join(packages)} into {folder.relative_to(ROOT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        installer = [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(installer, check=True)
        (folder / ".complete").touch()
    return program


def required(package: str) -> str:
    """The line of peers.txt that names a package and its version."""
    lines = PEERS.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.split("[")[0].split("=")[0] == package)


def start_litellm(upstream: int) -> Peer:
    """A LiteLLM proxy: one worker, one model, its master key checked, no database, no call-backs."""
    python = environment("litellm", required("litellm"))
    port = free_port()
    config = WORK / "litellm.yaml"
    document = {
        "model_list": [
            {
                "model_name": "auto",
                "litellm_params": {
                    "model": "openai/small",
                    "api_base": f"http://127.0.0.1:{upstream}/v1",
                    "api_key": "none",
                },
            }
        ],
        "litellm_settings": {"telemetry": False, "set_verbose": False, "num_retries": 0, "request_timeout": 600},
        "general_settings": {"master_key": LITELLM_KEY},
    }
    config.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    env = os.environ | {
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "PYTHONPYCACHEPREFIX": str(ENVIRONMENTS / "pycache"),
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    program = python.with_name("litellm")
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    running = start("litellm", command, WORK / "litellm.log", env=env)
    version = subprocess.run(
        [str(python), "-c", "import importlib.metadata as m; print(m.version('litellm'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    peer = Peer("litellm", port, running, LITELLM_KEY, version)
    wait_until_it_answers(peer, "auto", 120)
    return peer


# --- Undertow

UNDERTOW = """
[tiers.cheap]
model = "small"
{endpoint}
{prices}

[tiers.capable]
model = "large"
{endpoint}
{prices}

[policy]
kind = "cascade"
threshold = 0.7

[policies.straight]
kind = "fixed"
tier = "cheap"

[constraints]
never_cheap = ["intent=legal", "intent=fraud"]
cheap_max_input_tokens = 8000
cheap_tools = true

[holdout]
share = 0.05

# As no peer asks twice or keeps texts for people; what that costs is measured by request_cost.py.
[shadow]
share = 0.0

[review]
per_day = 0

[keys.benchmark]
id = "{key_id}"
sha256 = "{sha256}"
requests_per_minute = 10000000
budget_usd_day = 1000000.0
labels = {{ team = "benchmark" }}

[store]
path = "{store}"
"""


def write_settings(folder: Path, upstream: int, *, tls: bool = False) -> Path:
    """Settings of Undertow with the whole path on, in a new folder."""
    folder.mkdir(parents=True)
    scheme = "https" if tls else "http"
    endpoint = f'base_url = "{scheme}://127.0.0.1:{upstream}/v1"'
    if tls:
        authority, _, _ = make_certificates(WORK / "tls")
        endpoint += f'\nca_file = "{authority}"'
    config = UNDERTOW.format(
        endpoint=endpoint,
        prices=PRICES,
        key_id=KEY_ID,
        sha256=hashlib.sha256(KEY.encode()).hexdigest(),
        store=folder / "store",
    )
    settings = folder / "undertow.toml"
    settings.write_text(config, encoding="utf-8")
    return settings


def start_undertow(upstream: int, *, tls: bool = False) -> Peer:
    """Undertow with the whole path on: key, limits of the key, constraints, cascade with confidence, log on disk, metrics."""
    port = free_port()
    folder = WORK / f"undertow-{port}"
    shutil.rmtree(folder, ignore_errors=True)
    settings = write_settings(folder, upstream, tls=tls)
    program = Path(sys.executable).parent / "undertow"
    command = [str(program), "serve", "--config", str(settings), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    env = os.environ | {"PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bench" / "pycache")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    running = start("undertow", command, folder / "output.log", env=env)
    version = subprocess.run([str(program), "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    peer = Peer("undertow", port, running, KEY, version)
    wait_until_it_answers(peer, "auto", 30)
    return peer


PRICES = "prices = { input_usd_per_mtok = 0.15, output_usd_per_mtok = 0.6, cached_input_usd_per_mtok = 0.075 }"


def role_of(command_line: str) -> str:
    """`worker`, `keeper` or `supervisor`: what a process of Undertow is, by its command line."""
    for module, role in (("undertow.keeper", "keeper"), ("undertow.gateway.worker", "worker")):
        if f"-m {module}" in command_line:
            return role
    return "supervisor"


def store_of(peer: Peer) -> Path:
    """Folder of the records of a running Undertow."""
    return peer.running.log.parent / "store"
