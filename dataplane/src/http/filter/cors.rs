//! CORS (GEP-1767): which pages of other origins may read answers.
//!
//! What browsers ask and how they understand answers is in the Fetch standard, section "HTTP-CORS
//! protocol".

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use portcullis_ir::filter::{self, Allowed};
use portcullis_ir::origin::OriginPattern;

use super::headers::{add, set};

/// A compiled CORS filter.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    /// `None`: the field is left out.
    methods: Option<List>,
    request_headers: Option<List>,
    exposed_headers: Option<List>,
    max_age: HeaderValue,
}

/// Whose pages may read answers.
#[derive(Clone, Debug)]
enum Origins {
    /// Those that one of these covers.
    Of(Box<[OriginPattern]>),
    All,
}

/// The value of a header of the answer.
#[derive(Clone, Debug)]
enum List {
    /// The same for every request.
    Fixed(HeaderValue),
    /// What the request asks for; of exposed headers, what the answer has.
    AsAsked,
}

/// Everything that the filter says; it says all of it, whatever a backend says.
const SAID: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

impl Cors {
    /// Prepares a user's filter.
    ///
    /// "If the configuration contains the wildcard `*` in `allowHeaders` and `allowCredentials` is
    /// set to `false`, the [...] response header may either contain the wildcard `*` or echo the
    /// value" of the request's, and with credentials "must not return `*`". It is echoed in both
    /// cases, since browsers do not let `*` stand for Authorization.
    pub fn compile(cors: &filter::Cors) -> Self {
        let filter::Cors {
            origins,
            credentials,
            methods,
            request_headers,
            exposed_headers,
            max_age,
        } = cors;
        Self {
            origins: match origins {
                Allowed::All => Origins::All,
                Allowed::These(these) => Origins::Of(these.clone().into()),
            },
            credentials: *credentials,
            methods: List::compile(methods, || List::AsAsked),
            request_headers: List::compile(request_headers, || List::AsAsked),
            // "the gateway cannot use the `*` in the `Access-Control-Expose-Headers` response
            // header" with credentials; all names of the answer say the same.
            exposed_headers: List::compile(exposed_headers, || {
                if *credentials {
                    List::AsAsked
                } else {
                    List::Fixed(HeaderValue::from_static("*"))
                }
            }),
            max_age: HeaderValue::from(*max_age),
        }
    }

    /// Says whether the request's page may read `answer`, which is a backend's or our own.
    ///
    /// "If the request `Origin` does not match the configured allowed origins, the gateway [...]
    /// doesn't set the relevant cross-origin response headers." The request itself is served: it is
    /// for the browser to keep the answer from the page.
    pub fn decorate(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        for name in &SAID {
            answer.remove(name);
        }
        if self.allow_origin(request, answer) == Verdict::Allowed {
            match &self.exposed_headers {
                Some(List::Fixed(names)) => {
                    set(answer, &header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
                }
                Some(List::AsAsked) => expose_all(answer),
                None => {}
            }
        }
    }

    /// Fills the answer to a preflight.
    pub fn answer_preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if self.allow_origin(request, answer) == Verdict::NotAllowed {
            return;
        }
        let lists = [
            (
                &self.methods,
                header::ACCESS_CONTROL_ALLOW_METHODS,
                header::ACCESS_CONTROL_REQUEST_METHOD,
            ),
            (
                &self.request_headers,
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                header::ACCESS_CONTROL_REQUEST_HEADERS,
            ),
        ];
        for (list, name, asked) in lists {
            match list {
                Some(List::Fixed(value)) => set(answer, &name, value),
                // "If the `Access-Control-Request-Headers` header is not present in the request,
                // the gateway must omit the `Access-Control-Allow-Headers` response header."
                Some(List::AsAsked) => {
                    for value in request.get_all(asked) {
                        add(answer, &name, value);
                    }
                }
                None => {}
            }
        }
        if let Some(List::Fixed(names)) = &self.exposed_headers {
            set(answer, &header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
        set(answer, &header::ACCESS_CONTROL_MAX_AGE, &self.max_age);
    }

    fn allow_origin(&self, request: &HeaderMap, answer: &mut HeaderMap) -> Verdict {
        let origin = request.get(header::ORIGIN);
        let any = HeaderValue::from_static("*");
        let allowed = match &self.origins {
            // The same to all, also to who names no origin: then caches may keep the answer. "If
            // `Access-Control-Allow-Origin` is set to `*` [...], then configure the server to
            // always send [it] in responses for the resource" (Fetch).
            Origins::All if !self.credentials => Some(&any),
            Origins::All => origin,
            Origins::Of(patterns) => origin.filter(|origin| {
                let text = origin.to_str().unwrap_or_default();
                patterns.iter().any(|pattern| pattern.covers(text))
            }),
        };
        if !matches!(self.origins, Origins::All) || self.credentials {
            add(answer, &header::VARY, &HeaderValue::from_static("origin"));
        }
        let Some(allowed) = allowed else {
            return Verdict::NotAllowed;
        };
        set(answer, &header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        // "When set to false or omitted the gateway will omit the header
        // `Access-Control-Allow-Credentials` entirely"
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            set(answer, &header::ACCESS_CONTROL_ALLOW_CREDENTIALS, &yes);
        }
        Verdict::Allowed
    }
}

/// Whether a page may read answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    NotAllowed,
}

impl List {
    /// "Multiple method names in the value of the `Access-Control-Allow-Methods` response header are
    /// separated by a comma (",")", and so are headers.
    fn compile<T: ToString>(allowed: &Allowed<T>, all: impl FnOnce() -> Self) -> Option<Self> {
        let these = match allowed {
            Allowed::All => return Some(all()),
            Allowed::These(these) => these.iter().map(ToString::to_string),
        };
        // Names of methods and headers are tokens, so a list of them is a value.
        let list = HeaderValue::try_from(these.collect::<Vec<_>>().join(", ")).ok()?;
        (!list.is_empty()).then_some(Self::Fixed(list))
    }
}

fn expose_all(answer: &mut HeaderMap) {
    let mut names = String::new();
    for name in answer.keys() {
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(name.as_str());
    }
    if let Ok(names) = HeaderValue::try_from(names) {
        set(answer, &header::ACCESS_CONTROL_EXPOSE_HEADERS, &names);
    }
}

/// Whether a browser asks for leave to send a request, which is answered here and not by a backend.
///
/// "A CORS-preflight request is a CORS request that checks to see if the CORS protocol is
/// understood. It uses `OPTIONS` as method and includes [...] `Access-Control-Request-Method`"
/// (Fetch).
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests;
