use super::*;

fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_body_with_a_length_ends_there() {
    let mut body = Body::new(Framing::Length(5));
    let mut bytes = BytesMut::from("hel");
    assert_eq!(body.next(&mut bytes), Ok(data("hel")));
    assert_eq!(body.next(&mut bytes), Ok(Step::Starved));
    assert_eq!((body.is_over(), body.expected()), (false, 2));
    bytes.extend_from_slice(b"loGET");
    assert_eq!(body.next(&mut bytes), Ok(data("lo")));
    assert!(body.is_over());
    for _ in 0..2 {
        assert_eq!(body.next(&mut bytes), Ok(Step::End));
    }
    assert_eq!((&*bytes, body.end()), (&b"GET"[..], Ok(())));
}

#[test]
fn a_message_without_a_body_is_over_with_its_head() {
    let mut body = Body::new(Framing::Length(0));
    assert!(body.is_over());
    assert_eq!(body.next(&mut BytesMut::from("GET")), Ok(Step::End));
}

#[test]
fn a_body_until_the_end_of_the_connection_is_whole_then() {
    let mut body = Body::new(Framing::UntilClose);
    let mut bytes = BytesMut::from("all");
    assert_eq!(body.next(&mut bytes), Ok(data("all")));
    assert_eq!(body.next(&mut bytes), Ok(Step::Starved));
    assert!(!body.is_over());
    assert_eq!(body.end(), Ok(()));
    assert_eq!(body.next(&mut bytes), Ok(Step::End));
}

#[test]
fn a_connection_that_ends_within_a_body_is_an_error() {
    for framing in [Framing::Length(1), Framing::Chunked] {
        assert_eq!(Body::new(framing).end(), Err(BodyFault::Truncated));
    }
}

#[test]
fn the_end_of_chunks_is_known_with_the_last_piece() {
    let mut body = Body::new(Framing::Chunked);
    let mut bytes = BytesMut::from("2\r\nok\r\n0\r\n\r\n");
    assert_eq!(body.next(&mut bytes), Ok(data("ok")));
    assert!(body.is_over());
}
