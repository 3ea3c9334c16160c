"""A TensorFlow.js graph model -> a SavedModel: the same graph with its weights as constants."""

import math

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from hmr_tf.serving import suppress_output

# TensorFlow.js's fused operations; their first two inputs are those of the plain operation.
_FUSED = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}
_KEPT_ATTRIBUTES = (
    *("T", "strides", "padding", "data_format", "dilations", "explicit_paddings"),
    *("transpose_a", "transpose_b"),
)


def save(model, weights, folder):
    """Writes the model with one input and one output as a SavedModel.

    Args:
      model: dict of the model's .json: modelTopology, weightsManifest, signature.
      weights: bytes of its one .bin.
      folder: path to make.
    """
    graph = tf.compat.v1.GraphDef()
    topology = {key: value for key, value in model["modelTopology"].items() if key != "library"}
    json_format.ParseDict(topology, graph, ignore_unknown_fields=True)
    _set_constants(graph, _arrays(model["weightsManifest"], weights))
    graph = _without_fusion(graph)
    (source,) = model["signature"]["inputs"].values()
    (result,) = model["signature"]["outputs"].values()
    load = tf.graph_util.import_graph_def
    imported = tf.compat.v1.wrap_function(lambda: load(graph, name=""), [])
    pruned = imported.prune(source["name"], result["name"])
    module = tf.Module()
    module.find = tf.function(
        lambda image: {"people": pruned(image)},
        input_signature=[tf.TensorSpec([1, None, None, 3], tf.int32, name="image")],
    )
    with suppress_output.hide_info_logs():
        tf.saved_model.save(module, folder, signatures=module.find)


def _arrays(manifest, content):
    """Name -> array of the weights, which are stored one after the other."""
    arrays, position = {}, 0
    for entry in (weight for group in manifest for weight in group["weights"]):
        stored = np.dtype(entry.get("quantization", entry)["dtype"])
        count = math.prod(entry["shape"])
        array = np.frombuffer(content, stored, count, position).reshape(entry["shape"])
        arrays[entry["name"]] = array.astype(entry["dtype"])
        position += count * stored.itemsize
    return arrays


def _set_constants(graph, arrays):
    for node in graph.node:
        if node.op == "Const" and node.name in arrays:
            array = arrays[node.name]
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
            node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum


def _without_fusion(graph):
    """The graph with TensorFlow's plain operations."""
    plain = tf.compat.v1.GraphDef()
    plain.versions.CopyFrom(graph.versions)
    for node in graph.node:
        if node.op in _FUSED:
            plain.node.extend(_unfused(node))
        else:
            plain.node.add().CopyFrom(node)
    return plain


def _unfused(node):
    """A fused node -> the plain one and its fused operations; the last has the node's name."""
    operations = [name.decode() for name in node.attr["fused_ops"].list.s]
    arguments = iter(node.input[2:])
    plain = {"op": _FUSED[node.op], "name": f"{node.name}/plain", "input": node.input[:2]}
    first = tf.compat.v1.NodeDef(**plain)
    for key in set(_KEPT_ATTRIBUTES) & set(node.attr):
        first.attr[key].CopyFrom(node.attr[key])
    nodes = [first]
    for number, operation in enumerate(operations, start=1):
        inputs = [nodes[-1].name] + ([next(arguments)] if operation == "BiasAdd" else [])
        name = node.name if number == len(operations) else f"{node.name}/{number}"
        following = tf.compat.v1.NodeDef(op=operation, name=name, input=inputs)
        following.attr["T"].CopyFrom(node.attr["T"])
        nodes.append(following)
    return nodes
