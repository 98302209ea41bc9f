//! Lookup structures compiled from a snapshot.
//!
//! The data plane calls [`Table::build`] once per snapshot, which costs what is other than in the
//! snapshot before, and then asks, per connection and per request: which listener ([`PortTable::listener`]), which rule ([`ListenerTable::select`]),
//! which backend ([`Backends::pick`]). Nothing is parsed, compiled or, but for a few named rare
//! cases, allocated per question.
//!
//! Invariant: the rule found is the one a reader of the spec finds by trying every match of every
//! route and taking the least [`portcullis_ir::order::Rank`] (`tests/oracle.rs` does just that).

mod backends;
mod build;
mod call;
mod host;
mod l4;
mod parts;
mod path;
mod pattern;
mod port;
mod predicate;
mod rule;
mod share;
mod text_map;

pub use backends::{Backends, Destination};
pub use call::is_call;
pub use host::Host;
pub use l4::ForwardRule;
pub use parts::{Attach, ForwardSite, Parts, RuleSite};
pub use port::{Authority, Family, ListenerTable, PortTable, Table};
pub use predicate::RequestParts;
pub use rule::{PathMatched, Rule, Selected};
