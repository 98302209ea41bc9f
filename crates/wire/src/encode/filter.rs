//! Filters.

use portcullis_ir::filter::{
    Allowed, Cors, Filter, Header, HeaderEdits, HttpScheme, Mirror, PathRewrite, Redirect, Rewrite,
};

use super::all;
use crate::messages::{self, filter, path_rewrite};

impl From<&Filter> for messages::Filter {
    fn from(filter: &Filter) -> Self {
        let kind = match filter {
            Filter::RequestHeaders(edits) => filter::Kind::RequestHeaders(edits.into()),
            Filter::ResponseHeaders(edits) => filter::Kind::ResponseHeaders(edits.into()),
            Filter::Redirect(redirect) => filter::Kind::Redirect(redirect.into()),
            Filter::Rewrite(rewrite) => filter::Kind::Rewrite(rewrite.into()),
            Filter::Mirror(mirror) => filter::Kind::Mirror(mirror.into()),
            Filter::Cors(cors) => filter::Kind::Cors(cors.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&HeaderEdits> for messages::HeaderEdits {
    fn from(edits: &HeaderEdits) -> Self {
        let HeaderEdits { set, add, remove } = edits;
        Self {
            set: all(set),
            add: all(add),
            remove: remove.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&Header> for messages::Header {
    fn from(header: &Header) -> Self {
        let Header { name, value } = header;
        Self {
            name: name.to_string(),
            value: value.as_bytes().to_vec(),
        }
    }
}

impl From<&Redirect> for messages::Redirect {
    fn from(redirect: &Redirect) -> Self {
        let Redirect {
            scheme,
            hostname,
            port,
            path,
            status,
        } = redirect;
        let scheme = scheme.map(|scheme| match scheme {
            HttpScheme::Http => messages::RedirectScheme::Http,
            HttpScheme::Https => messages::RedirectScheme::Https,
        });
        Self {
            scheme: scheme.map(Into::into),
            hostname: hostname.clone(),
            port: port.map(Into::into),
            path: path.as_ref().map(Into::into),
            status: (*status).into(),
        }
    }
}

impl From<&Rewrite> for messages::Rewrite {
    fn from(rewrite: &Rewrite) -> Self {
        let Rewrite { hostname, path } = rewrite;
        Self {
            hostname: hostname.as_ref().map(|host| host.as_bytes().to_vec()),
            path: path.as_ref().map(Into::into),
        }
    }
}

impl From<&PathRewrite> for messages::PathRewrite {
    fn from(path: &PathRewrite) -> Self {
        let kind = match path.clone() {
            PathRewrite::Full(path) => path_rewrite::Kind::Full(path),
            PathRewrite::Prefix(prefix) => path_rewrite::Kind::Prefix(prefix),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Mirror> for messages::Mirror {
    fn from(mirror: &Mirror) -> Self {
        let Mirror { backend, share } = mirror;
        Self {
            backend: backend.to_string(),
            numerator: share.numerator(),
            denominator: share.denominator().get(),
        }
    }
}

impl From<&Cors> for messages::Cors {
    fn from(cors: &Cors) -> Self {
        let Cors {
            origins,
            credentials,
            methods,
            request_headers,
            exposed_headers,
            max_age,
        } = cors;
        Self {
            origins: Some(origins.into()),
            credentials: *credentials,
            methods: Some(methods.into()),
            request_headers: Some(request_headers.into()),
            exposed_headers: Some(exposed_headers.into()),
            max_age: *max_age,
        }
    }
}

impl<T: ToString> From<&Allowed<T>> for messages::Allowed {
    fn from(allowed: &Allowed<T>) -> Self {
        let (all, these) = match allowed {
            Allowed::All => (true, Vec::new()),
            Allowed::These(these) => (false, these.iter().map(ToString::to_string).collect()),
        };
        Self { all, these }
    }
}
