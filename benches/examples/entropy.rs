//! How far the reference loads compress: bytes per object, alone, in blocks and as one stream.
//!
//! `cargo run --release -p retcd-benches --example entropy -- [OBJECTS]`

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use retcd_benches::Error;
use retcd_benches::corpus::{Corpus, Kind};

/// Objects in the order of their keys, as tables hold them.
const OBJECTS: u64 = 20_000;
/// What a store that compresses block by block works with.
const BLOCK_BYTES: usize = 8 << 10;

fn main() -> Result<(), Error> {
    let objects = std::env::args().nth(1).map_or(Ok(OBJECTS), |count| count.parse())?;
    println!("| load | bytes | how | gzip -6 | zstd -1 | zstd -3 | zstd -19 |");
    println!("|---|---|---|---|---|---|---|");
    for (name, kind) in [("R", Kind::R), ("K8s", Kind::K8s)] {
        let corpus = Corpus::new(kind);
        let mut pairs: Vec<(Bytes, Bytes)> =
            (0..objects).map(|number| (corpus.key(number), corpus.value(number, 0))).collect();
        pairs.sort();
        let values: Vec<&[u8]> = pairs.iter().map(|(_, value)| &value[..]).collect();
        let stream = values.concat();
        let blocks: Vec<&[u8]> = stream.chunks(BLOCK_BYTES).collect();
        let bytes = stream.len() as f64 / objects as f64;
        let ways = [("each alone", values), ("blocks of 8 KiB", blocks), ("stream", vec![&stream])];
        for (how, pieces) in ways {
            let per_object = |compress: &dyn Fn(&[u8]) -> Result<usize, Error>| {
                let sizes = pieces.iter().map(|piece| compress(piece));
                let total = sizes.sum::<Result<usize, Error>>()?;
                Ok::<_, Error>(total as f64 / objects as f64)
            };
            let zstd = |level| per_object(&|piece| Ok(zstd::bulk::compress(piece, level)?.len()));
            let (gzip, low, middle, high) = (per_object(&gzip)?, zstd(1)?, zstd(3)?, zstd(19)?);
            println!(
                "| {name} | {bytes:.0} | {how} | {gzip:.0} | {low:.0} | {middle:.0} | {high:.0} |"
            );
        }
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> Result<usize, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
