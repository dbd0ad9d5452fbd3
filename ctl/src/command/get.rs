//! `get`: reads keys.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};

use super::keys::Selection;
use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::go::quote;
use crate::output::Format;

const EXAMPLES: &str = "Examples:
  etcdctl get greeting                        one key
  etcdctl get app/ --prefix --keys-only       the names of all keys that begin with app/
  etcdctl get a m                             all keys from a up to m, m excluded
  etcdctl get '' --from-key --limit 10 -w json    the first ten keys of all
  etcdctl get greeting --rev 5                as it was at revision 5";

/// Read keys
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl get [OPTIONS] KEY [RANGE_END]", after_help = EXAMPLES)]
pub(crate) struct Get {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// All keys that begin with KEY
    #[arg(long)]
    prefix: bool,
    /// KEY and all keys behind it
    #[arg(long)]
    from_key: bool,
    /// At most so many; 0 for all
    #[arg(long, default_value_t = 0, value_name = "N")]
    limit: i64,
    /// As it was at this revision; 0 for now
    #[arg(long, default_value_t = 0, value_name = "REVISION")]
    rev: i64,
    /// Order of the results: ASCEND or DESCEND
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ORDER")]
    order: String,
    /// Sort by: CREATE, KEY, MODIFY, VALUE or VERSION
    #[arg(long, default_value = "", hide_default_value = true, value_name = "WHAT")]
    sort_by: String,
    /// Ask the leader whether this is the newest (l), or answer from the member's own state (s)
    #[arg(long, default_value = "l", value_name = "l|s")]
    consistency: String,
    /// No values
    #[arg(long)]
    keys_only: bool,
    /// How many there are, and no keys; with --write-out=fields
    #[arg(long)]
    count_only: bool,
    /// Values alone; with --write-out=simple
    #[arg(long)]
    print_value_only: bool,
    /// Only keys created at this revision or later
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    min_create_rev: i64,
    /// Only keys created at this revision or earlier
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    max_create_rev: i64,
    /// Only keys changed last at this revision or later
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    min_mod_rev: i64,
    /// Only keys changed last at this revision or earlier
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    max_mod_rev: i64,
}

impl Get {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let request = self.request()?;
        let mut session = app.session().await?;
        if self.count_only && session.printer.format != Format::Fields {
            return Err(Failure::bad_arguments("--count-only is only for `--write-out=fields`"));
        }
        if self.print_value_only && session.printer.format != Format::Simple {
            let message = "print-value-only is only for `--write-out=simple`";
            return Err(Failure::bad_arguments(message));
        }
        session.printer.page.is_value_only = self.print_value_only;
        let response = session.client.call(request, session.deadline()).await;
        session.printer.print(&response.map_err(Failure::error)?)
    }

    /// The request that arguments and flags make.
    pub(super) fn request(&self) -> Outcome<RangeRequest> {
        let Some((key, rest)) = self.args.split_first() else {
            return Err(Failure::bad_arguments(
                "get command needs one argument as key and an optional argument as range_end",
            ));
        };
        let selection = Selection::new(self.prefix, self.from_key)?;
        if self.keys_only && self.count_only {
            return Err(Failure::bad_arguments(
                "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
            ));
        }
        let serializable = is_serializable(&self.consistency)?;
        check_order("CreateRev", self.min_create_rev, self.max_create_rev)?;
        check_order("ModRev", self.min_mod_rev, self.max_mod_rev)?;
        let range = selection.range(key, rest)?;
        let (sort_order, sort_target) = self.sorting()?;
        Ok(RangeRequest {
            key: range.key,
            range_end: range.end,
            limit: self.limit,
            revision: self.rev.max(0),
            sort_order: sort_order.into(),
            sort_target: sort_target.into(),
            serializable,
            keys_only: self.keys_only,
            count_only: self.count_only,
            min_mod_revision: self.min_mod_rev.max(0),
            max_mod_revision: self.max_mod_rev.max(0),
            min_create_revision: self.min_create_rev.max(0),
            max_create_revision: self.max_create_rev.max(0),
        })
    }

    fn sorting(&self) -> Outcome<(SortOrder, SortTarget)> {
        let order = match self.order.to_uppercase().as_str() {
            "" => SortOrder::None,
            "ASCEND" => SortOrder::Ascend,
            "DESCEND" => SortOrder::Descend,
            _ => return Err(Failure::bad_feature(format!("bad sort order {}", self.order))),
        };
        let target = match self.sort_by.to_uppercase().as_str() {
            "" | "KEY" => SortTarget::Key,
            "CREATE" => SortTarget::Create,
            "MODIFY" => SortTarget::Mod,
            "VALUE" => SortTarget::Value,
            "VERSION" => SortTarget::Version,
            _ => return Err(Failure::bad_feature(format!("bad sort target {}", self.sort_by))),
        };
        // Results come in this order anyway, and the member needn't gather them all to sort them.
        if target == SortTarget::Key && order == SortOrder::Ascend {
            return Ok((SortOrder::None, target));
        }
        Ok((order, target))
    }
}

/// Whether `--consistency` asks for the member's own state.
pub(super) fn is_serializable(consistency: &str) -> Outcome<bool> {
    match consistency {
        "l" => Ok(false),
        "s" => Ok(true),
        other => {
            let other = quote(other.as_bytes());
            Err(Failure::bad_feature(format!("unknown consistency flag {other}")))
        }
    }
}

fn check_order(name: &str, min: i64, max: i64) -> Outcome {
    if max > 0 && min > max {
        let message = format!("getMin{name}(={min}) > getMax{name}(={max})");
        return Err(Failure::bad_feature(message));
    }
    Ok(())
}
