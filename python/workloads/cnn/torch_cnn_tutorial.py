"""The CNN in PyTorch, as its tutorials write it.

After "Quickstart" (the loop, `DataLoader`, `nn.CrossEntropyLoss`, `zero_grad` after the step) and
"Training with PyTorch" (`nn.MaxPool2d`, `running_loss += loss.item()` at each step).
"""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import spec


def limit_threads(threads):
    """Caps PyTorch's own thread pools."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)


def place(images, labels):
    """Images and labels as a data set that gives one pair at a time."""
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return TensorDataset(images, torch.from_numpy(labels).long())


class CNN(nn.Module):
    """The network of `spec`; returns logits. Its flattening is PyTorch's own: channel first."""

    def __init__(self):
        super().__init__()
        channels = spec.IMAGE_SHAPE[2]
        self.conv1 = nn.Conv2d(channels, spec.CONV1_FILTERS, spec.CONV1_KERNEL, padding="same")
        self.conv2 = nn.Conv2d(
            spec.CONV1_FILTERS, spec.CONV2_FILTERS, spec.CONV2_KERNEL, padding="same"
        )
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(spec.POOL, spec.POOL)
        self.flatten = nn.Flatten()
        self.dense = nn.Linear(spec.FLAT, spec.CLASSES)

    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        return self.dense(self.flatten(x))


class Network:
    """What a trial trains: the module, its loss and its optimiser."""

    def __init__(self, job):
        self.batch_size = job.batch_size
        self.model = CNN()
        self.loss_fn = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(
            self.model.parameters(),
            lr=job.learning_rate,
            betas=(spec.BETA_1, spec.BETA_2),
            eps=spec.EPSILON,
        )


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    network = Network(job)
    dense = initial["dense/kernel"].reshape(*POOLED, -1).transpose(3, 2, 0, 1)
    network.model.load_state_dict(
        {
            "conv1.weight": torch.from_numpy(initial["conv1/kernel"].transpose(3, 2, 0, 1)),
            "conv1.bias": torch.from_numpy(initial["conv1/bias"]),
            "conv2.weight": torch.from_numpy(initial["conv2/kernel"].transpose(3, 2, 0, 1)),
            "conv2.bias": torch.from_numpy(initial["conv2/bias"]),
            "dense.weight": torch.from_numpy(dense.reshape(spec.CLASSES, -1)),
            "dense.bias": torch.from_numpy(initial["dense/bias"]),
        }
    )
    return network


POOLED = (7, 7, spec.CONV2_FILTERS)
"""What the second pool gives, height, width and channel: the order of the canonical kernel."""


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and throw-away copy of the network."""
    copy = Network(spec.Job(batch_size=network.batch_size))
    copy.model.load_state_dict(network.model.state_dict())
    for size in spec.batch_shapes(train_count, network.batch_size):
        train_epoch(copy, zeros(size), np.arange(size))
    for size in spec.batch_shapes(test_count, network.batch_size):
        evaluate(copy, zeros(size))


def zeros(size):
    """A set of black images."""
    return place(np.zeros((size, *spec.IMAGE_SHAPE), np.float32), np.zeros(size, np.int32))


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    model, loss_fn, optimizer = network.model, network.loss_fn, network.optimizer
    dataloader = DataLoader(train_set, batch_size=network.batch_size, sampler=order.tolist())
    model.train()
    running_loss, correct = 0.0, 0.0
    for X, y in dataloader:
        pred = model(X)
        loss = loss_fn(pred, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        running_loss += loss.item() * len(y)
        correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    return result(running_loss, correct, len(order), len(dataloader))


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    model, loss_fn = network.model, network.loss_fn
    dataloader = DataLoader(test_set, batch_size=network.batch_size)
    model.eval()
    test_loss, correct = 0.0, 0.0
    with torch.no_grad():
        for X, y in dataloader:
            pred = model(X)
            test_loss += loss_fn(pred, y).item() * len(y)
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    return result(test_loss, correct, len(test_set), len(dataloader))


def result(loss, correct, images, batches):
    return {
        "loss": loss / images,
        "accuracy": correct / images,
        "images": images,
        "batches": batches,
    }


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    with torch.no_grad():
        return network.model(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()).numpy()


def weights(network):
    """The present weights, in the canonical layout."""
    state = {name: value.numpy() for name, value in network.model.state_dict().items()}
    height, width, channels = POOLED
    dense = state["dense.weight"].reshape(spec.CLASSES, channels, height, width)
    return {
        "conv1/kernel": state["conv1.weight"].transpose(2, 3, 1, 0).copy(),
        "conv1/bias": state["conv1.bias"].copy(),
        "conv2/kernel": state["conv2.weight"].transpose(2, 3, 1, 0).copy(),
        "conv2/bias": state["conv2.bias"].copy(),
        "dense/kernel": dense.transpose(2, 3, 1, 0).reshape(spec.FLAT, spec.CLASSES).copy(),
        "dense/bias": state["dense.bias"].copy(),
    }


def steps_taken(network):
    """Updates made so far, by the optimiser's own count."""
    state = network.optimizer.state.get(network.model.dense.bias)
    return int(state["step"]) if state else 0


def placement(network):
    """Data type and device of the weights."""
    weight = network.model.dense.weight
    return str(weight.dtype).removeprefix("torch."), weight.device.type
