"""A small server with TensorFlow Serving's REST interface."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import tensorflow as tf


def start(signatures):
    """An HTTPServer on a free port of localhost, which answers one request at a time.

    `inputs` are by name, {"b64": ...} are bytes, errors are 400.

    Args:
      signatures: name -> function of named tensors that returns a dict of them.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            contents = [base64.b64decode(x["b64"]) for x in request["inputs"]["image_bytes"]]
            inputs = {"image_bytes": tf.constant(contents)}
            inputs["boxes"] = tf.constant(request["inputs"]["boxes"], tf.float32)
            try:
                assert self.path == "/v1/models/hmr:predict"
                tensors = signatures[request["signature_name"]](**inputs)
                code, reply = 200, {"outputs": {k: v.numpy().tolist() for k, v in tensors.items()}}
            except tf.errors.InvalidArgumentError as error:
                code, reply = 400, {"error": error.message}
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
