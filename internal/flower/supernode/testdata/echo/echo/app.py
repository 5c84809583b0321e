"""Answers with the arrays that came and with what its context holds."""

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

app = ClientApp()
server = ServerApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    count = 1
    if "count" in context.state:
        count += int(context.state["count"]["n"])
    context.state["count"] = MetricRecord({"n": count})
    config = {k: repr(v) for k, v in sorted({**context.run_config, **context.node_config}.items())}
    content = RecordDict(
        {"arrays": message.content["arrays"], "config": ConfigRecord(config), "metrics": MetricRecord({"count": count})}
    )
    return Message(content, reply_to=message)
