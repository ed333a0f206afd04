"""A worker that serves a tiny application: `/slow` takes half a second, anything else tells whether the worker is to go."""

import asyncio
import sys

from undertow.gateway.worker import main


class Application:
    is_draining = False

    def __init__(self, plan):
        self.version = plan.policies[0].version
        if self.version == "cannot-start":
            sys.exit(4)

    async def startup(self):
        pass

    async def shutdown(self):
        pass

    async def __call__(self, scope, _receive, send):
        if scope["path"] == "/slow":
            await asyncio.sleep(0.5)
        body = self.version if scope["path"] == "/version" else f"draining: {self.is_draining}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})

    def record_refused(self, _status, _why):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], lambda plan, _env, _runtime: Application(plan)))
