"""A ClientApp that ends without telling; its next message takes longer than a SuperNode waits for a sign of life."""

import time

import flwr.supernode.runtime.run_clientapp as clientapp
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    # As where the process is ended by its own clock, on a machine that is busy.
    clientapp.push_task_output = lambda **_: None
    content = RecordDict({"arrays": message.content["arrays"], "metrics": MetricRecord({"num-examples": 1})})
    return Message(content, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    time.sleep(float(context.run_config["seconds"]))
    return Message(RecordDict({"metrics": MetricRecord({"patience": 1.0, "num-examples": 1})}), reply_to=message)
