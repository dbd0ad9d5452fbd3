//! The part of `protoc` that build scripts use: files in, a descriptor set out.
//!
//! Understands exactly the arguments that `prost-build` and `protobuf-build` pass
//! (`--include_imports --include_source_info -o FILE -I DIR… FILE…`, and `--version` alone);
//! anything else is refused, so that a caller which needs more of the real compiler learns it at
//! once.

use std::path::PathBuf;
use std::process::ExitCode;

use protox::Compiler;

/// The version told to callers that insist on one: `protobuf-build` takes 3.1 and later.
const VERSION: &str = "libprotoc 3.21.0";

/// What one invocation asks for.
#[derive(Default)]
struct Request {
    include_imports: bool,
    include_source_info: bool,
    output: Option<PathBuf>,
    include_dirs: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    if std::env::args().skip(1).eq(["--version"]) {
        println!("{VERSION}");
        return ExitCode::SUCCESS;
    }
    match parse(std::env::args().skip(1)).and_then(|request| compile(&request)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request::default();
    while let Some(argument) = arguments.next() {
        if argument == "--include_imports" {
            request.include_imports = true;
        } else if argument == "--include_source_info" {
            request.include_source_info = true;
        } else if argument == "-o" {
            let path = arguments.next().ok_or("-o needs a file")?;
            request.output = Some(path.into());
        } else if argument == "-I" {
            let path = arguments.next().ok_or("-I needs a directory")?;
            request.include_dirs.push(path.into());
        } else if let Some(path) = argument.strip_prefix("-I") {
            request.include_dirs.push(path.into());
        } else if argument.starts_with('-') {
            return Err(format!("argument not supported by this protoc: {argument}"));
        } else {
            request.files.push(argument.into());
        }
    }
    Ok(request)
}

fn compile(request: &Request) -> Result<(), String> {
    let output = request.output.as_ref().ok_or("no output file given (-o FILE)")?;
    let mut compiler =
        Compiler::new(&request.include_dirs).map_err(|error| format!("{error:?}"))?;
    compiler.include_imports(request.include_imports);
    compiler.include_source_info(request.include_source_info);
    compiler.open_files(&request.files).map_err(|error| format!("{error:?}"))?;
    std::fs::write(output, compiler.encode_file_descriptor_set())
        .map_err(|error| format!("{}: {error}", output.display()))
}
