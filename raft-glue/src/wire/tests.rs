//! What goes in comes out, short where it can be, and what is no stream is refused.

use super::*;
use bytes::{BufMut, Bytes, BytesMut};
use retcd_api::raftpb::{Entry, Message, MessageType};

const FROM: u64 = 7;
const TO: u64 = 9;

fn append(term: u64, log_term: u64, index: u64, entries: &[(u64, u64)]) -> Message {
    let entry = |&(term, index)| Entry {
        term,
        index,
        data: Some(Bytes::from(vec![index as u8; 5])),
        ..Entry::default()
    };
    Message {
        r#type: MessageType::MsgApp.into(),
        from: FROM,
        to: TO,
        term,
        log_term,
        index,
        entries: entries.iter().map(entry).collect(),
        commit: index,
        ..Message::default()
    }
}

/// Appends of which the second, third and last go on where the one before ended.
fn appends() -> [Message; 7] {
    [
        append(3, 2, 10, &[(2, 11), (3, 12)]),
        append(3, 3, 12, &[(3, 13), (3, 14), (3, 15)]),
        append(3, 3, 15, &[]),
        append(3, 3, 13, &[(3, 14)]),
        append(4, 3, 14, &[(4, 15)]),
        append(4, 3, 14, &[]),
        append(4, 4, 15, &[(4, 16)]),
    ]
}

fn decoded(stream: &[u8], piece: usize) -> Vec<Message> {
    let mut decoder = AppendDecoder::new(FROM, TO);
    let mut messages = Vec::new();
    for piece in stream.chunks(piece) {
        decoder.feed(piece);
        while let Some(message) = decoder.take().expect("it was encoded") {
            messages.push(message);
        }
    }
    messages
}

#[test]
fn appends_come_out_as_they_went_in_whatever_the_pieces() {
    let mut encoder = AppendEncoder::default();
    let mut stream = BytesMut::new();
    for message in &appends() {
        encoder.heartbeat(&mut stream);
        encoder.encode(message, &mut stream);
    }
    for piece in [1, 2, 7, 64, stream.len()] {
        assert_eq!(decoded(&stream, piece), appends(), "pieces of {piece}");
    }
}

#[test]
fn an_append_that_goes_on_is_sent_short() {
    let mut encoder = AppendEncoder::default();
    let kinds = appends().map(|message| {
        let mut stream = BytesMut::new();
        encoder.encode(&message, &mut stream);
        stream[0]
    });
    // The one before the last has no entries and ends at 14.
    assert_eq!(kinds, [2, 1, 1, 2, 2, 2, 2]);
}

#[test]
fn the_bytes_are_etcds() {
    let mut encoder = AppendEncoder::default();
    let mut stream = BytesMut::new();
    encoder.encode(&append(1, 1, 4, &[]), &mut stream);
    stream.clear();
    let mut next = append(1, 1, 4, &[(1, 5)]);
    next.entries[0].data = Some(Bytes::from_static(b"x"));
    next.commit = 3;
    encoder.encode(&next, &mut stream);
    let entry = [8, 0, 16, 1, 24, 5, 34, 1, b'x'];
    let mut wanted = vec![1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, entry.len() as u8];
    wanted.extend(entry);
    wanted.extend([0, 0, 0, 0, 0, 0, 0, 3]);
    assert_eq!(&stream[..], wanted);
}

#[test]
fn whole_messages_go_both_ways_and_link_heartbeats_are_not_shown() {
    let vote = Message {
        r#type: MessageType::MsgVote.into(),
        from: FROM,
        to: TO,
        term: 5,
        context: Some(Bytes::from_static(b"CampaignTransfer")),
        ..Message::default()
    };
    let heartbeat = Message { r#type: MessageType::MsgHeartbeat.into(), ..vote.clone() };
    let mut stream = BytesMut::new();
    encode_message_heartbeat(&mut stream);
    encode_message(&vote, &mut stream);
    encode_message_heartbeat(&mut stream);
    encode_message(&heartbeat, &mut stream);
    let mut decoder = MessageDecoder::default();
    let mut messages = Vec::new();
    for piece in stream.chunks(3) {
        decoder.feed(piece);
        while let Some(message) = decoder.take().expect("it was encoded") {
            messages.push(message);
        }
    }
    assert_eq!(messages, [vote, heartbeat]);
}

#[test]
fn what_is_no_stream_is_refused() {
    let refused = |bytes: &[u8]| {
        let mut decoder = AppendDecoder::new(FROM, TO);
        decoder.feed(bytes);
        decoder.take().expect_err("it isn't a stream")
    };
    assert!(matches!(refused(&[3]), WireError::Malformed(_)));
    assert_eq!(refused(&[2, 0, 0, 0, 0, 5, 0, 0, 0]), WireError::TooLong);
    assert!(matches!(refused(&[2, 0, 0, 0, 0, 0, 0, 0, 1, 255]), WireError::Malformed(_)));
    let mut vote = BytesMut::new();
    vote.put_u8(2);
    let kind = MessageType::MsgVote.into();
    encode_message(&Message { r#type: kind, ..Message::default() }, &mut vote);
    assert!(matches!(refused(&vote), WireError::Malformed(_)));
    // Very many entries are announced, and none is there: that is only not all yet.
    let mut decoder = AppendDecoder::new(FROM, TO);
    decoder.feed(&[1, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(decoder.take(), Ok(None));
}
