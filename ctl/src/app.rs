//! One run of the program: what commands get at besides their own flags.
//!
//! A command checks its arguments first and then asks for a [`Session`], since that reads the
//! environment, may ask for a password, and connects: mistakes are told in this order.

use crate::cli::{Cli, Environment, FLAGS, Global, GlobalFlag};
use crate::client::{Client, Deadline, Settings};
use crate::failure::{Failure, Outcome};
use crate::output::Printer;

/// What the command line and the environment say.
pub(crate) struct App {
    global: Global,
    given: Vec<GlobalFlag>,
    ends_with_separator: bool,
    environment: Environment,
}

/// A client and a printer, set up as the flags say.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) printer: Printer,
    command_timeout: std::time::Duration,
}

impl Session {
    /// When a request that begins now has to be answered.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.command_timeout)
    }
}

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> Outcome {
    let Cli { global, command, given, ends_with_separator } = cli;
    let environment = Environment::of_process();
    environment.check_api()?;
    let mut app = App { global, given, ends_with_separator, environment };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::error(format!("can't start: {error}")))?;
    let outcome = runtime.block_on(command.run(&mut app));
    // A thread may wait for input that never comes.
    runtime.shutdown_background();
    outcome
}

impl App {
    /// The global flags. Those of the environment are there once [`App::settings`] was called.
    pub(crate) fn global(&self) -> &Global {
        &self.global
    }

    /// Whether a global flag is on the command line.
    pub(crate) fn is_given(&self, flag: &str) -> bool {
        self.given.iter().any(|given| given.name == flag)
    }

    /// The variables of the environment.
    pub(crate) fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }

    /// Whether the command line ends with `--`, which separates nothing then.
    pub(crate) fn ends_with_separator(&self) -> bool {
        self.ends_with_separator
    }

    /// How to connect, and a printer. Asks for the password if there is none.
    pub(crate) fn settings(&mut self) -> Outcome<(Settings, Printer)> {
        self.environment.apply(&mut self.global, &self.given)?;
        if self.global.debug {
            self.show_flags();
        }
        let settings = Settings::new(&self.global, |flag| self.is_given(flag))?;
        let printer = Printer::new(&self.global.write_out, self.global.hex)?;
        Ok((settings, printer))
    }

    /// Connects, logs in if there is a user, and returns what to work with.
    pub(crate) async fn session(&mut self) -> Outcome<Session> {
        let (settings, printer) = self.settings()?;
        let client = Client::connect(settings).await?;
        Ok(Session { client, printer, command_timeout: self.global.command_timeout })
    }

    fn show_flags(&self) {
        for flag in FLAGS {
            let mut value = flag.show(&self.global);
            if flag.is_secret() && !value.is_empty() {
                value = "<hidden>".to_owned();
            }
            eprintln!("{}={value}", flag.variable());
        }
    }
}
