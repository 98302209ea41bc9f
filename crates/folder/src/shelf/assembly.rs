//! All files together: every object once.

use std::path::Path;

use super::file::{File, Placed};
use super::generations::Generations;
use super::{Contents, Origin};
use crate::finding::{Finding, LineColumn, Severity};

/// Contents in the making. Files are added in the order in which they take precedence.
pub(super) struct Assembly<'a> {
    contents: Contents,
    generations: &'a mut Generations,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(generations: &'a mut Generations) -> Self {
        generations.begin();
        Self {
            contents: Contents::default(),
            generations,
        }
    }

    pub(super) fn add(&mut self, path: &Path, file: &File) {
        for placed in file.objects() {
            self.place(path, placed);
        }
        self.contents
            .findings
            .extend(file.findings().iter().cloned());
        if file.kept() > 0 {
            self.contents.kept.insert(path.to_owned(), file.kept());
        }
    }

    pub(super) fn finish(self) -> Contents {
        self.generations.end();
        self.contents
    }

    fn place(&mut self, path: &Path, placed: &Placed) {
        let name = placed.name();
        let origin = Origin {
            path: path.to_owned(),
            line: placed.line,
        };
        if let Some(first) = self.contents.origins.get(&name) {
            let (kind, key) = name;
            let finding = duplicate(&format!("{kind} {key}"), first, &origin);
            self.contents.findings.insert(finding);
            return;
        }
        let object = self.generations.number(&name, placed);
        self.contents.origins.insert(name, origin);
        self.contents.objects.insert(object);
    }
}

fn duplicate(name: &str, first: &Origin, second: &Origin) -> Finding {
    let line = first
        .line
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    let first = first.path.display();
    Finding {
        path: second.path.clone(),
        at: second.line.map(|line| LineColumn { line, column: 1 }),
        severity: Severity::Error,
        message: format!(
            "{name} is also in {first}{line}, which comes first and stays in force; remove one of \
             the two"
        ),
    }
}
