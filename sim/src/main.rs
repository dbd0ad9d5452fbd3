//! Runs seeds: one to look at, many to look for failures.
//!
//! ```text
//! retcd-sim --seed N                  one run, whose history is printed if it fails
//! retcd-sim --seeds N [--from N]      N runs, the first with this seed (default 0)
//! retcd-sim --minutes N [--from N]    as many runs as there is time for
//!           --defect NAME             with a bug put in
//!           --keep-going              on after a failure
//! ```

use retcd_sim::{Defect, Plan, Report, run};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: retcd-sim (--seed N | --seeds N | --minutes N) [--from N] \
                     [--defect NAME] [--keep-going]";

struct Arguments {
    from: u64,
    count: u64,
    limit: Duration,
    defect: Option<Defect>,
    keeps_going: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let mut sum = Report::default();
    let mut failed = Vec::new();
    let mut runs = 0;
    let seeds = arguments.from..arguments.from.saturating_add(arguments.count);
    for seed in seeds.take_while(|_| started.elapsed() < arguments.limit) {
        runs += 1;
        match run(&Plan::of(seed, arguments.defect)) {
            Ok(report) => sum = sum.plus(&report),
            Err(failure) => {
                println!("{failure}\n");
                failed.push(seed);
                if !arguments.keeps_going {
                    break;
                }
            }
        }
    }
    println!("{runs} runs in {:.1?}: {sum:?}", started.elapsed());
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed seeds: {failed:?}");
    ExitCode::FAILURE
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments =
        Arguments { from: 0, count: 0, limit: Duration::MAX, defect: None, keeps_going: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |value: String| value.parse::<u64>().map_err(|e| format!("{value}: {e}"));
        match word.as_str() {
            "--seed" => {
                arguments.from = number(value()?)?;
                arguments.count = 1;
            }
            "--seeds" => arguments.count = number(value()?)?,
            "--from" => arguments.from = number(value()?)?,
            "--minutes" => {
                arguments.limit = Duration::from_secs(60 * number(value()?)?);
                arguments.count = u64::MAX;
            }
            "--defect" => {
                let name = value()?;
                let defect = Defect::named(&name).ok_or(format!("there is no defect {name}"))?;
                arguments.defect = Some(defect);
            }
            "--keep-going" => arguments.keeps_going = true,
            _ => return Err(format!("{word} isn't known")),
        }
    }
    if arguments.count == 0 {
        return Err("nothing to run".to_owned());
    }
    Ok(arguments)
}
