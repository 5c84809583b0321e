"""A ServerApp of the older API that aggregates with SecAgg+, and needs a result."""

import numpy as np
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import Grid, LegacyContext, ServerApp, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow

app = ServerApp()


def trained(nodes: int):
    def aggregated(metrics):
        return {"trained": float(len(metrics))}

    return FedAvg(
        fraction_evaluate=0.0,
        min_available_clients=nodes,
        min_fit_clients=nodes,
        initial_parameters=ndarrays_to_parameters([np.zeros((4, 4))]),
        fit_metrics_aggregation_fn=aggregated,
    )


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes = int(context.run_config["min-nodes"])
    legacy = LegacyContext(
        context=context,
        config=ServerConfig(num_rounds=int(context.run_config["num-server-rounds"])),
        strategy=trained(nodes),
    )
    secure = SecAggPlusWorkflow(
        num_shares=context.run_config["num-shares"],
        reconstruction_threshold=context.run_config["reconstruction-threshold"],
    )
    DefaultWorkflow(fit_workflow=secure)(grid, legacy)
    print("TRAINED", legacy.history.metrics_distributed_fit["trained"][-1], flush=True)
