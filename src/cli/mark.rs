//! `joulerace mark`: what may be typed.

use crate::phase::{Edge, Phase};

/// `joulerace mark`.
#[derive(Debug, clap::Args)]
pub(crate) struct MarkArgs {
    /// The phase: a name of your own of up to 32 letters, digits, '_', '-' and '.'
    #[arg(value_name = "PHASE", value_parser = phase)]
    pub phase: Phase,
    /// Which end of it this is
    #[arg(value_name = "begin|end", value_parser = edge)]
    pub edge: Edge,
}

fn phase(text: &str) -> Result<Phase, String> {
    match text.parse() {
        Ok(Phase::Run) => {
            Err("run is the process itself; call the phase by another name".to_owned())
        }
        Ok(phase) => Ok(phase),
        Err(error) => Err(format!("{error}")),
    }
}

fn edge(text: &str) -> Result<Edge, String> {
    [Edge::Begin, Edge::End]
        .into_iter()
        .find(|edge| edge.word() == text)
        .ok_or_else(|| "write begin or end".to_owned())
}
