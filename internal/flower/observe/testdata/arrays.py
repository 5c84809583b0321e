"""Print the objects of replies with arrays, as flwr makes them: one JSON object a reply, from id to base64."""

import base64
import json

import numpy as np
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects


def reply(rows, extra=()):
    arrays = {"layer.weight": np.ones((rows, 64)), "scalar": np.float64(1), "bias": np.ones(rows)}
    arrays |= {name: np.zeros(1) for name in extra}
    record = ArrayRecord({name: Array(np.asarray(a)) for name, a in arrays.items()})
    return RecordDict({"arrays": record, "metrics": MetricRecord({"loss": float(rows), "num-examples": 1})})


replies = [reply(10), reply(10), reply(12), reply(10, ["more"]), reply(10, [f"a{i:0200d}" for i in range(1200)])]
for r in [*replies, RecordDict({"metrics": MetricRecord({"loss": 1.0})})]:
    objects = get_all_nested_objects(r)
    print(json.dumps({k: base64.b64encode(o.deflate()).decode() for k, o in objects.items()}))
