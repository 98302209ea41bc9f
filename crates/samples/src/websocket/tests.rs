use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::echo;
use super::frame::{self, End, Opcode, Parsed};

const MASK: [u8; 4] = [1, 2, 3, 4];

/// A frame as a client sends it: masked.
fn masked(end: End, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let unmasked = frame::encode(end, opcode, payload);
    let head = unmasked.len() - payload.len();
    let mut frame = unmasked[..head].to_vec();
    frame[1] |= 0x80;
    frame.extend(MASK);
    let payload = payload.iter().zip(MASK.iter().cycle());
    frame.extend(payload.map(|(byte, mask)| byte ^ mask));
    frame
}

/// What comes back for `sent`, when nothing more is sent.
async fn answer(sent: &[u8]) -> Vec<u8> {
    let (client, server) = tokio::io::duplex(64);
    let serving = tokio::spawn(echo(server));
    let (mut reader, mut writer) = tokio::io::split::<DuplexStream>(client);
    let sent = sent.to_vec();
    let sending = tokio::spawn(async move {
        // The server may close before it has read everything.
        let _ = writer.write_all(&sent).await;
        let _ = writer.shutdown().await;
    });
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).await.unwrap();
    sending.await.unwrap();
    let _ = serving.await.unwrap();
    answer
}

#[tokio::test]
async fn frames_come_back_unmasked() {
    for length in [0, 1, 125, 126, 65_535, 65_536] {
        let payload = vec![b'x'; length];
        for (end, opcode) in [
            (End::Final, Opcode::Text),
            (End::Continued, Opcode::Binary),
            (End::Final, Opcode::Continuation),
        ] {
            let sent = masked(end, opcode, &payload);
            assert_eq!(answer(&sent).await, frame::encode(end, opcode, &payload));
        }
    }
}

#[tokio::test]
async fn pings_are_answered_and_pongs_are_not() {
    let sent = [
        masked(End::Final, Opcode::Pong, b"a"),
        masked(End::Final, Opcode::Ping, b"b"),
    ];
    let expected = frame::encode(End::Final, Opcode::Pong, b"b");
    assert_eq!(answer(&sent.concat()).await, expected);
}

#[tokio::test]
async fn a_close_is_the_last_frame() {
    let sent = [
        masked(End::Final, Opcode::Close, &1000_u16.to_be_bytes()),
        masked(End::Final, Opcode::Text, b"late"),
    ];
    let expected = frame::encode(End::Final, Opcode::Close, &1000_u16.to_be_bytes());
    assert_eq!(answer(&sent.concat()).await, expected);
}

#[tokio::test]
async fn rules_broken_end_in_a_close() {
    let too_long = [&[0x82, 0xff][..], &(1_u64 << 40).to_be_bytes(), &MASK].concat();
    let cases: [(&[u8], u16); 5] = [
        (&frame::encode(End::Final, Opcode::Text, b"unmasked"), 1002),
        (&[0x83, 0x80], 1002),
        (&[0xc1, 0x80], 1002),
        (&[0x09, 0x80], 1002),
        (&too_long, 1009),
    ];
    for (sent, code) in cases {
        let expected = frame::encode(End::Final, Opcode::Close, &code.to_be_bytes());
        assert_eq!(answer(sent).await, expected, "{sent:x?}");
    }
}

#[test]
fn every_prefix_of_a_head_asks_for_more() {
    let frame = masked(End::Final, Opcode::Binary, &vec![0; 70_000]);
    for have in 0..frame::LONGEST_HEAD {
        let parsed = frame::parse(&frame[..have]);
        assert!(
            matches!(parsed, Parsed::More(needed) if needed > have),
            "{have}"
        );
    }
    assert!(matches!(
        frame::parse(&frame[..frame::LONGEST_HEAD]),
        Parsed::Head(_)
    ));
}
