"""The CNN in PaddlePaddle, in its dynamic mode."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional as F

import spec

PACKAGES = ("paddlepaddle",)
MODULES = ("paddle",)


def limit_threads(threads):
    """Sets Paddle's own pool, which has one thread unless told otherwise."""
    paddle.set_device("cpu")
    paddle.set_flags({"FLAGS_paddle_num_threads": threads})


def place(images, labels):
    """Images and labels as tensors; with one channel, NHWC and NCHW are the same bytes."""
    images = images.reshape(len(images), spec.IMAGE_SHAPE[2], *spec.IMAGE_SHAPE[:2])
    return paddle.to_tensor(images), paddle.to_tensor(labels.astype(np.int64))


class CNN(nn.Layer):
    """The network of `spec`; returns logits."""

    def __init__(self):
        super().__init__()
        channels = spec.IMAGE_SHAPE[2]
        self.conv1 = nn.Conv2D(channels, spec.CONV1_FILTERS, spec.CONV1_KERNEL, padding="SAME")
        self.conv2 = nn.Conv2D(
            spec.CONV1_FILTERS, spec.CONV2_FILTERS, spec.CONV2_KERNEL, padding="SAME"
        )
        self.dense = nn.Linear(spec.FLAT, spec.CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), spec.POOL)
        x = F.max_pool2d(F.relu(self.conv2(x)), spec.POOL)
        return self.dense(x.transpose([0, 2, 3, 1]).flatten(1))


class Network:
    """What a trial trains: the layers and their optimiser."""

    def __init__(self, job):
        self.batch_size, self.steps = job.batch_size, 0
        self.model = CNN()
        self.optimizer = paddle.optimizer.Adam(
            learning_rate=job.learning_rate,
            beta1=spec.BETA_1,
            beta2=spec.BETA_2,
            epsilon=spec.EPSILON,
            parameters=self.model.parameters(),
        )


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    network = Network(job)
    network.model.set_state_dict(
        {
            "conv1.weight": initial["conv1/kernel"].transpose(3, 2, 0, 1),
            "conv1.bias": initial["conv1/bias"],
            "conv2.weight": initial["conv2/kernel"].transpose(3, 2, 0, 1),
            "conv2.bias": initial["conv2/bias"],
            "dense.weight": initial["dense/kernel"],
            "dense.bias": initial["dense/bias"],
        }
    )
    return network


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and throw-away copy of the network."""
    copy = Network(spec.Job(batch_size=network.batch_size))
    for step, count in ((train_step, train_count), (eval_step, test_count)):
        for size in spec.batch_shapes(count, network.batch_size):
            images = np.zeros((size, *spec.IMAGE_SHAPE), np.float32)
            step(copy, *place(images, np.zeros(size, np.int32)))


def train_step(network, images, labels):
    """One batch: forward, backward, update. Returns the sums of losses and of hits, on device."""
    logits = network.model(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    network.optimizer.step()
    network.optimizer.clear_grad()
    network.steps += 1
    return loss.detach() * len(labels), (logits.argmax(1) == labels).sum()


@paddle.no_grad()
def eval_step(network, images, labels):
    """One test batch. Returns the sums of losses and of hits, on device."""
    logits = network.model(images)
    return F.cross_entropy(logits, labels, reduction="sum"), (logits.argmax(1) == labels).sum()


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    images, labels = train_set
    order, sums = paddle.to_tensor(order), []
    for begin in range(0, len(order), network.batch_size):
        batch = order[begin : begin + network.batch_size]
        sums.append(train_step(network, images[batch], labels[batch]))
    return result(sums, len(order))


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    images, labels = test_set
    sums = []
    for begin in range(0, len(labels), network.batch_size):
        batch = slice(begin, begin + network.batch_size)
        sums.append(eval_step(network, images[batch], labels[batch]))
    return result(sums, len(labels))


def result(sums, images):
    """Read from the device when the pass is over."""
    return {
        "loss": sum(float(loss) for loss, _ in sums) / images,
        "accuracy": sum(int(hits) for _, hits in sums) / images,
        "images": images,
        "batches": len(sums),
    }


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    with paddle.no_grad():
        return network.model(place(images, np.zeros(len(images), np.int32))[0]).numpy()


def weights(network):
    """The present weights, in the canonical layout."""
    state = {name: value.numpy() for name, value in network.model.state_dict().items()}
    return {
        "conv1/kernel": state["conv1.weight"].transpose(2, 3, 1, 0).copy(),
        "conv1/bias": state["conv1.bias"].copy(),
        "conv2/kernel": state["conv2.weight"].transpose(2, 3, 1, 0).copy(),
        "conv2/bias": state["conv2.bias"].copy(),
        "dense/kernel": state["dense.weight"].copy(),
        "dense/bias": state["dense.bias"].copy(),
    }


def steps_taken(network):
    """Updates made so far."""
    return network.steps


def placement(network):
    """Data type and device of the weights."""
    weight = network.model.dense.weight
    return str(weight.dtype).removeprefix(
        "paddle."
    ), "cpu" if weight.place.is_cpu_place() else "gpu"
