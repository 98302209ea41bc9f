use std::fs;

use tempfile::TempDir;

use super::*;

const OLD: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: old}\n";
const GATEWAY: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: gateway}\n";

struct Scene {
    folder: TempDir,
    follower: Follower,
    notices: Receiver<Notice>,
    sender: SyncSender<Notice>,
}

impl Scene {
    /// Two files, taken in.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sender, notices) = sync_channel(NOTICES);
        let roots = Roots {
            manifests: vec![folder.path().to_owned()],
            credentials: Vec::new(),
        };
        let mut scene = Self {
            folder,
            follower: Follower::new(roots, None, Arc::default()),
            notices,
            sender,
        };
        scene.write("old.yaml", OLD);
        scene.write("gateway.yaml", GATEWAY);
        assert_eq!(scene.namespaces(), Some(2));
        scene
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn notice(&self, notice: impl FnOnce(std::path::PathBuf) -> Notice, name: &str) {
        self.sender
            .send(notice(self.folder.path().join(name)))
            .unwrap();
    }

    /// Looks, and counts what is in the files if that changed.
    fn namespaces(&mut self) -> Option<usize> {
        let (sight, _) = self.follower.look(&self.notices).unwrap();
        let contents = self.follower.take(sight)?;
        Some(contents.objects.namespaces.len())
    }
}

#[test]
fn a_file_that_someone_begins_to_write_while_another_goes_is_left_alone() {
    let mut scene = Scene::new();
    fs::remove_file(scene.folder.path().join("old.yaml")).unwrap();
    scene.write("gateway.yaml", "");
    scene.notice(Notice::Writing, "gateway.yaml");
    assert_eq!(scene.namespaces(), Some(1), "as it was before");
    scene.notice(Notice::Changed, "gateway.yaml");
    assert_eq!(scene.namespaces(), Some(0), "its writer is done");
}

#[test]
fn a_close_that_was_lost_leaves_no_file_waiting() {
    let mut scene = Scene::new();
    scene.write("gateway.yaml", "");
    scene.notice(Notice::Writing, "gateway.yaml");
    assert_eq!(scene.namespaces(), None, "its writer is not done");
    let waker = Waker {
        notices: sync_channel(0).0,
        lost: Arc::clone(&scene.follower.lost_notices),
    };
    waker.send(Notice::Changed(scene.folder.path().join("gateway.yaml")));
    assert_eq!(scene.namespaces(), None, "nobody listens on that channel");
    let (full, _kept) = sync_channel(0);
    let lost = Arc::clone(&waker.lost);
    Waker {
        notices: full,
        lost,
    }
    .send(Notice::Anything);
    assert_eq!(scene.namespaces(), Some(1));
}

#[test]
fn who_rests_listens() {
    let mut scene = Scene::new();
    scene.notice(Notice::Writing, "gateway.yaml");
    scene.follower.rest(&scene.notices, Duration::ZERO).unwrap();
    assert!(scene.notices.try_recv().is_err(), "it is taken in");
    scene.write("gateway.yaml", "");
    assert_eq!(scene.namespaces(), None, "as it was before");
}
