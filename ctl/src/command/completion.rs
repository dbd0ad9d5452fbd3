//! `completion`: scripts by which shells complete command lines.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use crate::failure::{Failure, Outcome};

const EXAMPLES: &str = "Examples:
  source <(etcdctl completion bash)
  etcdctl completion zsh > \"${fpath[1]}/_etcdctl\"
  etcdctl completion fish > ~/.config/fish/completions/etcdctl.fish";

/// Print a script that completes command lines in a shell
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl completion bash|zsh|fish|powershell", after_help = EXAMPLES)]
pub(crate) struct Completion {
    #[arg(hide = true)]
    args: Vec<String>,
}

impl Completion {
    pub(super) fn run(&self) -> Outcome {
        let shell = match &self.args[..] {
            [name] => match name.as_str() {
                "bash" => Shell::Bash,
                "zsh" => Shell::Zsh,
                "fish" => Shell::Fish,
                "powershell" => Shell::PowerShell,
                other => {
                    return Err(Failure::error(format!("no completion for the shell {other}")));
                }
            },
            _ => {
                return Err(Failure::error(
                    "completion needs a shell: bash, zsh, fish, powershell",
                ));
            }
        };
        let mut grammar = crate::cli::grammar();
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut grammar, "etcdctl", &mut script);
        Ok(std::io::stdout().write_all(&script)?)
    }
}
