"""Starts Phoenix with its ports on this machine only; run by its path, in Phoenix's environment.

Phoenix listens for gRPC on every interface, whatever `PHOENIX_HOST` says, and takes spans there
from anybody.
"""

import importlib
import runpy
import sys
from typing import Any

HOST = "127.0.0.1"


def main() -> None:
    """Become `phoenix serve`."""
    # By name: neither is installed, or needed, where Penstock is.
    aio: Any = importlib.import_module("grpc.aio")
    make = aio.server

    def server(*arguments: Any, **keywords: Any) -> Any:
        made = make(*arguments, **keywords)
        listen = made.add_insecure_port

        def listen_here(address: str) -> Any:
            return listen(address.replace("[::]", HOST))

        made.add_insecure_port = listen_here
        return made

    aio.server = server
    sys.argv = ["phoenix", "serve"]
    runpy.run_module("phoenix.server.main", run_name="__main__")


if __name__ == "__main__":
    main()
