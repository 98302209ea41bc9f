//! What others can see: `/status`, and the status file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_api::{Objects, to_yaml};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::control::Findings;

/// The objects with their statuses, and what is wrong with the files.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) objects: Arc<Objects>,
    pub(crate) findings: Findings,
}

impl Shown {
    pub(crate) fn updated(
        &self,
        objects: Option<Arc<Objects>>,
        findings: Option<Findings>,
    ) -> Self {
        Self {
            objects: objects.unwrap_or_else(|| Arc::clone(&self.objects)),
            findings: findings.unwrap_or_else(|| self.findings.clone()),
        }
    }

    /// A `List` as the API server would give it, with what is wrong with the files besides.
    pub(crate) fn list(&self) -> Value {
        // Serializing fails for no type of ours; null would be seen by whoever reads it.
        let items = self
            .objects
            .iter()
            .map(|object| serde_json::to_value(object).unwrap_or_default());
        let items: Vec<Value> = items.collect();
        let findings: Vec<String> = self
            .findings
            .findings
            .iter()
            .map(ToString::to_string)
            .collect();
        json!({ "apiVersion": "v1", "kind": "List", "items": items, "findings": findings })
    }
}

/// Keeps `path` up to date until the sender is gone.
pub(crate) async fn keep_file(path: PathBuf, mut shown: watch::Receiver<Arc<Shown>>) {
    while shown.changed().await.is_ok() {
        let now = Arc::clone(&shown.borrow_and_update());
        let target = path.clone();
        let written = tokio::task::spawn_blocking(move || write(&target, &now)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("--status-file {}: {error}", path.display()),
            Err(panicked) => tracing::error!("--status-file {}: {panicked}", path.display()),
        }
    }
}

/// Whole or not at all: by a new file and a rename.
fn write(path: &Path, shown: &Shown) -> io::Result<()> {
    let text = to_yaml(&shown.list()).map_err(io::Error::other)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs::write(&new, text)?;
    fs::rename(new, path)
}
