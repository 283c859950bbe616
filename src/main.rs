//! The `joulerace` program: parse, dispatch, and turn the outcome into an exit status. All of it is in `commands`, a
//! file a command. Where each step of an experiment and of a trial is, the head of `run/mod.rs` tells.

fn main() -> std::process::ExitCode {
    joulerace::commands::main()
}
