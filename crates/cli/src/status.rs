//! What is said about objects: kept, told when it changes, shown as tables.

pub(crate) mod changes;
pub(crate) mod columns;
pub(crate) mod listing;
pub(crate) mod remarks;
pub(crate) mod tables;
