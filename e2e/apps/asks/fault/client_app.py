"""A ClientApp that answers two kinds of queries, one of them with all kinds of records."""

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.query()
def count(message: Message, context: Context) -> Message:
    """Say how many samples there are."""
    return Message(RecordDict({"count": MetricRecord({"num-examples": 10})}), reply_to=message)


@app.query("means")
def means(message: Message, context: Context) -> Message:
    """Return statistics, and what this partition calls them."""
    partition = int(context.node_config["partition-id"])
    content = {
        "arrays": ArrayRecord({"means": Array(np.full((8, 4), partition, dtype=np.float32))}),
        "numbers": MetricRecord({"least": 0, "most": partition, "quarters": [0.25, 0.5, 0.75]}),
        "words": ConfigRecord({"names": ["age", "größe"], "raw": bytes(range(64)), "scaled": True}),
    }
    return Message(RecordDict(content), reply_to=message)
