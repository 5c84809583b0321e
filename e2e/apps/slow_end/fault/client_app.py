"""A ClientApp whose process needs longer for its end than Flower's five seconds."""

import time

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.supercore.exit.exit_handler import add_exit_handler

app = ClientApp()


def slowly(seconds: float) -> None:
    time.sleep(seconds)
    print("CLIENTAPP WAS LET END", flush=True)


@app.train()
def train(message: Message, context: Context) -> Message:
    add_exit_handler(lambda: slowly(float(context.run_config["seconds"])))
    content = RecordDict({"arrays": message.content["arrays"], "metrics": MetricRecord({"num-examples": 1})})
    return Message(content, reply_to=message)
