"""Stands in for the module `openvino`: its models run TensorFlow's functions."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf


class FakeOpenVINO:
    """Counts conversions; a file that it writes holds the number of the model."""

    __version__ = "1.0"

    def __init__(self, capabilities=("FP32", "BF16")):
        self.models = []
        self.options = []  # of each compile_model
        self._capabilities = capabilities
        self.Type = SimpleNamespace(f32=SimpleNamespace(to_dtype=self._look_up_numpy))
        self._has_looked_up_numpy = False

    def _look_up_numpy(self):
        """What OpenVINO does at its first array, and two threads must not do at once."""
        self._has_looked_up_numpy = True
        return np.dtype(np.float32)

    def convert_model(self, function):
        self.models.append(function)
        return function

    def save_model(self, model, path, compress_to_fp16):
        assert not compress_to_fp16
        path.parent.mkdir(parents=True, exist_ok=True)
        number = next(i for i, known in enumerate(self.models) if known is model)
        path.write_text(str(number))

    def Core(self):
        return self

    def get_property(self, device, name):
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return list(self._capabilities)

    def read_model(self, path):
        try:
            return self.models[int(path.read_text())]
        except (OSError, ValueError, IndexError) as error:
            raise RuntimeError(str(error)) from error

    def compile_model(self, model, device, options):
        assert device == "CPU"
        assert self._has_looked_up_numpy, "several threads may call the compiled model"
        self.options.append(options)
        return Compiled(model)


class Compiled:
    """A compiled model, one of its requests, and the outputs' names in one."""

    def __init__(self, function):
        self._function = function
        self._names = sorted(function.structured_outputs)
        self.model_outputs = [Named(name) for name in self._names]

    def create_infer_request(self):
        return Compiled(self._function)

    def infer(self, inputs, share_inputs):
        assert share_inputs
        self._outputs = self._function(tf.constant(inputs[0]))

    def get_output_tensor(self, number):
        return Data(self._outputs[self._names[number]].numpy())


class Named:
    def __init__(self, name):
        self._name = name

    def get_names(self):
        return {self._name, "Identity:0"}


class Data:
    def __init__(self, data):
        self.data = data
