//! Writes pairs in batches.

use crate::Error;
use crate::engine::child::Run;
use crate::engine::subject::Subject;

/// Writes the pairs with these numbers and generations; says how many bytes of keys and values.
pub(super) fn write(
    run: &Run<'_>,
    store: &dyn Subject,
    pairs: impl Iterator<Item = (u64, u64)>,
) -> Result<u64, Error> {
    let corpus = run.options.corpus;
    let mut bytes = 0;
    let mut batch = Vec::with_capacity(run.options.batch);
    for (number, generation) in pairs {
        let (key, value) = (corpus.key(number), corpus.value(number, generation));
        bytes += (key.len() + value.len()) as u64;
        batch.push((key, value));
        if batch.len() == run.options.batch {
            store.write(&mut batch)?;
            // Whether it was drained or not, the next batch begins empty.
            batch.clear();
        }
    }
    if !batch.is_empty() {
        store.write(&mut batch)?;
    }
    Ok(bytes)
}
