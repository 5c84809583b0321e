"""A ClientApp that works in pools of processes."""

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fault.pools import work

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Work."""
    return Message(RecordDict({"told": ConfigRecord({"work": work()})}), reply_to=message)
