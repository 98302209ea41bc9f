//! Tables that carry the ids of backends and nothing else.

use portcullis_ir::filter::Filter;
use portcullis_ir::{BackendId, ListenerId, Snapshot};
use portcullis_table::{Attach, ForwardSite, Parts, RuleSite};

pub(crate) type Table = portcullis_table::Table<Names>;

#[derive(Clone, Debug)]
pub(crate) struct Names;

impl Parts for Names {
    type Listener = ();
    type Rule = ();
    type Forward = ();
    type Backend = BackendId;
}

impl Attach for Names {
    type Parts = Self;

    fn listener(&mut self, _: &ListenerId) {}

    fn rule(&mut self, _: &RuleSite<'_>) {}

    fn forward(&mut self, _: &ForwardSite<'_>) {}

    fn backend(&mut self, id: &BackendId, _: &[Filter], _: &[Filter]) -> BackendId {
        id.clone()
    }
}

pub(crate) fn build(snapshot: &Snapshot, previous: Option<&Table>) -> Table {
    Table::build(snapshot, previous, &mut Names)
}
