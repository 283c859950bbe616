"""The MLP in PyTorch."""

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
from torch.nn import functional as F

import spec

PACKAGES = ("torch",)


def limit_threads(threads):
    """Caps PyTorch's own thread pools."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)


def place(images, labels):
    """Images, flat, and labels as tensors."""
    return torch.from_numpy(images).flatten(1), torch.from_numpy(labels).long()


class MLP(nn.Module):
    """The network of `spec`; returns logits."""

    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(spec.PIXELS, spec.WIDTHS[0])
        self.dense2 = nn.Linear(spec.WIDTHS[0], spec.WIDTHS[1])
        self.dense3 = nn.Linear(spec.WIDTHS[1], spec.CLASSES)

    def forward(self, x):
        return self.dense3(F.relu(self.dense2(F.relu(self.dense1(x)))))


class Network:
    """What a trial trains: the module and its optimiser."""

    def __init__(self, job):
        self.batch_size = job.batch_size
        self.model = MLP()
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
    state = {}
    for name, value in initial.items():
        layer, part = name.split("/")
        state[f"{layer}.{'weight' if part == 'kernel' else part}"] = torch.from_numpy(value.T)
    network.model.load_state_dict(state)
    return network


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and throw-away copy of the network."""
    copy = Network(spec.Job(batch_size=network.batch_size))
    for step, count in ((train_step, train_count), (eval_step, test_count)):
        for size in spec.batch_shapes(count, network.batch_size):
            step(copy, torch.zeros(size, spec.PIXELS), torch.zeros(size, dtype=torch.long))


def train_step(network, images, labels):
    """One batch: forward, backward, update. Returns the sums of losses and of hits, on device."""
    logits = network.model(images)
    loss = F.cross_entropy(logits, labels)
    network.optimizer.zero_grad()
    loss.backward()
    network.optimizer.step()
    return loss.detach() * len(labels), (logits.argmax(1) == labels).sum()


@torch.inference_mode()
def eval_step(network, images, labels):
    """One test batch. Returns the sums of losses and of hits, on device."""
    logits = network.model(images)
    return F.cross_entropy(logits, labels, reduction="sum"), (logits.argmax(1) == labels).sum()


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    return one_pass(train_step, network, train_set, torch.from_numpy(order))


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    return one_pass(eval_step, network, test_set, torch.arange(len(test_set[1])))


def one_pass(step, network, data_set, order):
    """Sums stay on the device until the pass is over."""
    images, labels = data_set
    loss, hits, batches = 0.0, 0, order.split(network.batch_size)
    for batch in batches:
        step_loss, step_hits = step(network, images[batch], labels[batch])
        loss, hits = loss + step_loss, hits + step_hits
    return {
        "loss": float(loss) / len(order),
        "accuracy": int(hits) / len(order),
        "images": len(order),
        "batches": len(batches),
    }


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    with torch.inference_mode():
        return network.model(place(images, np.zeros(len(images), np.int32))[0]).numpy()


def weights(network):
    """The present weights, in the canonical layout."""
    values = network.model.state_dict().values()
    return {name: value.numpy().T.copy() for name, value in zip(spec.SHAPES, values, strict=True)}


def steps_taken(network):
    """Updates made so far, by the optimiser's own count."""
    state = network.optimizer.state.get(network.model.dense1.bias)
    return int(state["step"]) if state else 0


def placement(network):
    """Data type and device of the weights."""
    weight = network.model.dense1.weight
    return str(weight.dtype).removeprefix("torch."), weight.device.type
