//! Which endpoint a path names.

use http::Method;

/// What httpbin can be asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Endpoint {
    /// `/status/{code}`: an answer with that status.
    Status(u16),
    /// `/delay/{seconds}`: [`Endpoint::Get`] after a while.
    Delay(f64),
    /// `/headers`: the request's headers.
    Headers,
    /// `/get`: the request without its body.
    Get,
    /// `/post`: the request with its body.
    Post,
    /// `/anything` and below: the request with its body, whatever the method.
    Anything,
    /// `/bytes/{n}`: n bytes.
    Bytes(u64),
    /// `/stream-bytes/{n}`: n bytes, chunked.
    StreamBytes(u64),
    /// `/stream/{n}`: n lines of JSON.
    Stream(u64),
    /// `/ip`: the client's address.
    Ip,
    /// `/user-agent`: the client's name.
    UserAgent,
    /// `/html` and `/`: a page.
    Html,
    /// `/ws`: a WebSocket that sends back what it gets.
    WebSocket,
}

impl Endpoint {
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (name, rest) = match path.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        match (name, rest) {
            ("" | "html", None) => Some(Self::Html),
            ("headers", None) => Some(Self::Headers),
            ("get", None) => Some(Self::Get),
            ("post", None) => Some(Self::Post),
            ("ip", None) => Some(Self::Ip),
            ("user-agent", None) => Some(Self::UserAgent),
            ("ws", None) => Some(Self::WebSocket),
            ("anything", _) => Some(Self::Anything),
            // What is no number is no status that can be given: 400, like 999.
            ("status", Some(code)) => Some(Self::Status(code.parse().unwrap_or(0))),
            ("delay", Some(seconds)) => {
                let seconds = seconds.parse::<f64>().ok()?;
                (seconds >= 0.0).then_some(Self::Delay(seconds))
            }
            ("bytes", Some(n)) => n.parse().ok().map(Self::Bytes),
            ("stream-bytes", Some(n)) => n.parse().ok().map(Self::StreamBytes),
            ("stream", Some(n)) => n.parse().ok().map(Self::Stream),
            _ => None,
        }
    }

    /// The method to use instead of `method`, if this one is not served.
    pub(super) fn other_method_than(self, method: &Method) -> Option<&'static Method> {
        match self {
            Self::Status(_) | Self::Delay(_) | Self::Anything => None,
            Self::Post => (*method != Method::POST).then_some(&Method::POST),
            Self::Headers
            | Self::Get
            | Self::Bytes(_)
            | Self::StreamBytes(_)
            | Self::Stream(_)
            | Self::Ip
            | Self::UserAgent
            | Self::Html
            | Self::WebSocket => {
                (!matches!(*method, Method::GET | Method::HEAD)).then_some(&Method::GET)
            }
        }
    }
}
