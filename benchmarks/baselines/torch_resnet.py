"""The encoder, ResNet-50 v2 of TF-slim, in PyTorch with random weights. Needs torch alone."""

from torch import nn
from torch.nn import functional

BLOCKS = ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1))  # depth, units, stride of the last
NUM_FEATURES = 2048
EPSILON = 1e-5  # of batch norm


class ResNet50(nn.Module):
    """(B, 3, S, S) images in [-1, 1] -> (B, 2048) features; S is a multiple of 32."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        units, channels = [], 64
        for depth, num_units, stride in BLOCKS:
            for number in range(1, num_units + 1):
                units.append(Unit(channels, depth, stride if number == num_units else 1))
                channels = 4 * depth
        self.units = nn.Sequential(*units)
        self.postnorm = nn.BatchNorm2d(NUM_FEATURES, eps=EPSILON)

    def forward(self, image):
        # TensorFlow's "same" padding of an even side by a stride of 2 is below and to the right.
        x = functional.pad(self.conv1(image), (0, 1, 0, 1), value=float("-inf"))
        x = self.units(functional.max_pool2d(x, 3, 2))
        return functional.relu(self.postnorm(x)).mean(dim=(2, 3))


class Unit(nn.Module):
    """Bottleneck with pre-activation."""

    def __init__(self, channels, depth, stride):
        super().__init__()
        self.stride = stride
        self.preact = nn.BatchNorm2d(channels, eps=EPSILON)
        self.conv1 = nn.Conv2d(channels, depth, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(depth, eps=EPSILON)
        self.conv2 = nn.Conv2d(depth, depth, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(depth, eps=EPSILON)
        self.conv3 = nn.Conv2d(depth, 4 * depth, 1)
        widens = channels != 4 * depth
        self.shortcut = nn.Conv2d(channels, 4 * depth, 1, stride) if widens else None

    def forward(self, x):
        preact = functional.relu(self.preact(x))
        if self.shortcut is not None:
            x = self.shortcut(preact)
        elif self.stride > 1:
            x = functional.max_pool2d(x, 1, self.stride)
        y = functional.relu(self.norm1(self.conv1(preact)))
        return x + self.conv3(functional.relu(self.norm2(self.conv2(y))))
