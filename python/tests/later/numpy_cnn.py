"""The CNN in plain NumPy: a framework added later, and a reference without any framework's code."""

import numpy as np
import spec

PACKAGES = ()


def limit_threads(threads):
    """NumPy's BLAS reads its cap from the environment, which is set before NumPy loads."""


def place(images, labels):
    """As they are."""
    return images, labels


class Network:
    """What a trial trains: weights and Adam's state."""

    def __init__(self, job, initial):
        self.batch_size, self.learning_rate, self.step = job.batch_size, job.learning_rate, 0
        self.weights = {name: value.copy() for name, value in initial.items()}
        self.m = {name: np.zeros_like(value) for name, value in initial.items()}
        self.v = {name: np.zeros_like(value) for name, value in initial.items()}


def build(job, initial):
    """The network with the initial weights."""
    return Network(job, initial)


def warm_call(network, train_count, test_count):
    """Nothing is compiled."""


def conv(x, kernel, bias):
    """3×3 or 5×5, 'same': patches times the kernel. Returns the output and the patches."""
    side, channels = kernel.shape[0], x.shape[-1]
    edge = side // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, side * side * channels)
    out = patches @ kernel.reshape(-1, kernel.shape[-1]) + bias
    return out.reshape(*x.shape[:3], -1), patches


def conv_input_gradient(gradient, kernel):
    """The convolution with the kernel turned around."""
    return conv(gradient, kernel[::-1, ::-1].transpose(0, 1, 3, 2), np.float32(0))[0]


def pool(x):
    """2×2 max pooling, and which of the four was taken: the first of equal ones."""
    n, h, w, c = x.shape
    four = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
    four = four.reshape(n, h // 2, w // 2, c, 4)
    return four.max(-1), four.argmax(-1)


def unpool(gradient, taken):
    """The gradient at the place that was taken, zero elsewhere."""
    n, h, w, c = gradient.shape
    four = (np.arange(4) == taken[..., None]) * gradient[..., None]
    four = four.reshape(n, h, w, c, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return four.reshape(n, 2 * h, 2 * w, c)


def forward(weights, images):
    """Logits, and what the backward pass needs."""
    a, patches1 = conv(images, weights["conv1/kernel"], weights["conv1/bias"])
    p, taken1 = pool(np.maximum(a, 0))
    b, patches2 = conv(p, weights["conv2/kernel"], weights["conv2/bias"])
    q, taken2 = pool(np.maximum(b, 0))
    flat = q.reshape(len(q), -1)
    logits = flat @ weights["dense/kernel"] + weights["dense/bias"]
    return logits, (a, patches1, taken1, b, patches2, taken2, flat)


def backward(weights, kept, gradient):
    """Gradients of all weights from the one of the logits."""
    a, patches1, taken1, b, patches2, taken2, flat = kept
    found = {"dense/kernel": flat.T @ gradient, "dense/bias": gradient.sum(0)}
    q = (gradient @ weights["dense/kernel"].T).reshape(-1, 7, 7, spec.CONV2_FILTERS)
    b = unpool(q, taken2) * (b > 0)
    p = conv_input_gradient(b, weights["conv2/kernel"])
    a = unpool(p, taken1) * (a > 0)
    for layer, patches, output in (("conv1", patches1, a), ("conv2", patches2, b)):
        output = output.reshape(len(patches), -1)
        kernel = f"{layer}/kernel"
        found[kernel] = (patches.T @ output).reshape(spec.SHAPES[kernel])
        found[f"{layer}/bias"] = output.sum(0)
    return found


def cross_entropy(logits, labels):
    """Each image's loss, and the gradient of their mean."""
    shifted = logits - logits.max(1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    losses = np.log(total[:, 0]) - shifted[rows, labels]
    gradient = p / total
    gradient[rows, labels] -= 1
    return losses, gradient / np.float32(len(labels))


def train_step(network, images, labels):
    """One batch: forward, backward, update. Returns the sums of losses and of hits."""
    logits, kept = forward(network.weights, images)
    losses, gradient = cross_entropy(logits, labels)
    network.step += 1
    m_scale, v_scale = (1 - beta**network.step for beta in (spec.BETA_1, spec.BETA_2))
    for name, g in backward(network.weights, kept, gradient).items():
        m, v = network.m[name], network.v[name]
        m += (1 - spec.BETA_1) * (g - m)
        v += (1 - spec.BETA_2) * (g * g - v)
        root = np.sqrt(v / v_scale) + spec.EPSILON
        network.weights[name] -= network.learning_rate * (m / m_scale) / root
    return losses.sum(), (logits.argmax(1) == labels).sum()


def eval_step(network, images, labels):
    """One test batch. Returns the sums of losses and of hits."""
    logits, _ = forward(network.weights, images)
    return cross_entropy(logits, labels)[0].sum(), (logits.argmax(1) == labels).sum()


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    return one_pass(train_step, network, train_set, order)


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    return one_pass(eval_step, network, test_set, np.arange(len(test_set[1])))


def one_pass(step, network, data_set, order):
    images, labels = data_set
    batches = [order[i : i + network.batch_size] for i in range(0, len(order), network.batch_size)]
    sums = [step(network, images[batch], labels[batch]) for batch in batches]
    loss, hits = np.sum(sums, axis=0)
    return {
        "loss": float(loss) / len(order),
        "accuracy": float(hits) / len(order),
        "images": len(order),
        "batches": len(batches),
    }


def logits(network, images):
    """The network's output for images in the canonical form."""
    return forward(network.weights, images)[0]


def weights(network):
    """Copies of the present weights, in the canonical layout."""
    return {name: network.weights[name].copy() for name in spec.SHAPES}


def steps_taken(network):
    """Updates made so far."""
    return network.step


def placement(network):
    """Data type and device of the weights."""
    return str(network.weights["dense/bias"].dtype), "cpu"
