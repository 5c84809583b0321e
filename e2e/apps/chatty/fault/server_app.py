"""A ServerApp that writes many lines, at a rate if told so, and secrets if told so."""

import hashlib
import sys
import time

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


def secrets() -> list[str]:
    """Return what nobody may find on the disk; it is nowhere in this file either."""
    word = hashlib.sha256(b"chatty").hexdigest()
    return [
        "hf_" + word[:34],
        "ghp_" + word[:36],
        "bt_" + word[:48],
        "AKIA" + word[:16].upper(),
        "Authorization: Bearer " + word[:20],
    ]


@app.main()
def main(grid: Grid, context: Context) -> None:
    lines, rate = int(context.run_config["lines"]), int(context.run_config["rate"])
    if context.run_config["secrets"]:
        for secret in secrets():
            print(f"login with {secret} worked", flush=True)
        half = secrets()[0]
        sys.stdout.write(half[:10])
        sys.stdout.flush()
        time.sleep(0.05)
        print(half[10:], flush=True)
        body = "\n".join(hashlib.sha512(bytes([n])).hexdigest()[:64] for n in range(8))
        print(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----", flush=True)
    began, n = time.time(), 0
    while n < lines:
        now = lines if rate == 0 else min(lines, int((time.time() - began) * rate) + 1)
        while n < now:
            n += 1
            sys.stdout.write(f"line {n}\n" if rate == 0 else f"line {n} at {time.time() * 1000:.0f}\n")
            if rate == 0 or n % 500 == 0:
                sys.stdout.flush()
        sys.stdout.flush()
        if n < lines:
            time.sleep(0.01)
