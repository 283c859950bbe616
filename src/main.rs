//! The `joulerace` program: parse, dispatch, and turn the outcome into an exit status.

fn main() -> std::process::ExitCode {
    joulerace::commands::main()
}
