#!/usr/bin/env python3
"""Holds what `fanfare dev` answers to the description that it serves: python check.py SCHEMATHESIS FANFARE.

Statuses, content types, headers and bodies are as described, nothing is answered 5xx, and methods that are not described
are refused. Whether described data is taken is not asked: the lines of a batch are checked one by one."""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
]
MANIFEST = """
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: storm}
spec:
  parameters: [{name: city, type: string, required: false}]
"""


def main(schemathesis: str, fanfare: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        (here / "manifests").mkdir()
        (here / "manifests" / "all.yaml").write_text(MANIFEST)
        ready = here / "ready.json"
        command = [fanfare, "dev", here / "manifests", "--data", here / "data", "--listen", "127.0.0.1:0"]
        with open(here / "log", "wb") as log:
            dev = subprocess.Popen([*command, "--ready-file", ready], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not ready.exists() and dev.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if not ready.exists():
                print((here / "log").read_text(), file=sys.stderr)
                return 1
            started = json.loads(ready.read_text())
            key = started["apiKey"]
            basic = base64.b64encode(f"{key['username']}:{key['password']}".encode()).decode()
            run = [schemathesis, "run", started["server"] + "/api/openapi.json", "-H", f"Authorization: Basic {basic}"]
            run += ["--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing", "-n", "50", "--workers", "2"]
            run += ["--seed", "7", "--request-timeout", "30", "--suppress-health-check", "all"]
            return subprocess.run(run, cwd=here, check=False).returncode
        finally:
            dev.terminate()
            dev.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
