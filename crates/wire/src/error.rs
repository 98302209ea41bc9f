//! What is wrong with a message.

use portcullis_ir::Version;
use portcullis_ir::hostname::InvalidHostname;
use portcullis_ir::origin::InvalidOrigin;

use crate::limits::MAX_PARTS;
use crate::resource::ResourceId;

/// Why one resource of an update is refused. The rest of the update is not touched by it, and
/// sending the same again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: field {field} {cause}", name(id.as_ref()))]
pub struct InvalidResource {
    /// Its name, if that could be read.
    pub id: Option<ResourceId>,
    /// The field, as `rules[2].filters[0].kind`.
    pub field: String,
    /// What is wrong with it.
    pub cause: Cause,
}

fn name(id: Option<&ResourceId>) -> String {
    id.map_or_else(|| "a resource".to_owned(), ToString::to_string)
}

/// Why a whole update is refused. It is answered with a nack; a full state helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUpdate {
    /// It says neither that it is whole nor what it changes.
    #[error("the update names no base")]
    NoBase,
    /// It names no Gateway, or a broken one.
    #[error("the update's gateway {0}")]
    Gateway(Cause),
    /// It does not hold as many entries as it says: a part of it is missing.
    #[error("the update holds {found} entries, but announces {announced:?}")]
    Entries {
        /// What it says; `None` if it does not.
        announced: Option<u32>,
        /// What is there.
        found: usize,
    },
    /// A removal has no name, or one of an unknown kind. What it means cannot be kept apart from
    /// what stays.
    #[error("removal {index} {cause}")]
    Removal {
        /// Its place in the list.
        index: usize,
        /// What is wrong with it.
        cause: Cause,
    },
    /// A part that does not belong to those before it.
    #[error("a part of another update came before version {begun} was complete")]
    Interrupted {
        /// What had begun.
        begun: Version,
    },
    /// A part is missing before it.
    #[error("part {number} of the update came out of order")]
    OutOfOrder {
        /// Its number, from zero.
        number: u32,
    },
    /// More parts than any state has.
    #[error("the update has more than {MAX_PARTS} parts")]
    TooManyParts,
    /// It is said to go on where a whole update was expected.
    #[error("the update is only a part")]
    Incomplete,
}

/// Why what a data plane says cannot be understood. Its stream is ended: saying it again does not
/// help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field} {cause}")]
pub struct InvalidMessage {
    /// The field, as `ack.port_failures[0].port`.
    pub field: String,
    /// What is wrong with it.
    pub cause: Cause,
}

impl From<InvalidField> for InvalidMessage {
    fn from(InvalidField { path: field, cause }: InvalidField) -> Self {
        Self { field, cause }
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// It must be there. An alternative of a newer release looks the same.
    #[error("is absent, or of a kind unknown to this release")]
    Absent,
    /// An enum's number that this release does not know, or zero.
    #[error("has the value {0}, which is unknown to this release")]
    UnknownValue(i32),
    /// An id without text.
    #[error("is empty")]
    Empty,
    /// A number that is not one of those allowed.
    #[error("is {0}, which is out of range")]
    OutOfRange(u32),
    /// No hostname.
    #[error(transparent)]
    Hostname(#[from] InvalidHostname),
    /// No origin.
    #[error(transparent)]
    Origin(#[from] InvalidOrigin),
    /// No name of a header.
    #[error("is {0:?}, which is no header name")]
    HeaderName(String),
    /// No value of a header. The value is not repeated: it may be a credential.
    #[error("is no header value")]
    HeaderValue,
    /// No method.
    #[error("is {0:?}, which is no method")]
    Method(String),
    /// Neither an IPv4 nor an IPv6 address.
    #[error("is an IP address of {0} bytes")]
    Address(usize),
}

/// A field that cannot be read, seen from the message it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidField {
    pub(crate) path: String,
    pub(crate) cause: Cause,
}

impl From<Cause> for InvalidField {
    fn from(cause: Cause) -> Self {
        let path = String::new();
        Self { path, cause }
    }
}

/// Says where an error happened, from the inside out.
pub(crate) trait At {
    /// In `field` of this message.
    fn at(self, field: &str) -> Self;
}

impl<T> At for Result<T, InvalidField> {
    fn at(self, field: &str) -> Self {
        self.map_err(|InvalidField { path, cause }| {
            let path = match path.as_str() {
                "" => field.to_owned(),
                inner => format!("{field}.{inner}"),
            };
            InvalidField { path, cause }
        })
    }
}
