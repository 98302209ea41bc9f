//! The one place that reads the clock for objects.

use portcullis_api::meta::Time;

/// The time, as objects have it.
pub(crate) fn now() -> Time {
    Time(jiff::Timestamp::now())
}
