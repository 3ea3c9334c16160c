"""The same network with the same weights in PyTorch, for `benchmarks/inference_speed.py`."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.baselines import torch_resnet


class Hmr(nn.Module):
    """(B, 3, S, S) -> theta (B, 85), vertices (B, V, 3), keypoints (B, 19, 3)."""

    def __init__(self, hmr, body):
        """Args: hmr: `networks.hmr.HMR` of resnet_v2_50; body: `body_model.BodyModel`."""
        super().__init__()
        self.encoder = encoder(hmr.encoder)
        self.fc = nn.ModuleList(
            linear(layer) for layer in (hmr.regressor.fc1, hmr.regressor.fc2, hmr.regressor.fc3)
        )
        self.register_buffer("mean", tensor(hmr.regressor.mean.numpy()))
        self.num_stage = hmr.regressor.num_stage
        self.smpl = Smpl(body)

    def forward(self, image):
        features = self.encoder(image)
        theta = self.mean.expand(len(image), -1)
        for _ in range(self.num_stage):
            x = torch.cat([features, theta], dim=1)
            for layer in self.fc[:2]:
                x = functional.relu(layer(x))
            theta = theta + self.fc[2](x)
        return theta, *self.smpl(theta[:, 3:75].view(-1, 24, 3), theta[:, 75:])


def encoder(network):
    """`torch_resnet.ResNet50` with the weights of the Keras encoder resnet_v2_50."""
    layers = {layer.name: layer for layer in network.layers}
    made = torch_resnet.ResNet50()
    load_conv(made.conv1, layers["conv1"])
    load_norm(made.postnorm, layers["postnorm"])
    names = [
        f"block{block}_unit_{unit}_bottleneck_v2"
        for block, (_, num_units, _) in enumerate(torch_resnet.BLOCKS, 1)
        for unit in range(1, num_units + 1)
    ]
    for unit, name in zip(made.units, names):
        load_norm(unit.preact, layers[f"{name}_preact"])
        load_conv(unit.conv1, layers[f"{name}_conv1"])
        load_norm(unit.norm1, layers[f"{name}_conv1_BatchNorm"])
        load_conv(unit.conv2, layers[f"{name}_conv2"])
        load_norm(unit.norm2, layers[f"{name}_conv2_BatchNorm"])
        load_conv(unit.conv3, layers[f"{name}_conv3"])
        if unit.shortcut is not None:
            load_conv(unit.shortcut, layers[f"{name}_shortcut"])
    return made


class Smpl(nn.Module):
    """Mesh and keypoints, in the usual steps of PyTorch's SMPL layers."""

    def __init__(self, body):
        super().__init__()
        self.parents = body.parents.tolist()
        arrays = {
            "template": body.v_template,
            "shapedirs": body.shapedirs,
            "posedirs": body.posedirs.reshape(-1, body.posedirs.shape[-1]).T,
            "weights": body.lbs_weights,
            "joint_regressor": body.joint_regressor,
            "keypoint_regressor": body.keypoint_regressor,
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


def load_conv(made, layer):
    """Copies a Keras layer's weights into the nn.Conv2d `made`."""
    kernel, *bias = layer.get_weights()
    made.weight.data = tensor(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    if bias:
        made.bias.data = tensor(bias[0])


def load_norm(made, layer):
    """Copies a Keras layer's weights into the nn.BatchNorm2d `made`."""
    made.weight.data, made.bias.data, *statistics = map(tensor, layer.get_weights())
    made.running_mean, made.running_var = statistics
    made.eps = layer.epsilon


def linear(layer):
    kernel, bias = layer.get_weights()
    made = nn.Linear(*kernel.shape)
    made.weight.data, made.bias.data = tensor(np.ascontiguousarray(kernel.T)), tensor(bias)
    return made


def compiled(hmr, body):
    """Function of (B, S, S, 3) images -> theta, vertices and keypoints as arrays."""
    run = torch.compile(Hmr(hmr, body).eval().to(memory_format=torch.channels_last))

    def call(images):
        with torch.inference_mode():
            return [x.numpy() for x in run(torch.from_numpy(images).permute(0, 3, 1, 2))]

    return call
