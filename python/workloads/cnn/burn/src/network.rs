//! The network, its optimiser and its steps.

use burn::backend::ndarray::NdArrayDevice;
use burn::backend::{Autodiff, NdArray};
use burn::module::{AutodiffModule, Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;

/// burn's version, as `Cargo.toml` asks for it.
pub const BURN: &str = "0.20.1";
/// Of images, weights, optimiser state and arithmetic: `NdArray`'s, below.
pub const DTYPE: &str = "float32";

type Inner = NdArray<f32>;
type Trained = Autodiff<Inner>;
const DEVICE: NdArrayDevice = NdArrayDevice::Cpu;
const PIXELS: usize = 28 * 28;
const CLASSES: usize = 10;

/// The layers; returns logits. Images and kernels are laid out as in the specification: (images,
/// height, width, channels) and (height, width, in, out).
#[derive(Module, Debug)]
struct Cnn<B: Backend> {
    conv1: Param<Tensor<B, 4>>,
    bias1: Param<Tensor<B, 1>>,
    conv2: Param<Tensor<B, 4>>,
    bias2: Param<Tensor<B, 1>>,
    dense: Param<Tensor<B, 2>>,
    bias3: Param<Tensor<B, 1>>,
}

impl<B: Backend> Cnn<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = max_pool(relu(conv(x, self.conv1.val(), self.bias1.val())));
        let x = max_pool(relu(conv(x, self.conv2.val(), self.bias2.val())));
        x.flatten::<2>(1, 3).matmul(self.dense.val()) + self.bias3.val().unsqueeze()
    }
}

/// A convolution, 'same', as a product of patches: burn's own takes some twenty times as long to go
/// backward on this back end.
fn conv<B: Backend>(x: Tensor<B, 4>, kernel: Tensor<B, 4>, bias: Tensor<B, 1>) -> Tensor<B, 4> {
    let [images, height, width, channels] = x.dims();
    let [side, _, _, filters] = kernel.dims();
    let edge = side / 2;
    let device = x.device();
    let above = Tensor::zeros([images, edge, width, channels], &device);
    let x = Tensor::cat(vec![above.clone(), x, above], 1);
    let beside = Tensor::zeros([images, height + 2 * edge, edge, channels], &device);
    let x = Tensor::cat(vec![beside.clone(), x, beside], 2);
    let shifts = (0..side).flat_map(|down| (0..side).map(move |right| (down, right)));
    let shifted = |(down, right): (usize, usize)| {
        let rows = down..down + height;
        x.clone().slice([0..images, rows, right..right + width, 0..channels])
    };
    let patches: Tensor<B, 4> = Tensor::cat(shifts.map(shifted).collect(), 3);
    let inputs = side * side * channels;
    let flat = patches.reshape([images * height * width, inputs]);
    let out = flat.matmul(kernel.reshape([inputs, filters])) + bias.unsqueeze();
    out.reshape([images, height, width, filters])
}

/// 2×2, stride 2; the first of equal values takes the gradient.
fn max_pool<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    let [images, height, width, channels] = x.dims();
    let x = x.reshape([images, height / 2, 2, width / 2, 2, channels]);
    x.max_dim(4).max_dim(2).reshape([images, height / 2, width / 2, channels])
}

/// Images and labels, one after the other.
pub struct Set {
    pub images: Vec<f32>,
    pub labels: Vec<i64>,
}

impl Set {
    /// The images at these places, as a batch.
    fn batch<B: Backend>(
        &self,
        places: &[i64],
        device: &B::Device,
    ) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
        let mut images = Vec::with_capacity(places.len() * PIXELS);
        let mut labels = Vec::with_capacity(places.len());
        for place in places.iter().map(|place| *place as usize) {
            images.extend_from_slice(&self.images[place * PIXELS..(place + 1) * PIXELS]);
            labels.push(self.labels[place]);
        }
        let images = TensorData::new(images, [places.len(), 28, 28, 1]);
        let labels = TensorData::new(labels, [places.len()]);
        (Tensor::from_data(images, device), Tensor::from_data(labels, device))
    }
}

/// The optimiser's settings and the batch size.
#[derive(Clone, Deserialize)]
pub struct Settings {
    batch_size: usize,
    learning_rate: f64,
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
}

/// Sums over a pass.
#[derive(Default)]
struct Sums {
    loss: f64,
    hits: i64,
    images: usize,
    batches: usize,
}

impl Sums {
    fn add<B: Backend>(&mut self, loss: f32, logits: Tensor<B, 2>, labels: Tensor<B, 1, Int>) {
        let images = labels.dims()[0];
        let hits = logits.argmax(1).reshape([images]).equal(labels).int().sum();
        self.loss += f64::from(loss) * images as f64;
        self.hits += hits.into_data().iter::<i64>().sum::<i64>();
        self.images += images;
        self.batches += 1;
    }

    fn told(&self) -> Value {
        json!({
            "loss": self.loss / self.images as f64,
            "accuracy": self.hits as f64 / self.images as f64,
            "images": self.images,
            "batches": self.batches,
        })
    }
}

type Optimiser = OptimizerAdaptor<Adam, Cnn<Trained>, Trained>;

/// What a trial trains.
pub struct Network {
    model: Cnn<Trained>,
    optimiser: Optimiser,
    settings: Settings,
    steps: usize,
}

impl Network {
    /// With weights that lie one after the other, in the specification's order and layout.
    ///
    /// # Errors
    ///
    /// Where there are too few or too many.
    pub fn new(weights: &[f32], settings: Settings) -> Result<Network, String> {
        let mut left = weights;
        let model = Cnn {
            conv1: parameter(&mut left, [3, 3, 1, 64])?,
            bias1: parameter(&mut left, [64])?,
            conv2: parameter(&mut left, [5, 5, 64, 128])?,
            bias2: parameter(&mut left, [128])?,
            dense: parameter(&mut left, [7 * 7 * 128, CLASSES])?,
            bias3: parameter(&mut left, [CLASSES])?,
        };
        if !left.is_empty() {
            return Err(format!("{} weights are left over", left.len()));
        }
        Ok(Network { model, optimiser: optimiser(&settings), settings, steps: 0 })
    }

    /// One batch: forward, backward, update.
    fn step(
        &mut self,
        images: Tensor<Trained, 4>,
        labels: Tensor<Trained, 1, Int>,
        sums: &mut Sums,
    ) {
        let logits = self.model.forward(images);
        let loss =
            CrossEntropyLossConfig::new().init(&DEVICE).forward(logits.clone(), labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        let rate = self.settings.learning_rate;
        self.model = self.optimiser.step(rate, self.model.clone(), gradients);
        self.steps += 1;
        sums.add(loss.into_scalar(), logits, labels);
    }

    /// Trains on the images in this order, batch by batch, the last partial one included.
    pub fn train(&mut self, set: &Set, order: &[i64]) -> Value {
        let mut sums = Sums::default();
        for places in order.chunks(self.settings.batch_size) {
            let (images, labels) = set.batch(places, &DEVICE);
            self.step(images, labels, &mut sums);
        }
        sums.told()
    }

    /// Mean loss and accuracy in the same batch size, without gradients.
    pub fn evaluate(&self, set: &Set) -> Value {
        let model = self.model.valid();
        let loss = CrossEntropyLossConfig::new().init::<Inner>(&DEVICE);
        let mut sums = Sums::default();
        let order: Vec<i64> = (0..set.labels.len() as i64).collect();
        for places in order.chunks(self.settings.batch_size) {
            let (images, labels) = set.batch::<Inner>(places, &DEVICE);
            let logits = model.forward(images);
            let mean = loss.forward(logits.clone(), labels.clone()).into_scalar();
            sums.add(mean, logits, labels);
        }
        sums.told()
    }

    /// Every step once for batches of these sizes, on black images and a copy.
    pub fn warm(&self, train: &[usize], test: &[usize]) {
        let settings = self.settings.clone();
        let mut copy = Network {
            model: self.model.clone(),
            optimiser: optimiser(&settings),
            settings,
            steps: 0,
        };
        let black = |size: &usize| Set { images: vec![0.0; size * PIXELS], labels: vec![0; *size] };
        for set in train.iter().map(black) {
            let order: Vec<i64> = (0..set.labels.len() as i64).collect();
            copy.train(&set, &order);
        }
        for set in test.iter().map(black) {
            copy.evaluate(&set);
        }
    }

    /// The output for a whole set.
    pub fn logits(&self, set: &Set) -> Vec<f32> {
        let order: Vec<i64> = (0..set.labels.len() as i64).collect();
        let (images, _) = set.batch::<Inner>(&order, &DEVICE);
        values(self.model.valid().forward(images))
    }

    /// As `new` takes them.
    pub fn weights(&self) -> Vec<f32> {
        let model = self.model.valid();
        [
            values(model.conv1.val()),
            values(model.bias1.val()),
            values(model.conv2.val()),
            values(model.bias2.val()),
            values(model.dense.val()),
            values(model.bias3.val()),
        ]
        .concat()
    }

    /// Updates so far.
    pub fn steps(&self) -> usize {
        self.steps
    }
}

fn optimiser(settings: &Settings) -> Optimiser {
    AdamConfig::new()
        .with_beta_1(settings.beta_1)
        .with_beta_2(settings.beta_2)
        .with_epsilon(settings.epsilon)
        .init()
}

/// Takes a parameter's numbers from the front.
fn parameter<const D: usize>(
    left: &mut &[f32],
    shape: [usize; D],
) -> Result<Param<Tensor<Trained, D>>, String> {
    let count = shape.iter().product();
    let (mine, rest) = left.split_at_checked(count).ok_or("too few weights")?;
    *left = rest;
    Ok(Param::from_tensor(Tensor::from_data(TensorData::new(mine.to_vec(), shape), &DEVICE)))
}

fn values<const D: usize>(tensor: Tensor<Inner, D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// A number of a file.
pub trait Number: Sized {
    const BYTES: usize;
    fn of(bytes: &[u8]) -> Self;
}

impl Number for f32 {
    const BYTES: usize = 4;
    fn of(bytes: &[u8]) -> f32 {
        f32::from_ne_bytes(bytes.try_into().unwrap_or_default())
    }
}

impl Number for i64 {
    const BYTES: usize = 8;
    fn of(bytes: &[u8]) -> i64 {
        i64::from_ne_bytes(bytes.try_into().unwrap_or_default())
    }
}

/// A file's numbers.
pub fn read<T: Number>(path: &str) -> io::Result<Vec<T>> {
    Ok(std::fs::read(path)?.chunks_exact(T::BYTES).map(T::of).collect())
}

/// Writes numbers as [`read`] reads them.
pub fn write(path: &str, values: &[f32]) -> io::Result<()> {
    std::fs::write(path, values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<u8>>())
}
