//! The CNN in burn: does what its standard input asks for, a line of JSON at a time, and answers each
//! with a line. Arrays come and go by files of plain numbers.

mod network;

use network::{Network, Set, Settings, read};
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{self, BufRead, Write};

/// What may be asked.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Ask {
    /// Images (count, 28, 28, 1) and labels become a set, which is called by its number.
    Place { images: String, labels: String },
    /// A network with these weights, in place of the one before.
    Build {
        weights: String,
        #[serde(flatten)]
        settings: Settings,
    },
    /// Every step once, on black images and a copy.
    Warm { train: Vec<usize>, test: Vec<usize> },
    /// One epoch in an order.
    Train { set: usize, order: String },
    /// One pass without training.
    Evaluate { set: usize },
    /// The output for a whole set.
    Logits { set: usize, output: String },
    /// The present weights, in the order in which they were given.
    Weights { output: String },
    /// Updates so far.
    Steps,
    /// Data type and device.
    Placement,
}

/// The sets that were placed, and the network.
#[derive(Default)]
struct State {
    sets: Vec<Set>,
    network: Option<Network>,
}

impl State {
    fn network(&mut self) -> Result<(&mut Network, &[Set]), Box<dyn Error>> {
        let network = self.network.as_mut().ok_or("no network was built")?;
        Ok((network, &self.sets))
    }

    fn answer(&mut self, ask: Ask) -> Result<Value, Box<dyn Error>> {
        match ask {
            Ask::Place { images, labels } => {
                self.sets.push(Set { images: read(&images)?, labels: read(&labels)? });
                return Ok(json!({ "set": self.sets.len() - 1 }));
            }
            Ask::Build { weights, settings } => {
                self.network = Some(Network::new(&read(&weights)?, settings)?);
                return Ok(json!({}));
            }
            _ => {}
        }
        let (network, sets) = self.network()?;
        let found = |set: usize| sets.get(set).ok_or("no such set");
        Ok(match ask {
            Ask::Warm { train, test } => {
                network.warm(&train, &test);
                json!({})
            }
            Ask::Train { set, order } => {
                let order: Vec<i64> = read(&order)?;
                network.train(found(set)?, &order)
            }
            Ask::Evaluate { set } => network.evaluate(found(set)?),
            Ask::Logits { set, output } => {
                network::write(&output, &network.logits(found(set)?))?;
                json!({})
            }
            Ask::Weights { output } => {
                network::write(&output, &network.weights())?;
                json!({})
            }
            Ask::Steps => json!({ "steps": network.steps() }),
            Ask::Placement => json!({ "dtype": network::DTYPE, "device": "cpu" }),
            Ask::Place { .. } | Ask::Build { .. } => unreachable!("answered above"),
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(out, "{}", json!({ "version": network::BURN }))?;
    out.flush()?;
    let mut state = State::default();
    for line in io::stdin().lock().lines() {
        let answer = state.answer(serde_json::from_str(&line?)?)?;
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
