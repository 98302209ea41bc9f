//! The end of a connection whose peer may still be sending.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits;

/// Reads on for a moment after a last word: closing with unread input makes TCP reset the
/// connection, and the client would lose what it was told.
pub(crate) async fn linger(input: &mut (impl AsyncRead + Unpin)) {
    let mut swallowed = [0; 4096];
    let swallow = async {
        let mut total = 0;
        while total < limits::LINGER_BYTES {
            match input.read(&mut swallowed).await {
                Ok(0) | Err(_) => break,
                Ok(read) => total += read,
            }
        }
    };
    // Running out of time is one of the two ways this is meant to end.
    let _ = tokio::time::timeout(limits::LINGER, swallow).await;
}
