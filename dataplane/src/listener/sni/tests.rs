use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::ServerName;

use super::*;

/// A ClientHello as rustls sends it, with post-quantum key shares.
fn recorded_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("a.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// The same handshake message in records of at most `size` bytes.
fn in_records_of(hello: &[u8], size: usize) -> Vec<u8> {
    let message = &hello[5..];
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[22, 3, 1], &length[..], part].concat()
    };
    message.chunks(size).flat_map(record).collect()
}

fn name_of(progress: Progress) -> Option<String> {
    match progress {
        Progress::More => None,
        Progress::Complete(accepted) => accepted.client_hello().server_name().map(str::to_owned),
    }
}

#[test]
fn a_hello_is_read_however_tcp_splits_it() {
    let hello = recorded_hello();
    for split in 0..hello.len() {
        let mut reader = HelloReader::new();
        let (first, second) = hello.split_at(split);
        assert_eq!(name_of(reader.push(first).unwrap()), None, "{split}");
        let name = name_of(reader.push(second).unwrap());
        assert_eq!(name.as_deref(), Some("a.example"), "{split}");
    }
}

#[test]
fn every_prefix_of_a_hello_in_any_records_waits_for_more() {
    let hello = recorded_hello();
    for size in [1, 2, 3, 4, 5, 64, 500, 1000] {
        let records = in_records_of(&hello, size);
        let mut reader = HelloReader::new();
        let mut complete = None;
        for (at, byte) in records.iter().enumerate() {
            assert_eq!(
                complete,
                None,
                "complete before its end: {at} of {}",
                records.len()
            );
            complete = name_of(reader.push(&[*byte]).unwrap());
        }
        assert_eq!(complete.as_deref(), Some("a.example"), "records of {size}");
    }
}

#[test]
fn what_is_no_hello_is_refused() {
    let handshake_of_another_kind = [22, 3, 1, 0, 4, 2, 0, 0, 0];
    let cases: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &[0; 64],
        &handshake_of_another_kind,
        &[21, 3, 1, 0, 2, 2, 40],
    ];
    for bytes in cases {
        let refused = HelloReader::new().push(bytes);
        assert!(
            matches!(refused, Err(HelloError::Malformed { .. })),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_hello_without_end_is_refused() {
    let endless = [&[22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff][..], &[0; 0x4000 - 4]].concat();
    let mut reader = HelloReader::new();
    reader.push(&endless).ok();
    let refused = (0..8).find_map(|_| reader.push(&endless).err());
    assert!(refused.is_some());
}

/// A ClientHello of TLS 1.0, as `openssl s_client -tls1` sends it, without signature algorithms.
fn hello_of_tls10(name: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| {
        [
            &u16::try_from(bytes.len()).unwrap().to_be_bytes()[..],
            bytes,
        ]
        .concat()
    };
    let host = [&[0][..], &sized(name.as_bytes())].concat();
    let server_name = [&[0, 0][..], &sized(&sized(&host))].concat();
    let groups = [&[0, 10][..], &sized(&sized(&[0, 23]))].concat();
    let extensions = sized(&[groups, server_name].concat());
    let hello = [
        &[3, 1][..],
        &[7; 32],
        &[0],
        &sized(&[0, 47, 0, 53]),
        &[1, 0],
        &extensions,
    ]
    .concat();
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    let message = [&[1][..], &length[1..], &hello].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

#[test]
fn a_hello_that_rustls_refuses_still_has_its_name() {
    let hello = hello_of_tls10("A.example");
    let mut reader = HelloReader::new();
    let Err(HelloError::Malformed { bytes, .. }) = reader.push(&hello) else {
        panic!("rustls takes it");
    };
    let found = foreign::read(&bytes).unwrap();
    assert_eq!(found.server_name.as_deref(), Some("a.example"));
    for size in [1, 7, 64] {
        assert_eq!(
            foreign::read(&in_records_of(&hello, size)),
            Some(found.clone())
        );
    }
    for (name, hello) in [
        ("192.0.2.1", hello_of_tls10("192.0.2.1")),
        ("", recorded_without_name()),
    ] {
        assert_eq!(foreign::read(&hello).unwrap().server_name, None, "{name}");
    }
}

/// A hello of TLS 1.0 without extensions.
fn recorded_without_name() -> Vec<u8> {
    let hello = [&[3, 1][..], &[7; 32], &[0], &[0, 2, 0, 47], &[1, 0]].concat();
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
}

#[test]
fn both_readers_agree_on_the_name() {
    assert_eq!(
        foreign::read(&recorded_hello())
            .unwrap()
            .server_name
            .as_deref(),
        Some("a.example")
    );
}

#[test]
fn no_prefix_and_nothing_else_is_a_foreign_hello() {
    let hello = hello_of_tls10("a.example");
    for end in 0..hello.len() {
        assert_eq!(foreign::read(&hello[..end]), None, "{end}");
    }
    for at in 0..hello.len() {
        let mut changed = hello.clone();
        changed[at] ^= 0xff;
        // Whatever it is taken for, it is taken without panic.
        let _ = foreign::read(&changed);
    }
    assert_eq!(foreign::read(b"GET / HTTP/1.1\r\n\r\n"), None);
}
