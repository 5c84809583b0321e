"""One participant's own reviews."""

from collections.abc import Iterator

import torch
from datasets import Dataset
from flwr_datasets import FederatedDataset
from flwr_datasets.partitioner import IidPartitioner

from quickstart_huggingface import hub, offline

HELD_OUT = 0.2


def load_share(config: dict, partition_id: int, num_partitions: int) -> tuple[Dataset, Dataset]:
    """Return what a participant trains on and what it keeps to evaluate on, with the columns text and label.

    The shares of two participants do not overlap, and neither do the two parts of a share.
    """
    if num_partitions < 1:
        raise ValueError(f"num-partitions is {num_partitions}, but there is at least 1")
    if not 0 <= partition_id < num_partitions:
        raise ValueError(
            f"partition-id is {partition_id}, but with num-partitions={num_partitions} it is 0 to {num_partitions - 1}"
        )
    try:
        share = _partition(config, partition_id, num_partitions)
    except IndexError as e:
        raise ValueError(f"{num_partitions} partitions are more than there are samples") from e
    if limit := int(config["samples-per-client"]):
        share = share.select(range(min(limit, len(share))))
    cut = len(share) - max(1, int(len(share) * HELD_OUT))
    if cut < 1:
        raise ValueError(f"partition {partition_id} of {num_partitions} has {len(share)} samples: too few to train on")
    return share.select(range(cut)), share.select(range(cut, len(share)))


def _partition(config: dict, partition_id: int, num_partitions: int) -> Dataset:
    partitioner = IidPartitioner(num_partitions)
    if config["offline"]:
        partitioner.dataset = offline.reviews()["train"]
        return partitioner.load_partition(partition_id)
    # The name of a dataset on the hub, or a local folder; it comes shuffled, everywhere in the same order.
    name = str(config["dataset"])
    with hub.reading("dataset", name):
        share = FederatedDataset(dataset=name, partitioners={"train": partitioner}).load_partition(partition_id)
    return _renamed(share, str(config["text-column"]), str(config["label-column"]))


def _renamed(share: Dataset, text: str, label: str) -> Dataset:
    for key, column in (("text-column", text), ("label-column", label)):
        if column not in share.column_names:
            raise ValueError(f"{key} is {column!r}, but the dataset has the columns {', '.join(share.column_names)}")
    share = share.select_columns([text, label])
    return share.rename_columns({old: new for old, new in ((text, "text"), (label, "label")) if old != new})


def batches(share: Dataset, tokenizer, *, batch_size: int, max_length: int, seed: int | None) -> Iterator[dict]:
    """Yield what the model takes, in an order that the seed decides; without one in the share's own."""
    order = torch.arange(len(share))
    if seed is not None:
        order = torch.randperm(len(share), generator=torch.Generator().manual_seed(seed))
    for pick in order.split(batch_size):
        rows = share[pick.tolist()]
        inputs = tokenizer(rows["text"], truncation=True, max_length=max_length, padding=True, return_tensors="pt")
        yield {**inputs, "labels": torch.tensor(rows["label"])}
