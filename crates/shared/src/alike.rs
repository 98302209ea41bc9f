//! Equal values as one.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many values are remembered.
const MOST: usize = 16;

/// Makes one of equal values that come soon after each other.
///
/// The statuses of a thousand routes of one Gateway are the same but for a few. Only the last
/// different values are remembered, so that it costs little where none is like another.
#[derive(Debug)]
pub struct Alike<T: ?Sized> {
    /// The latest first.
    known: VecDeque<Arc<T>>,
}

impl<T: ?Sized> Default for Alike<T> {
    fn default() -> Self {
        Self {
            known: VecDeque::new(),
        }
    }
}

impl<T: PartialEq + ?Sized> Alike<T> {
    /// The value, or an equal one that came before.
    pub fn share(&mut self, value: impl Borrow<T> + Into<Arc<T>>) -> Arc<T> {
        let is_equal = |known: &Arc<T>| **known == *value.borrow();
        let known = self.known.iter().position(is_equal);
        let shared = known.and_then(|at| self.known.remove(at));
        let shared = shared.unwrap_or_else(|| value.into());
        self.known.push_front(Arc::clone(&shared));
        self.known.truncate(MOST);
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let mut alike: Alike<str> = Alike::default();
        let first = alike.share("a".to_owned());
        let other = alike.share("b".to_owned());
        let again = alike.share("a".to_owned());
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &other));
        assert_eq!(&*other, "b");
    }

    #[test]
    fn what_was_not_needed_for_long_is_forgotten() {
        let mut alike: Alike<usize> = Alike::default();
        let (kept, lost) = (alike.share(0), alike.share(1));
        for value in 2..=MOST {
            alike.share(0);
            alike.share(value);
        }
        assert!(Arc::ptr_eq(&kept, &alike.share(0)));
        assert!(!Arc::ptr_eq(&lost, &alike.share(1)));
        assert!(alike.known.len() <= MOST);
    }
}
