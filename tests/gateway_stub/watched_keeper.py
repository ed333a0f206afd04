"""A supervisor of stub workers and a real keeper: `watched_keeper.py FOLDER PLAN SECONDS`; its patience with the keeper ends after so long."""

import socket
import sys
from pathlib import Path

from gateway_stub.supervise import WORKER, say
from undertow.gateway.host import Compiled, Host
from undertow.gateway.lookout import Patience
from undertow.gateway.supervisor import Supervisor
from undertow.records.serving import decode_plan


def main(folder, plan_file, gone_s):
    compiled = Compiled(decode_plan(plan_file.read_bytes()), workers=1, drain_timeout_s=2.0)
    listener = socket.create_server(("127.0.0.1", 0))
    runtime = folder / "runtime"
    runtime.mkdir()
    host = Host(
        compile=lambda: compiled,
        say=say,
        on_ready=lambda: say("ready"),
        worker_command=WORKER,
        patience=Patience(gone_s=gone_s, steady_s=2.0, tell_again_s=1.0),
    )
    return Supervisor(host, listener, str(runtime), compiled).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
