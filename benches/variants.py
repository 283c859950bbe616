"""The ways to write the same training that idioms.py times: each changes one thing of a script."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

# --- PyTorch -----------------------------------------------------------------------------------


def torch_adam(**settings):
    """Another implementation of Adam than the fused one."""

    def change(script):
        adam = script.torch.optim.Adam
        script.torch.optim.Adam = lambda *args, fused, **rest: adam(*args, **rest, **settings)

    return change


def torch_model(wrap):
    """The module put through something before it trains."""

    def change(script):
        class Network(script.Network):
            def __init__(self, job):
                super().__init__(job)
                self.model = self.forward = wrap(script.torch, self.model) or self.model

        script.Network = Network

    return change


def torch_nchw(script):
    """NCHW throughout: weights and images, whose one channel would pass for either."""
    torch = script.torch
    place = script.place

    def place_nchw(images, labels):
        images, labels = place(images, labels)
        return torch.empty(images.shape).copy_(images), labels

    script.place = place_nchw
    torch_model(lambda _, model: model.to(memory_format=torch.contiguous_format))(script)


def torch_loader(script):
    """Batches from a DataLoader, as PyTorch's tutorials have them."""
    from torch.utils import data

    def train_epoch(network, train_set, order):
        totals = script.Totals()
        loader = data.DataLoader(
            data.TensorDataset(*train_set), batch_size=network.batch_size, sampler=order.tolist()
        )
        for images, labels in loader:
            totals.add(script.train_step(network, images, labels), len(labels))
        return totals.result()

    script.train_epoch = train_epoch


def torch_item(script):
    """The loss read after every step, as the study's loop did."""
    add = script.Totals.add
    script.Totals.add = lambda self, step, images: add(
        self, tuple(value.item() for value in step), images
    )


# --- Keras -------------------------------------------------------------------------------------


def keras_compile(**settings):
    """Other settings of `Model.compile`."""

    def change(script):
        compiled = script.keras.Model.compile
        script.keras.Model.compile = lambda self, **rest: compiled(self, **{**rest, **settings})

    return change


def keras_arrays(script):
    """`fit` and `evaluate` on NumPy arrays, of which Keras makes its own dataset."""

    def feed(images, labels, size):
        return {"x": images, "y": labels, "batch_size": size}

    _keras_feed(script, feed)


def keras_tuned(script):
    """The dataset as TensorFlow's guides have it, with tf.data's tuning on."""

    def feed(images, labels, size):
        pairs = script.tf.data.Dataset.from_tensor_slices((images, labels))
        return {"x": pairs.batch(size).prefetch(script.tf.data.AUTOTUNE)}

    _keras_feed(script, feed)


def keras_py_dataset(script):
    """A `PyDataset`, Keras's own way to feed a model, whichever framework is beneath it."""

    class Pairs(script.keras.utils.PyDataset):
        def __init__(self, images, labels, size):
            super().__init__()
            self.images, self.labels, self.size = images, labels, size

        def __len__(self):
            return -(-len(self.labels) // self.size)

        def __getitem__(self, index):
            part = slice(index * self.size, (index + 1) * self.size)
            return self.images[part], self.labels[part]

    _keras_feed(script, lambda *data: {"x": Pairs(*data)})


def _keras_feed(script, feed):
    """Has `feed` make the arguments of `fit` and `evaluate` from images, labels and batch size."""
    script.fed = feed


def keras_per_batch(script):
    """One call of `train_on_batch` per step instead of `fit`."""

    def train_epoch(network, train_set, order):
        images, labels = train_set
        network.model.reset_metrics()
        size = network.batch_size
        for begin in range(0, len(order), size):
            batch = order[begin : begin + size]
            told = network.model.train_on_batch(images[batch], labels[batch], return_dict=True)
        return {
            "loss": float(told["loss"]),
            "accuracy": float(told["accuracy"]),
            "images": len(order),
            "batches": -(-len(order) // size),
        }

    script.train_epoch = train_epoch


# --- JAX ---------------------------------------------------------------------------------------


def jax_pool(script):
    script.max_pool = lambda x: script.nn.max_pool(x, (2, 2), (2, 2))


def jax_no_donation(script):
    for name in ("train_step", "train_steps", "eval_step"):
        setattr(script, name, script.jax.jit(getattr(script, name).__wrapped__))


def jax_steps(steps):
    """Another number of batches per call."""

    def change(script):
        script.STEPS_PER_CALL = steps

    return change


def jax_loop(steps):
    """As many batches per call, in a `lax.scan` that stays a loop."""

    def change(script):
        def loop(state, totals, images, labels):
            def step(carry, batch):
                return script.update(*carry, *batch), None

            return script.jax.lax.scan(step, (state, totals), (images, labels))[0]

        script.train_steps = script.jax.jit(loop, donate_argnums=(0, 1))
        script.STEPS_PER_CALL = steps

    return change


def jax_on_device(script):
    """The images live in JAX's arrays, and each step picks its batch there."""
    jax, jnp = script.jax, script.jnp
    body = script.update

    @script.partial(jax.jit, donate_argnums=(0, 1))
    def step(state, totals, images, labels, batch):
        return body(state, totals, images[batch], labels[batch])

    def place(images, labels):
        return jnp.asarray(images), jnp.asarray(labels)

    def train_epoch(network, train_set, order):
        totals, size = script.Totals.zero(), network.batch_size
        for begin in range(0, len(order), size):
            batch = order[begin : begin + size]
            network.state, totals = step(network.state, totals, *train_set, batch)
        return script.Totals.result(totals)

    def warm_call(network, train_count, test_count):
        for size in script.spec.batch_shapes(train_count, network.batch_size):
            images = jnp.zeros((train_count, 28, 28, 1))
            labels, batch = jnp.zeros(train_count, jnp.int32), script.np.arange(size, dtype="int32")
            copy = jax.tree.map(jnp.copy, network.state)
            jax.block_until_ready(step(copy, script.Totals.zero(), images, labels, batch))
        for size in script.spec.batch_shapes(test_count, network.batch_size):
            images, labels = jnp.zeros((size, 28, 28, 1)), jnp.zeros(size, jnp.int32)
            jax.block_until_ready(
                script.eval_step(network.state, script.Totals.zero(), images, labels)
            )

    script.place, script.warm_call, script.train_epoch = place, warm_call, train_epoch


def jax_nchw(script):
    """Convolutions in NCHW: `lax.conv_general_dilated` instead of Flax's, which has NHWC only."""
    jax, jnp, nn, spec = script.jax, script.jnp, script.nn, script.spec

    class Conv(nn.Module):
        filters: int
        side: int

        @nn.compact
        def __call__(self, x):
            shape = (self.side, self.side, x.shape[1], self.filters)
            kernel = self.param("kernel", nn.initializers.zeros, shape)
            bias = self.param("bias", nn.initializers.zeros, (self.filters,))
            numbers = ("NCHW", "HWIO", "NCHW")
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)
            return x + bias[:, None, None]

    class CNN(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = jnp.transpose(x, (0, 3, 1, 2))
            x = pool(nn.relu(Conv(spec.CONV1_FILTERS, spec.CONV1_KERNEL, name="conv1")(x)))
            x = pool(nn.relu(Conv(spec.CONV2_FILTERS, spec.CONV2_KERNEL, name="conv2")(x)))
            x = jnp.transpose(x, (0, 2, 3, 1)).reshape(len(x), -1)
            return nn.Dense(spec.CLASSES, name="dense")(x)

    def pool(x):
        return jnp.moveaxis(script.max_pool(jnp.moveaxis(x, 1, -1)), -1, 1)

    script.CNN = CNN


@dataclass(frozen=True)
class Variant:
    """What is changed about a script."""

    change: Callable | None = None
    """Takes the script's module, after its import."""
    xla_flags: str = ""
    """XLA reads them when JAX is imported."""


THUNKS = "--xla_cpu_use_thunk_runtime=true"

VARIANTS = {
    "torch/script": Variant(),
    "torch/NCHW": Variant(torch_nchw),
    "torch/Adam foreach": Variant(torch_adam(foreach=True)),
    "torch/Adam one by one": Variant(torch_adam(foreach=False)),
    "torch/torch.compile": Variant(torch_model(lambda torch, model: model.compile(dynamic=False))),
    "torch/torch.jit.trace": Variant(
        torch_model(lambda torch, model: torch.jit.trace(model, torch.zeros(64, 1, 28, 28)))
    ),
    "torch/DataLoader": Variant(torch_loader),
    "torch/.item() per step": Variant(torch_item),
    "keras/script": Variant(),
    "keras/steps_per_execution 1": Variant(keras_compile(steps_per_execution=1)),
    "keras/steps_per_execution 8": Variant(keras_compile(steps_per_execution=8)),
    "keras/steps_per_execution 128": Variant(keras_compile(steps_per_execution=128)),
    "keras/jit_compile": Variant(keras_compile(jit_compile=True)),
    "keras/arrays": Variant(keras_arrays),
    "keras/tf.data tuned": Variant(keras_tuned),
    "keras/PyDataset": Variant(keras_py_dataset),
    "keras/train_on_batch": Variant(keras_per_batch),
    "jax/script": Variant(),
    "jax/nn.max_pool": Variant(jax_pool),
    "jax/no donation": Variant(jax_no_donation),
    "jax/one step per call": Variant(jax_steps(sys.maxsize)),
    "jax/2 steps per call": Variant(jax_steps(2)),
    "jax/10 steps per call": Variant(jax_steps(10)),
    "jax/20 steps per call": Variant(jax_steps(20)),
    "jax/5 steps per call in a loop": Variant(jax_loop(5)),
    "jax/images on device": Variant(jax_on_device),
    "jax/NCHW": Variant(jax_nchw),
    "jax/thunk runtime": Variant(xla_flags=THUNKS),
    "jax/thunk runtime, nn.max_pool": Variant(jax_pool, THUNKS),
    "jax/thunk runtime, one step per call": Variant(jax_steps(sys.maxsize), THUNKS),
    "jax/thunk runtime, other scheduler": Variant(
        xla_flags=f"{THUNKS} --xla_cpu_enable_concurrency_optimized_scheduler=true"
    ),
}
