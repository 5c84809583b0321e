"""The federation's side: averages what the participants learned and keeps the model that comes out."""

from pathlib import Path

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from quickstart_huggingface.hub import push, token_to_push
from quickstart_huggingface.model import initial_model, load_tokenizer, save, with_weights

FINAL = Path("final_model")

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run all rounds, then write the final model into the working directory and, if asked to, push it."""
    config = context.run_config
    token = token_to_push(config)
    nodes = int(config["min-nodes"])
    strategy = FedAvg(
        fraction_train=float(config["fraction-train"]),
        fraction_evaluate=float(config["fraction-evaluate"]),
        min_available_nodes=nodes,
        min_train_nodes=nodes,
        min_evaluate_nodes=nodes,
    )
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(initial_model(config).state_dict()),
        num_rounds=int(config["num-server-rounds"]),
    )
    if not result.train_metrics_clientapp:
        raise RuntimeError("no participant has trained: the final model would be the untrained one")
    save(with_weights(config, result.arrays.to_torch_state_dict()), load_tokenizer(config), FINAL)
    if repo := str(config["push-to-hub"]):
        push(FINAL, repo, token)
