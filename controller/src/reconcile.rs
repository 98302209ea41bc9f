//! The one loop: objects and observed facts in, snapshots, statuses and infrastructure out.
