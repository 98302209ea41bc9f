//! RequestMirror.

use portcullis_api::route::{BackendRef, Fraction, RequestMirror};
use portcullis_ir::filter::{Mirror, Share};

use super::{BadFilter, FindMirror};

/// `None` if its backend cannot be had.
pub(super) fn lower(
    mirror: &RequestMirror,
    find: &mut FindMirror<'_>,
) -> Result<Option<Mirror>, BadFilter> {
    let RequestMirror {
        backend_ref,
        percent,
        fraction,
    } = mirror;
    let share = share(*percent, *fraction)?;
    let backend = find(&BackendRef::from(backend_ref));
    Ok(backend.map(|backend| Mirror { backend, share }))
}

/// "Only one of Fraction or Percent may be specified. If neither field is specified, 100% of
/// requests will be mirrored." (`HTTPRequestMirrorFilter.Percent`)
fn share(percent: Option<u32>, fraction: Option<Fraction>) -> Result<Share, BadFilter> {
    match (percent, fraction) {
        (None, None) => Ok(Share::ALL),
        (Some(percent), None) => {
            Share::new(percent, 100).ok_or_else(|| BadFilter::Share(format!("{percent}%")))
        }
        (None, Some(fraction)) => {
            let (numerator, denominator) = (fraction.numerator, fraction.denominator());
            Share::new(numerator, denominator)
                .ok_or_else(|| BadFilter::Share(format!("{numerator}/{denominator}")))
        }
        (Some(_), Some(_)) => Err(BadFilter::PercentAndFraction),
    }
}
