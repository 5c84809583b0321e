"""A ServerApp that asks for a key that the run config lacks."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    print("about to read the learning rate", flush=True)
    print(context.run_config["lr"])
