//! Everything that isn't a pair.

use bytes::Bytes;
use retcd_engine::Keyspace;
use retcd_engine::bolt::{Bucket, Entry};
use retcd_engine::table::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

use super::{Import, ImportMembers, foreign};
use crate::auth::AUTH_ENABLED_NAME;
use crate::etcd_database::PAIRS;
use crate::etcd_items::{ITEM_BUCKETS, named_item};
use crate::membership::{Item, MetaItem};
use crate::{Error, Result};

/// Buckets that say who the members are.
const MEMBER_BUCKETS: [&str; 2] = ["members", "members_removed"];
/// The bucket of what concerns the database itself.
const META: &str = "meta";

/// Most names of buckets that are told to be left out.
const IGNORED_MAX: usize = 16;

impl Import<'_> {
    /// Takes the other buckets over.
    pub(super) fn items(&mut self) -> Result<()> {
        let keeps_members = match self.target.members {
            ImportMembers::Kept => true,
            ImportMembers::Founders(members) => {
                for member in members {
                    let MetaItem { name, value } = Item::Member(member.clone()).to_meta();
                    let value = value.unwrap_or_default();
                    self.push_named(Keyspace::Meta, name, value)?;
                }
                false
            }
        };
        let database = self.database;
        for entry in database.root().entries(database).map_err(Error::Source)? {
            let (name, entry) = entry.map_err(Error::Source)?;
            let known = ITEM_BUCKETS.iter().find(|known| known.as_bytes() == &name[..]);
            if known.is_some_and(|known| MEMBER_BUCKETS.contains(known)) && !keeps_members {
                continue;
            }
            match (entry, known) {
                (Entry::Bucket(bucket), Some(known)) => self.bucket(known, &bucket)?,
                _ if name == PAIRS || name == META => {}
                _ if self.imported.ignored.len() < IGNORED_MAX => {
                    self.imported.ignored.push(name.escape_ascii().to_string());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn bucket(&mut self, name: &'static str, bucket: &Bucket) -> Result<()> {
        let database = self.database;
        for entry in bucket.entries(database).map_err(Error::Source)? {
            let (key, entry) = entry.map_err(Error::Source)?;
            let wrong = |reason| foreign(name, &key, reason);
            let Entry::Value(value) = entry else {
                return Err(wrong("a bucket where there is none"));
            };
            if key.len() > KEY_BYTES_MAX / 2 || value.len() > VALUE_BYTES_MAX / 2 {
                return Err(wrong("it is longer than any that can be kept"));
            }
            let value = Bytes::copy_from_slice(&value);
            let Some((item, value)) = named_item(name, &key, &value).map_err(wrong)? else {
                continue;
            };
            match name {
                "lease" => self.imported.leases += 1,
                "authUsers" => self.imported.users += 1,
                "alarm" => self.imported.alarms += 1,
                _ => {}
            }
            self.imported.auth_enabled |= item == AUTH_ENABLED_NAME && value[..] == [1];
            self.push_named(Keyspace::Meta, item, value)?;
        }
        Ok(())
    }
}
