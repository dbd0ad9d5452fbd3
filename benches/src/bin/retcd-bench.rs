//! The load program; see `--help` and `docs/testing.md`.

use std::process::ExitCode;

use retcd_benches::options::{Options, USAGE};
use retcd_benches::suite;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Options::parse(arguments).and_then(|options| suite::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("retcd-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
