#!/usr/bin/env python3
"""Trains the network of shapes.onnx on images of draw_shapes, and writes it.

    python3 train.py --draw <path of draw_shapes> [--onnx shapes.onnx]

Needs PyTorch (1.13 was used) and numpy; a processor is enough, one core for about ten minutes. The seeds are fixed, but
floats may be summed in another order on another machine, and then the weights differ.
"""
import argparse
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import torch
from torch import nn

TRAIN_SEED, TEST_SEED = 1, 2
BATCH = 64
LEARNING_RATE = 0.004


def draw(program, seed, count):
    """Images [count, 3, 32, 32] of bytes and their labels."""
    with tempfile.TemporaryDirectory() as folder:
        images, labels = pathlib.Path(folder, "images"), pathlib.Path(folder, "labels")
        subprocess.run([program, "--seed", str(seed), "--count", str(count), "--images", images, "--labels", labels],
                       check=True)
        pixels = np.fromfile(images, np.uint8).reshape(count, 32, 32, 3)
        classes = np.fromfile(labels, np.uint8)
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), torch.from_numpy(classes.astype(np.int64))


def prepared(pixels):
    """What the network takes: floats around zero. This is not part of the file."""
    return (pixels.float() / 255 - 0.5) / 0.25


class Convolution(nn.Module):
    """A convolution that keeps the size when the stride is 1, and its normalization."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class Network(nn.Module):
    """The layers that README.md lists."""

    def __init__(self):
        super().__init__()
        self.stem = Convolution(3, 16, 3)
        self.down1 = Convolution(16, 40, 3, stride=2)
        self.residual1 = Convolution(40, 40, 3)
        self.residual2 = Convolution(40, 40, 3)
        self.down2 = Convolution(40, 64, 3, stride=2)
        self.depthwise = Convolution(64, 64, 3, groups=64)
        self.pointwise = Convolution(64, 128, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classes = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(self.down1(x))
        x = torch.relu(x + self.residual2(torch.relu(self.residual1(x))))
        x = torch.relu(self.down2(x))
        x = nn.functional.hardtanh(self.depthwise(x), 0.0, 6.0)  # ReLU6, exported as one Clip
        x = torch.relu(self.pointwise(x))
        return self.classes(torch.flatten(self.pool(x), 1))


def accuracy(network, pixels, labels):
    """The share of images whose largest logit is that of their label."""
    network.eval()
    with torch.no_grad():
        right = sum(int((network(prepared(p)).argmax(1) == q).sum())
                    for p, q in zip(pixels.split(250), labels.split(250)))
    return right / len(labels)


def train(network, pixels, labels, epochs, test):
    """Adam, the rate rising and falling over all steps; images are flipped at random."""
    steps = epochs * (len(labels) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.15)
    start = time.time()
    for epoch in range(epochs):
        network.train()
        total = 0.0
        order = torch.randperm(len(labels))[:len(labels) // BATCH * BATCH]
        for chosen in order.split(BATCH):
            x = pixels[chosen]
            if torch.rand(()) < 0.5:
                x = x.flip(3)
            loss = nn.functional.cross_entropy(network(prepared(x)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
            total += loss.item()
        print(f"epoch {epoch + 1:2}: loss {total / (len(labels) // BATCH):.4f}, "
              f"{100 * accuracy(network, *test):.2f} % of {len(test[1])} test images, {time.time() - start:.0f} s",
              flush=True)


def export(network, path):
    """Writes the network as it is: normalizations stay layers of their own."""
    network.eval()
    torch.onnx.export(network, torch.zeros(1, 3, 32, 32), path, opset_version=13, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE, input_names=["input"], output_names=["logits"],
                      dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}})


def main():
    parser = argparse.ArgumentParser(description="Trains the network of shapes.onnx.")
    parser.add_argument("--draw", required=True, help="the program draw_shapes")
    parser.add_argument("--onnx", default=str(pathlib.Path(__file__).with_name("shapes.onnx")), help="file to write")
    parser.add_argument("--images", type=int, default=30000, help="images to train on (30000)")
    parser.add_argument("--epochs", type=int, default=7, help="times every image is seen (7)")
    parser.add_argument("--test-images", type=int, default=2000, help="images to test on (2000)")
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = Network()
    print(f"{sum(p.numel() for p in network.parameters())} parameters")
    train(network, *draw(options.draw, TRAIN_SEED, options.images), options.epochs,
          draw(options.draw, TEST_SEED, options.test_images))
    export(network, options.onnx)


if __name__ == "__main__":
    main()
