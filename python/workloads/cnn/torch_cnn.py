"""The CNN in PyTorch."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import os
import shutil

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import cards
import spec
from cards import wait_for_torch as synchronize  # noqa: F401 - the harness calls it

# Each trial compiles for itself, as in its first run on a machine, and no helpers stay behind.
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

PACKAGES = ("torch",)
DEVICES = ("cpu", "gpu")

device = torch.device("cpu")
"""Where images, weights and arithmetic are."""

VARIANTS = {
    "compile": "the network through torch.compile, which makes C++ of it and compiles that anew in "
    "each trial",
    "tutorial": "as PyTorch's tutorials write it: DataLoader, channels first, .item() at each step",
}


def limit_threads(threads):
    """Caps PyTorch's own thread pools."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)


def use_card():
    """From now on everything is placed on the graphics card."""
    cards.use_torch()
    global device
    device = torch.device("cuda")


def placed(array):
    """A NumPy array as a tensor where the job runs; on the processor the same bytes."""
    return torch.from_numpy(array).to(device)


def place(images, labels):
    """Images and labels as tensors; with one channel, NHWC and NCHW are the same bytes."""
    return placed(images).permute(0, 3, 1, 2), placed(labels).long()


class CNN(nn.Module):
    """The network of `spec`; returns logits."""

    def __init__(self):
        super().__init__()
        channels = spec.IMAGE_SHAPE[2]
        self.conv1 = nn.Conv2d(channels, spec.CONV1_FILTERS, spec.CONV1_KERNEL, padding="same")
        self.conv2 = nn.Conv2d(
            spec.CONV1_FILTERS, spec.CONV2_FILTERS, spec.CONV2_KERNEL, padding="same"
        )
        self.dense = nn.Linear(spec.FLAT, spec.CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), spec.POOL)
        x = F.max_pool2d(F.relu(self.conv2(x)), spec.POOL)
        return self.dense(x.permute(0, 2, 3, 1).flatten(1))  # as it lies in memory: no copy


def compiled(forward):
    """The variant `compile`: the network as one function of C++, one for each batch size."""
    if not any(map(shutil.which, (os.environ.get("CXX") or "g++", "g++", "clang++"))):
        raise ValueError(
            "torch:compile needs a C++ compiler; install g++ (Debian: apt install g++)"
        )
    torch._dynamo.reset()  # each network of a process is compiled by itself
    return torch.compile(forward, dynamic=False)


class Network:
    """What a trial trains: the module and its optimiser."""

    def __init__(self, job):
        self.batch_size, self.variant = job.batch_size, job.variant
        self.model = CNN().to(device, memory_format=torch.channels_last)
        self.forward = self.model
        self.optimizer = torch.optim.Adam(
            self.model.parameters(),
            lr=job.learning_rate,
            betas=(spec.BETA_1, spec.BETA_2),
            eps=spec.EPSILON,
            fused=True,
        )


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    network = Network(job)
    if job.variant == "compile":
        network.forward = compiled(network.model)
    network.model.load_state_dict(
        {
            "conv1.weight": torch.from_numpy(initial["conv1/kernel"].transpose(3, 2, 0, 1)),
            "conv1.bias": torch.from_numpy(initial["conv1/bias"]),
            "conv2.weight": torch.from_numpy(initial["conv2/kernel"].transpose(3, 2, 0, 1)),
            "conv2.bias": torch.from_numpy(initial["conv2/bias"]),
            "dense.weight": torch.from_numpy(initial["dense/kernel"].T),
            "dense.bias": torch.from_numpy(initial["dense/bias"]),
        }
    )
    return network


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and throw-away copy of the network."""
    job = spec.Job(batch_size=network.batch_size)
    copy = Network(job)
    copy.model.load_state_dict(network.model.state_dict())
    ways = [copy.model]
    if network.forward is not network.model:
        ways.append(
            network.forward
        )  # what is compiled is the network's own; its gradients are left
    for copy.forward in ways:
        for size in spec.batch_shapes(train_count, network.batch_size):
            shape = (size, *spec.IMAGE_SHAPE)
            images, labels = place(np.zeros(shape, np.float32), np.zeros(size, np.int32))
            train_step(copy, images, labels)
        for size in spec.batch_shapes(test_count, network.batch_size):
            shape = (size, *spec.IMAGE_SHAPE)
            images, labels = place(np.zeros(shape, np.float32), np.zeros(size, np.int32))
            eval_step(copy, images, labels)
    network.optimizer.zero_grad()


def train_step(network, images, labels):
    """One batch: forward, backward, update. Returns the sums of losses and of hits, on device."""
    logits = network.forward(images)
    loss = F.cross_entropy(logits, labels)
    network.optimizer.zero_grad()
    loss.backward()
    network.optimizer.step()
    return loss.detach() * len(labels), (logits.argmax(1) == labels).sum()


@torch.inference_mode()
def eval_step(network, images, labels):
    """One test batch. Returns the sums of losses and of hits, on device."""
    logits = network.forward(images)
    return F.cross_entropy(logits, labels, reduction="sum"), (logits.argmax(1) == labels).sum()


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    images, labels = train_set
    totals = Totals()
    for batch in placed(order).split(network.batch_size):
        totals.add(train_step(network, images[batch], labels[batch]), len(batch))
    return totals.result()


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    totals = Totals()
    for images, labels in zip(*(part.split(network.batch_size) for part in test_set), strict=True):
        totals.add(eval_step(network, images, labels), len(labels))
    return totals.result()


class Totals:
    """Sums that stay on the device until the pass is over."""

    def __init__(self):
        self.loss, self.hits, self.images, self.batches = 0.0, 0, 0, 0

    def add(self, step, images):
        loss, hits = step
        self.loss += loss
        self.hits += hits
        self.images += images
        self.batches += 1

    def result(self):
        return {
            "loss": float(self.loss) / self.images,
            "accuracy": int(self.hits) / self.images,
            "images": self.images,
            "batches": self.batches,
        }


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    with torch.inference_mode():
        return network.model(place(images, np.zeros(len(images), np.int32))[0]).cpu().numpy()


def weights(network):
    """The present weights, in the canonical layout."""
    state = {name: value.cpu().numpy() for name, value in network.model.state_dict().items()}
    return {
        "conv1/kernel": state["conv1.weight"].transpose(2, 3, 1, 0).copy(),
        "conv1/bias": state["conv1.bias"].copy(),
        "conv2/kernel": state["conv2.weight"].transpose(2, 3, 1, 0).copy(),
        "conv2/bias": state["conv2.bias"].copy(),
        "dense/kernel": state["dense.weight"].T.copy(),
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
