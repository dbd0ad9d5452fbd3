//! Writes the manual pages of all programs into a folder: `retcd-man target/man`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        eprintln!("Usage: retcd-man FOLDER\n\nWrites the manual pages of all programs there.");
        return ExitCode::from(2);
    };
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
