"""The federation's side: averages what the participants learned."""

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from minimal.task import initial_weights

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run all rounds, then write the final model into the working directory."""
    result = FedAvg().start(
        grid=grid,
        initial_arrays=ArrayRecord(initial_weights()),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
    np.savez("final_model.npz", weights=result.arrays.to_numpy_ndarrays()[0])
