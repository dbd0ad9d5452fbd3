//! One run from its plan to a report, or to a failure that says how to see it again.

use crate::simulation::Simulation;
use crate::trace::Trace;
use crate::{Plan, Report};
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// A run that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run.
    pub plan: Plan,
    /// What doesn't hold.
    pub what: String,
    /// What happened last.
    pub history: Vec<String>,
}

/// Runs a plan to its end.
///
/// # Errors
///
/// What doesn't hold. Assertions of the members count too; the panic's own message goes to the
/// standard error before.
pub fn run(plan: &Plan) -> Result<Report, Box<Failure>> {
    let trace = Rc::new(RefCell::new(Trace::new()));
    let simulation = || Simulation::new(plan, trace.clone()).run();
    catch_unwind(AssertUnwindSafe(simulation)).map_err(|panic| {
        let trace = trace.replace(Trace::new());
        let (plan, what) = (plan.clone(), message(&*panic));
        Box::new(Failure { plan, what, history: trace.into_lines() })
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { plan, what, history } = self;
        for line in history {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {}: {}", plan.seed, plan.describe())?;
        writeln!(f, "failed: {what}")?;
        write!(f, "again: cargo run -p retcd-sim -- --seed {}", plan.seed)?;
        match plan.defect {
            Some(defect) => write!(f, " --defect {defect:?}"),
            None => Ok(()),
        }
    }
}
