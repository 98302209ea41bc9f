//! Folders of manifests and mounted Secrets as a source of objects, in place of an API server.
//!
//! [`scan`] looks at the folders, [`shelf`] keeps the last good objects of every file and says what
//! is wrong with the rest, [`watch`] tells when to look again. Only `scan` and `watch` touch the
//! system; `shelf` is a plain value. Whoever calls decides when: there is no thread and no task
//! here besides the one in which the kernel's notices arrive.
//!
//! Invariant: a mistake never takes away what worked. A file with a mistake keeps its last good
//! objects, a folder that is gone keeps all of its.

pub mod finding;
pub mod scan;
pub mod shelf;
pub mod watch;

pub use finding::{Finding, LineColumn, Severity};
pub use scan::{Roots, Scanner, Sight};
pub use shelf::{Contents, Origin, Origins, Shelf};
