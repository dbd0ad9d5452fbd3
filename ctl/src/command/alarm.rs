//! `alarm`: what keeps a cluster from taking writes until somebody has looked.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use retcd_api::etcdserverpb::alarm_request::AlarmAction;
use retcd_api::etcdserverpb::{AlarmRequest, AlarmType};

use crate::app::App;
use crate::failure::{Failure, Outcome};

const ALARM_EXAMPLES: &str = "Examples:
  etcdctl alarm list
  etcdctl alarm disarm";

/// Alarms: print them, and take them back
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = ALARM_EXAMPLES)]
pub(crate) struct Alarm {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Disarm(Disarm),
}

/// Print all alarms
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl alarm list")]
#[command(after_help = "Example:\n  etcdctl alarm list")]
struct List {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

/// Take all alarms back, and print them
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl alarm disarm")]
#[command(after_help = "Example:\n  etcdctl alarm disarm")]
struct Disarm {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Alarm {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let (args, name, action) = match &self.action {
            Action::List(list) => (&list.args, "list", AlarmAction::Get),
            Action::Disarm(disarm) => (&disarm.args, "disarm", AlarmAction::Deactivate),
        };
        if !args.is_empty() {
            let message = format!("alarm {name} command accepts no arguments");
            return Err(Failure::bad_arguments(message));
        }
        let mut session = app.session().await?;
        let deadline = session.deadline();
        let ask = |action: AlarmAction, member_id, alarm| {
            let request = AlarmRequest { action: action.into(), member_id, alarm };
            session.client.call(request, deadline)
        };
        let none = i32::from(AlarmType::None);
        let mut response = ask(AlarmAction::Get, 0, none).await.map_err(Failure::error)?;
        if action == AlarmAction::Deactivate {
            // Each is taken back by itself; the answer is what was taken back, and has no header.
            let mut disarmed = Vec::new();
            for raised in &response.alarms {
                let answer = ask(action, raised.member_id, raised.alarm).await;
                disarmed.extend(answer.map_err(Failure::error)?.alarms);
            }
            response.header = None;
            response.alarms = disarmed;
        }
        session.printer.print(&response)
    }
}
