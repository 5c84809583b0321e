"""A ServerApp that writes many lines."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    for n in range(1, int(context.run_config["lines"]) + 1):
        print(f"line {n}", flush=True)
