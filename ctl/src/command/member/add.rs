//! `member add`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::{MemberAddRequest, MemberAddResponse};

use super::urls;
use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::go::quote;
use crate::output::{Format, HasHeader, Told};

const EXAMPLES: &str = "Prints the variables with which the new member is to be started.

Examples:
  etcdctl member add node4 --peer-urls=https://10.0.0.4:2380
  etcdctl member add node4 --peer-urls=https://10.0.0.4:2380 --learner    without a vote";

/// Add a member, which is then to be started
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member add [OPTIONS] NAME", after_help = EXAMPLES)]
pub(super) struct Add {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Where members find the new one, separated by commas
    #[arg(long, default_value = "", hide_default_value = true, value_name = "URLS")]
    peer_urls: String,
    /// Add it as a learner: it gets the data, but has no vote
    #[arg(long)]
    learner: bool,
}

impl Add {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let name = self.name()?;
        let peer_ur_ls = urls::split(&self.peer_urls)?;
        let mut session = app.session().await?;
        urls::check(&peer_ur_ls)?;
        let response = session
            .client
            .call(MemberAddRequest { peer_ur_ls, is_learner: self.learner }, session.deadline())
            .await
            .map_err(Failure::error)?;
        let variables = variables(&name, &self.peer_urls, &response);
        let id = response.member.as_ref().map_or(0, |member| member.id);
        let cluster = response.header().cluster_id;
        let text = format!("Member {id:16x} added to cluster {cluster:16x}");
        session.printer.print(&Told::new(text, response).without_fields())?;
        if session.printer.format == Format::Simple {
            session.printer.say(&variables)?;
        }
        Ok(())
    }

    fn name(&self) -> Outcome<String> {
        let texts: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        match &texts[..] {
            [] => Err(Failure::bad_arguments("member name not provided")),
            [name] => Ok(name.clone().into_owned()),
            _ => {
                let is_url = |text: &str| text.to_lowercase().starts_with("http");
                let urls = texts.iter().filter(|text| is_url(text));
                let hints: String =
                    urls.map(|url| format!(", did you mean --peer-urls={url}")).collect();
                Err(Failure::bad_arguments(format!("too many arguments{hints}")))
            }
        }
    }
}

/// With which environment the new member is to be started.
fn variables(name: &str, peer_urls: &str, response: &MemberAddResponse) -> String {
    let new = response.member.as_ref().map(|member| member.id);
    let members = response.members.iter().flat_map(|member| {
        let name = if Some(member.id) == new { name } else { &member.name };
        member.peer_ur_ls.iter().map(move |url| format!("{name}={url}"))
    });
    let cluster = members.collect::<Vec<_>>().join(",");
    let quoted = |text: &str| quote(text.as_bytes());
    [
        String::new(),
        format!("ETCD_NAME={}", quoted(name)),
        format!("ETCD_INITIAL_CLUSTER={}", quoted(&cluster)),
        format!("ETCD_INITIAL_ADVERTISE_PEER_URLS={}", quoted(peer_urls)),
        "ETCD_INITIAL_CLUSTER_STATE=\"existing\"".to_owned(),
    ]
    .join("\n")
}
