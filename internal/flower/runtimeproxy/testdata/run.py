"""Two rounds of a run, as the installed flwr makes its messages: with the newer API, the older one, and odd ones.

Writes JSON to standard output: per step, the messages that a ServerApp sends and the replies of the SuperNodes, each
with its object tree and the contents of its objects, and what a ServerApp would read from the replies as numbers.
"""

import base64
import json
import sys

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.app.error import Error
from flwr.app.message import make_message, remove_content_from_message
from flwr.app.metadata import Metadata
from flwr.common import Code, EvaluateRes, FitIns, FitRes, Status, ndarrays_to_parameters
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.common.serde import message_to_proto
from flwr.compat.common.recorddict_compat import (
    evaluateres_to_recorddict,
    fitins_to_recorddict,
    fitres_to_recorddict,
)
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree

RUN, NODES = 7, (101, 18446744073709551615)
created = 1_700_000_000.0


def pack(message):
    """Return what of a message travels."""
    message.metadata.__dict__["_message_id"] = message.object_id
    objects = {i: base64.b64encode(o.deflate()).decode() for i, o in get_all_nested_objects(message).items()}
    bare = message_to_proto(remove_content_from_message(message))
    return {
        "message": base64.b64encode(bare.SerializeToString()).decode(),
        "tree": base64.b64encode(get_object_tree(message).SerializeToString()).decode(),
        "objects": objects,
    }


def metadata(src, dst, kind, group, reply_to=""):
    """Return the metadata of one of the messages; each has its own time, and so its own id."""
    global created
    created += 1
    return Metadata(
        run_id=RUN,
        message_id="",
        src_node_id=src,
        dst_node_id=dst,
        reply_to_message_id=reply_to,
        group_id=group,
        created_at=created,
        ttl=1000.0,
        message_type=kind,
    )


def numbers(content):
    """Return what a ServerApp reads from a reply as metrics: by name, lists by name and index."""
    out = {}
    for record in content.metric_records.values():
        for name, value in record.items():
            if isinstance(value, list):
                out.update({f"{name}[{i}]": v for i, v in enumerate(value)})
            else:
                out[name] = value
    for name, record in content.config_records.items():
        if not name.endswith("res.status"):
            out.update({k: float(v) for k, v in record.items() if isinstance(v, bool | int | float)})
    return out


def step(kind, group, content, answers, rnd=0):
    """Ask all nodes, and let each answer with a RecordDict or an error."""
    out = {"asks": [], "replies": [], "metrics": []}
    for node in NODES:
        ask = make_message(metadata(SUPERLINK_NODE_ID, node, kind, group), content=content)
        out["asks"].append(pack(ask))
        answer = answers[node]
        meta = metadata(node, SUPERLINK_NODE_ID, kind, group, ask.metadata.message_id)
        if isinstance(answer, Error):
            out["replies"].append(pack(make_message(meta, error=answer)))
        else:
            if rnd:
                rows = numbers(answer).items()
                out["metrics"] += [{"round": rnd, "phase": kind, "node": node, "name": n, "value": v} for n, v in rows]
            out["replies"].append(pack(make_message(meta, content=answer)))
    return out


def new_api():
    """Two rounds: the round is told by a config, the group is empty."""
    for rnd in (1, 2):
        arrays = ArrayRecord([np.full(50, rnd, dtype=np.float32)])
        config = ConfigRecord({"server-round": rnd, "lr": 0.1})
        trained = {
            node: RecordDict(
                {
                    "arrays": ArrayRecord([np.full(50, i + rnd, dtype=np.float32)]),
                    "metrics": MetricRecord({"num-examples": 10 + i, "train_loss": 1 / (rnd + i)}),
                    "notes": ConfigRecord({"seed": 3}),
                }
            )
            for i, node in enumerate(NODES)
        }
        if rnd == 2:
            trained[NODES[1]] = Error(code=3, reason="no such \0 file")
        yield step("train", "", RecordDict({"arrays": arrays, "config": config}), trained, rnd)
        # Both nodes measure the same: their records are one object.
        same = {node: RecordDict({"metrics": MetricRecord({"num-examples": 5, "acc": [0.5, 0.25]})}) for node in NODES}
        yield step("evaluate", "", RecordDict({"arrays": arrays, "config": config}), same, rnd)


def old_api():
    """Two rounds: the round is the group, users' metrics are configs."""
    fine = Status(code=Code.OK, message="")
    for rnd in (1, 2):
        weights = ndarrays_to_parameters([np.full(50, rnd, dtype=np.float32)])
        fit = {
            node: fitres_to_recorddict(
                FitRes(fine, weights, 20 + i, {"accuracy": rnd / 8, "ok": True, "left": False, "who": "x", "n": 3}),
                keep_input=True,
            )
            for i, node in enumerate(NODES)
        }
        content = fitins_to_recorddict(FitIns(weights, {"epochs": 2}), keep_input=True)
        yield step("train", str(rnd), content, fit, rnd)
        scored = {
            node: evaluateres_to_recorddict(EvaluateRes(fine, 0.5 * rnd + i, 30 + i, {"accuracy": 0.75}))
            for i, node in enumerate(NODES)
        }
        yield step("evaluate", str(rnd), content, scored, rnd)


def odd():
    """One step with values, names and records that are not usual."""
    values = {"nan": float("nan"), "inf": float("inf"), "ninf": float("-inf"), "big": 2**64 - 1, "neg": -(2**63)}
    values["ints"] = list(range(60))
    values["x" * 300] = 1.0
    values["a\0b"] = 2.0
    twice = RecordDict({"a": MetricRecord({"loss": 1.0}), "b": MetricRecord({"loss": 2.0})})
    yield step("query.mine", "", RecordDict(), {NODES[0]: RecordDict({"m": MetricRecord(values)}), NODES[1]: twice})
    # The user's metrics have the same content as another config: one object with two names.
    equal = RecordDict({"fitres.metrics": ConfigRecord({"v": 1}), "other": ConfigRecord({"v": 1})})
    yield step("train", "", RecordDict(), {NODES[0]: equal, NODES[1]: RecordDict()})


json.dump({"new": list(new_api()), "old": list(old_api()), "odd": list(odd())}, sys.stdout)
