//! What is to be said about files.

use std::fmt;
use std::path::PathBuf;

use portcullis_api::OneLine;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What the file says is not in force, in whole or in part.
    Error,
    /// It is in force, but hardly as meant.
    Warning,
    /// Good to know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Something about one file. Displays as compilers do, in one line: `conf/a.yaml:12:5: error: ...`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// The file or folder, beginning as the user wrote the folder.
    pub path: PathBuf,
    /// Where in the file.
    pub at: Option<LineColumn>,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, and what to do.
    pub message: String,
}

/// A place in a text, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineColumn {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            at,
            severity,
            message,
        } = self;
        write!(f, "{}", OneLine(path.display()))?;
        if let Some(LineColumn { line, column }) = at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {severity}: {}", OneLine(message))
    }
}
