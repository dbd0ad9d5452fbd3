//! Scenarios over a store on the in-memory engine, one file for each behaviour. They share one
//! program, so that it is linked once.

mod answers_are_those_that_etcd_gave;
mod hash_kv_is_the_number_that_etcd_gives;
mod history;
mod json;
mod revisions_count_write_transactions;
mod support;
