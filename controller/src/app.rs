//! Starts the tasks and joins them.
