"""Sends a photograph to TensorFlow Serving and prints where its people are; needs no hmr_tf.

    python examples/serving_client.py photo.jpg --box=40,30,120,260 --box=300,25,90,250
    python examples/serving_client.py photo.jpg --box=40,30,120,260 --grpc --port=8500

REST needs Python alone. gRPC needs `pip install --no-deps tensorflow-serving-api==2.15.1` beside
TensorFlow, and is quicker: vertices travel as numbers and not as text.
"""

import argparse
import base64
import json
import os
import sys
import urllib.error
import urllib.request

SIGNATURE = "predict_image_bytes"


def rest_body(content, boxes):
    """The JSON of a request: bytes of a JPEG or PNG, list of (x, y, width, height)."""
    image_bytes = [{"b64": base64.b64encode(content).decode()}]
    return {"signature_name": SIGNATURE, "inputs": {"image_bytes": image_bytes, "boxes": boxes}}


def request_rest(host, port, model, content, boxes):
    """Name -> nested lists, one entry for each box."""
    url = f"http://{host}:{port}/v1/models/{model}:predict"
    body = json.dumps(rest_body(content, boxes)).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as reply:
            return json.load(reply)["outputs"]
    except urllib.error.HTTPError as error:
        raise SystemExit(f"The server refused: {json.load(error)['error']}") from None
    except urllib.error.URLError as error:
        raise SystemExit(f"No server at {url}: {error.reason}") from None


def grpc_request(model, content, boxes):
    """The same request as a PredictRequest."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = SIGNATURE
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([content]))
    request.inputs["boxes"].CopyFrom(tf.make_tensor_proto(boxes, tf.float32))
    return request


def request_grpc(host, port, model, content, boxes):
    """Name -> numpy array, one row for each box."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # else it lists missing GPU libraries
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    # A body is 0.1 MB; gRPC's limit of 4 MB is that of 40 people.
    options = [("grpc.max_receive_message_length", 1 << 28)]
    with grpc.insecure_channel(f"{host}:{port}", options) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = service.Predict(grpc_request(model, content, boxes), timeout=60)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise SystemExit(f"No server at {host}:{port}: {error.details()}") from None
            raise SystemExit(f"The server refused: {error.details()}") from None
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("--box", action="append", required=True, help="x,y,width,height in pixels")
    parser.add_argument("--grpc", action="store_true")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, help="default: 8501, gRPC 8500")
    parser.add_argument("--model", default="hmr")
    args = parser.parse_args(arguments)
    try:
        boxes = [[float(value) for value in box.split(",")] for box in args.box]
        with open(args.photo, "rb") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        raise SystemExit(f"No photograph or no box: {error}") from None
    request, port = (request_grpc, 8500) if args.grpc else (request_rest, 8501)
    people = request(args.host, args.port or port, args.model, content, boxes)
    for person, transl in enumerate(people["transl"]):
        x, y, z = transl
        print(f"person {person}: {x:.2f} m to the right, {y:.2f} m down, {z:.2f} m away")
    print("also:", ", ".join(sorted(people)))


if __name__ == "__main__":
    main(sys.argv[1:])
