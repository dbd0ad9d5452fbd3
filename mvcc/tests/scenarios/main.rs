//! Scenarios over a store on the in-memory engine, one file for each behaviour. They share one
//! program, so that it is linked once.

mod revisions_count_write_transactions;
mod support;
