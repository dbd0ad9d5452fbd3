//! Any bytes as a peer's streams, in pieces of any lengths. Nothing may panic, memory is bounded by
//! what has come, and the pieces don't matter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_fuzz::memory::peak_of;
use retcd_raft_glue::wire::{AppendDecoder, MessageDecoder};

fuzz_target!(|input: &[u8]| {
    let Some((&piece, stream)) = input.split_first() else {
        return;
    };
    let piece = usize::from(piece).max(1);
    let ((), peak) = peak_of(|| {
        assert_eq!(appends(stream, piece), appends(stream, stream.len().max(1)));
        assert_eq!(messages(stream, piece), messages(stream, stream.len().max(1)));
    });
    // Empty messages and entries take a few hundred times what they take on the wire.
    assert!(peak <= (1 << 20) + 2_000 * stream.len(), "{peak} bytes for {}", stream.len());
});

/// How many messages come out, and whether it ends with an error.
fn appends(stream: &[u8], piece: usize) -> (usize, bool) {
    let mut decoder = AppendDecoder::new(1, 2);
    let mut count = 0;
    for piece in stream.chunks(piece) {
        decoder.feed(piece);
        loop {
            match decoder.take() {
                Ok(Some(_)) => count += 1,
                Ok(None) => break,
                Err(_) => return (count, true),
            }
        }
    }
    (count, false)
}

fn messages(stream: &[u8], piece: usize) -> (usize, bool) {
    let mut decoder = MessageDecoder::default();
    let mut count = 0;
    for piece in stream.chunks(piece) {
        decoder.feed(piece);
        loop {
            match decoder.take() {
                Ok(Some(_)) => count += 1,
                Ok(None) => break,
                Err(_) => return (count, true),
            }
        }
    }
    (count, false)
}
