//! What was read of a request's body, to be sent again.

use bytes::Bytes;

use crate::limits;

/// The body of a request so far, for another attempt.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pieces: Vec<Bytes>,
    bytes: usize,
    is_lost: bool,
}

impl Kept {
    /// Keeps a piece, or none of them once they are more than [`limits::KEPT_BODY`].
    pub(crate) fn keep(&mut self, piece: &Bytes) {
        if self.is_lost {
            return;
        }
        self.bytes += piece.len();
        if self.bytes > limits::KEPT_BODY {
            self.lose();
        } else {
            self.pieces.push(piece.clone());
        }
    }

    /// The body can be sent once only.
    pub(crate) fn lose(&mut self) {
        self.is_lost = true;
        self.pieces = Vec::new();
    }

    /// Whether all that was read is here.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_lost
    }

    /// The piece that was read as number `index`.
    pub(crate) fn piece(&self, index: usize) -> Option<&Bytes> {
        self.pieces.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_as_long_as_it_is_short() {
        let mut kept = Kept::default();
        let half = Bytes::from(vec![0; limits::KEPT_BODY / 2]);
        kept.keep(&half);
        kept.keep(&half);
        assert!(kept.is_whole());
        assert_eq!(kept.piece(1), Some(&half));
        assert_eq!(kept.piece(2), None);
        kept.keep(&Bytes::from_static(b"x"));
        assert!(!kept.is_whole());
        assert_eq!(kept.piece(0), None);
    }
}
