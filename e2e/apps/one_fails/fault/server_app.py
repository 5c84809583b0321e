"""A ServerApp that prints every number that it gets, so that a test can compare."""

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


def tell(phase, server_round, replies):
    for reply in replies:
        if reply.has_error():
            continue
        for name, value in reply.content["metrics"].items():
            node = reply.metadata.src_node_id
            print(
                f"METRIC round={server_round} phase={phase} node={node} name={name} value={float(value)!r}", flush=True
            )


class Telling(FedAvg):
    def aggregate_train(self, server_round, replies):
        replies = list(replies)
        tell("train", server_round, replies)
        return super().aggregate_train(server_round, replies)

    def aggregate_evaluate(self, server_round, replies):
        replies = list(replies)
        tell("evaluate", server_round, replies)
        return super().aggregate_evaluate(server_round, replies)


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes = int(context.run_config["min-nodes"])
    strategy = Telling(min_available_nodes=nodes, min_train_nodes=nodes, min_evaluate_nodes=nodes)
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros((4, 4))]),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
    print("STEADY DONE", flush=True)
