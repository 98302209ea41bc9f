//! Header edits on pingora's messages, which keep the case of names beside the map.

use http::{HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

use super::headers::HeaderFields;

macro_rules! header_fields {
    ($message:ty) => {
        // Inserting a parsed name and value fails only when the map is full, at 32,768 headers.
        impl HeaderFields for $message {
            fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
                let _ = self.insert_header(name, value.clone());
            }

            fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
                let _ = self.append_header(name, value.clone());
            }

            fn remove(&mut self, name: &HeaderName) {
                let _ = self.remove_header(name);
            }

            fn each_name(&self, tell: &mut dyn FnMut(&HeaderName)) {
                self.headers.keys().for_each(tell);
            }
        }
    };
}

header_fields!(RequestHeader);
header_fields!(ResponseHeader);
