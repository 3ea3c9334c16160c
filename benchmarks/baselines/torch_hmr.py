"""The same network with the same weights in PyTorch, for `benchmarks/inference_speed.py`."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BLOCKS = ((3, 2), (4, 2), (6, 2), (3, 1))  # units, stride of the last


class Hmr(nn.Module):
    """(B, 3, S, S) -> theta (B, 85), vertices (B, V, 3), keypoints (B, 19, 3)."""

    def __init__(self, hmr, model):
        """Args: hmr: `networks.hmr.HMR` with the encoder resnet_v2_50; model: `BodyModel`."""
        super().__init__()
        self.encoder = Encoder({layer.name: layer for layer in hmr.encoder.layers})
        self.fc = nn.ModuleList(
            linear(layer) for layer in (hmr.regressor.fc1, hmr.regressor.fc2, hmr.regressor.fc3)
        )
        self.register_buffer("mean", tensor(hmr.regressor.mean.numpy()))
        self.num_stage = hmr.regressor.num_stage
        self.smpl = Smpl(model)

    def forward(self, image):
        features = self.encoder(image)
        theta = self.mean.expand(len(image), -1)
        for _ in range(self.num_stage):
            x = torch.cat([features, theta], dim=1)
            for layer in self.fc[:2]:
                x = functional.relu(layer(x))
            theta = theta + self.fc[2](x)
        return theta, *self.smpl(theta[:, 3:75].view(-1, 24, 3), theta[:, 75:])


class Encoder(nn.Module):
    """ResNet-50 v2 of slim."""

    def __init__(self, layers):
        super().__init__()
        self.conv1 = conv(layers["conv1"], stride=2, padding=3)
        names = [
            (f"block{block}_unit_{unit}_bottleneck_v2", stride if unit == units else 1)
            for block, (units, stride) in enumerate(BLOCKS, 1)
            for unit in range(1, units + 1)
        ]
        self.units = nn.Sequential(*(Unit(layers, name, stride) for name, stride in names))
        self.postnorm = norm(layers["postnorm"])

    def forward(self, image):
        # TensorFlow's "same" padding of an even side by a stride of 2 is below and to the right.
        x = functional.pad(self.conv1(image), (0, 1, 0, 1), value=float("-inf"))
        x = self.units(functional.max_pool2d(x, 3, 2))
        return functional.relu(self.postnorm(x)).mean(dim=(2, 3))


class Unit(nn.Module):
    """Bottleneck with pre-activation."""

    def __init__(self, layers, name, stride):
        super().__init__()
        self.stride = stride
        self.preact = norm(layers[f"{name}_preact"])
        self.conv1 = conv(layers[f"{name}_conv1"])
        self.norm1 = norm(layers[f"{name}_conv1_BatchNorm"])
        self.conv2 = conv(layers[f"{name}_conv2"], stride, padding=1)
        self.norm2 = norm(layers[f"{name}_conv2_BatchNorm"])
        self.conv3 = conv(layers[f"{name}_conv3"])
        shortcut = layers.get(f"{name}_shortcut")
        self.shortcut = shortcut and conv(shortcut, stride)

    def forward(self, x):
        preact = functional.relu(self.preact(x))
        if self.shortcut is not None:
            x = self.shortcut(preact)
        elif self.stride > 1:
            x = functional.max_pool2d(x, 1, self.stride)
        y = functional.relu(self.norm1(self.conv1(preact)))
        return x + self.conv3(functional.relu(self.norm2(self.conv2(y))))


class Smpl(nn.Module):
    """Mesh and keypoints, in the usual steps of PyTorch's SMPL layers."""

    def __init__(self, model):
        super().__init__()
        self.parents = model.parents.tolist()
        arrays = {
            "template": model.v_template,
            "shapedirs": model.shapedirs,
            "posedirs": model.posedirs.reshape(-1, model.posedirs.shape[-1]).T,
            "weights": model.lbs_weights,
            "joint_regressor": model.joint_regressor,
            "keypoint_regressor": model.keypoint_regressor,
        }
        for name, array in arrays.items():
            self.register_buffer(name, tensor(np.ascontiguousarray(array)))

    def forward(self, pose, betas):
        rotations = rodrigues(pose)
        shaped = self.template + torch.einsum("bs,vcs->bvc", betas, self.shapedirs)
        rest = torch.einsum("jv,bvc->bjc", self.joint_regressor, shaped)
        bent = (rotations[:, 1:] - torch.eye(3)).flatten(1)
        posed = shaped + (bent @ self.posedirs).view(shaped.shape)
        global_rotations, joints = [rotations[:, 0]], [rest[:, 0]]
        for joint, parent in list(enumerate(self.parents))[1:]:
            offset = rest[:, joint] - rest[:, parent]
            joints.append(joints[parent] + (global_rotations[parent] @ offset[..., None])[..., 0])
            global_rotations.append(global_rotations[parent] @ rotations[:, joint])
        global_rotations, joints = torch.stack(global_rotations, 1), torch.stack(joints, 1)
        translations = joints - (global_rotations @ rest[..., None])[..., 0]
        transforms = torch.cat([global_rotations, translations[..., None]], dim=-1).flatten(2)
        matrices = (self.weights @ transforms).view(*posed.shape[:2], 3, 4)
        vertices = (matrices[..., :3] @ posed[..., None])[..., 0] + matrices[..., 3]
        return vertices, torch.einsum("kv,bvc->bkc", self.keypoint_regressor, vertices)


def rodrigues(pose):
    """(B, J, 3) -> (B, J, 3, 3)."""
    angle = (pose + 1e-8).norm(dim=-1)[..., None, None]
    x, y, z = (pose / angle[..., 0]).unbind(-1)
    none = torch.zeros_like(x)
    cross = torch.stack([none, -z, y, z, none, -x, -y, x, none], -1).view(*pose.shape, 3)
    return torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)


def tensor(array):
    return torch.from_numpy(np.asarray(array, np.float32))


def conv(layer, stride=1, padding=0):
    kernel, *bias = layer.get_weights()
    height, _, channels, filters = kernel.shape
    made = nn.Conv2d(channels, filters, height, stride, padding, bias=bool(bias))
    made.weight.data = tensor(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    if bias:
        made.bias.data = tensor(bias[0])
    return made


def norm(layer):
    gamma, beta, mean, variance = map(tensor, layer.get_weights())
    made = nn.BatchNorm2d(len(gamma), eps=layer.epsilon)
    made.weight.data, made.bias.data = gamma, beta
    made.running_mean, made.running_var = mean, variance
    return made


def linear(layer):
    kernel, bias = layer.get_weights()
    made = nn.Linear(*kernel.shape)
    made.weight.data, made.bias.data = tensor(np.ascontiguousarray(kernel.T)), tensor(bias)
    return made


def compiled(hmr, model):
    """Function of (B, S, S, 3) images -> theta, vertices and keypoints as arrays."""
    run = torch.compile(Hmr(hmr, model).eval().to(memory_format=torch.channels_last))

    def call(images):
        with torch.inference_mode():
            return [x.numpy() for x in run(torch.from_numpy(images).permute(0, 3, 1, 2))]

    return call
