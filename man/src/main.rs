//! Writes the manual pages of all programs into a folder: `retcd-man target/man`.

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "Usage: retcd-man FOLDER\n\nWrites the manual pages of all programs there.";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match folder.to_str() {
        Some("-h" | "--help") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(flag) if flag.starts_with('-') => {
            eprintln!("Error: unknown flag: {flag}\n\n{USAGE}");
            return ExitCode::from(2);
        }
        _ => {}
    }
    let folder = PathBuf::from(folder);
    let pages = retcd_man::pages();
    let write = || {
        std::fs::create_dir_all(&folder)?;
        pages.iter().try_for_each(|page| std::fs::write(folder.join(page.file_name()), &page.roff))
    };
    match write() {
        Ok(()) => {
            println!("{} pages in {}", pages.len(), folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
