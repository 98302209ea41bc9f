//! The head of a copy.

use http::header;

use crate::http::filter::Filters;
use crate::http::forward::{Through, add_forwarded, apply_request_filters, strip_request};
use crate::http::message::RequestHead;
use crate::http::refusal::Refusal;
use crate::listener::connection::Connection;

/// What a copy's backend is sent.
///
/// "Requests are sent to the specified destination" (`HTTPRouteFilter.RequestMirror`): under their
/// own Host, like the original. Nobody waits for a 100: the body comes when it comes.
pub(super) fn copied(
    original: &RequestHead,
    filters: &Filters,
    prefix: Option<usize>,
    connection: &Connection,
) -> Result<RequestHead, Refusal> {
    let mut head = original.clone();
    strip(&mut head);
    add_forwarded(&mut head, connection);
    apply_request_filters(&mut head, filters, prefix)?;
    Ok(head)
}

fn strip(head: &mut RequestHead) {
    strip_request(head, Through::Nothing);
    head.headers.remove(header::EXPECT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::testing::{names, request};

    #[test]
    fn what_was_for_the_connection_alone_is_left_out() {
        let fields = [
            ("host", "a.example"),
            ("connection", "keep-alive, x-hop, host"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("content-length", "3"),
            ("x-a", "1"),
        ];
        let mut head = request("POST", "/", &fields);
        strip(&mut head);
        assert_eq!(names(&head.headers), ["content-length", "host", "x-a"]);
    }
}
