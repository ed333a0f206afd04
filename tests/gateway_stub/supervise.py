"""A supervisor of stub workers: `supervise.py FOLDER`. Its settings are the file `version` there, its date the file `day`.

The file `pin` names the version that is served instead (`unreadable`: none, for that reason); what began to serve stands in `kept`.
"""

import socket
import sys
from datetime import date
from pathlib import Path

from msgspec.structs import replace

from gateway_stub.plans import plan
from undertow.bootstrap.versions import Pinned
from undertow.errors import ConfigError
from undertow.gateway.handover import own_command, take_handover, take_rehearsal
from undertow.gateway.host import Compiled, Host
from undertow.gateway.supervisor import Supervisor

KEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
DASHBOARD = (sys.executable, "-c", "import time; time.sleep(61)")
WORKER = (sys.executable, str(Path(__file__).parent / "stub_worker.py"))


def say(line):
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(folder):
    def compile_settings():
        version = (folder / "version").read_text()
        if version == "broken":
            raise ConfigError("it is broken")
        return Compiled(plan(version, idle_timeout_s=1.0), workers=2, drain_timeout_s=2.0)

    def pinned(settled):
        if not (folder / "pin").exists():
            return Pinned(settled, {})
        version = (folder / "pin").read_text()
        if version == "unreadable":
            return Pinned(settled, {"auto": "it cannot be read"})
        if version == "bug":
            raise KeyError(version)
        policies = (replace(settled.policies[0], version=version),)
        return Pinned(replace(settled, policies=policies), {})

    def keep(served):
        with (folder / "kept").open("a") as file:
            file.write(f"{served.policies[0].version}\n")
        return ["the disk is full"] if served.policies[0].version == "v9" else []

    def begin(settled):
        return ["no rollout"] if settled.policies[0].version == "v8" else []

    is_rehearsal, handed = take_rehearsal(), take_handover()
    compiled = compile_settings()
    if is_rehearsal:
        return 0
    if handed is None:
        listener = socket.create_server(("127.0.0.1", 0))
        runtime = folder / "runtime"
        runtime.mkdir()
    else:
        listener = socket.socket(fileno=handed.listen_fd)
        runtime = Path(handed.runtime_dir)
    port = listener.getsockname()[1]
    host = Host(
        compile=compile_settings,
        say=say,
        on_ready=lambda: say(f"ready on {port}"),
        command=own_command(),
        worker_command=WORKER,
        keeper_command=KEEPER,
        dashboard_command=DASHBOARD,
        pinned=pinned,
        keep=keep,
        begin=begin,
        today=lambda: date.fromisoformat((folder / "day").read_text()),
    )
    return Supervisor(host, listener, str(runtime), compiled, handed).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
