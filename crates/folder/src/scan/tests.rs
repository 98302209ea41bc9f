use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&folder, name, text);
    }
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn manifests(folder: &TempDir) -> Scanner {
    let manifests = vec![folder.path().to_owned()];
    Scanner::new(Roots {
        manifests,
        credentials: Vec::new(),
    })
}

fn credentials(folder: &TempDir) -> Scanner {
    let credentials = vec![folder.path().to_owned()];
    Scanner::new(Roots {
        manifests: Vec::new(),
        credentials,
    })
}

fn scan(scanner: &mut Scanner) -> Sight {
    scanner.scan(&BeingWritten::default())
}

/// Paths below the folder with their content.
fn texts(sight: &Sight, folder: &TempDir) -> Vec<(String, String)> {
    let text = |reading: &Reading| match reading {
        Reading::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Reading::Unreadable(reason) => format!("unreadable: {reason}"),
    };
    let name = |path: &Path| {
        path.strip_prefix(folder.path())
            .unwrap()
            .display()
            .to_string()
    };
    sight
        .files
        .iter()
        .map(|(place, reading)| (name(&place.path), text(reading)))
        .collect()
}

#[test]
fn manifests_are_found_at_any_depth_and_others_are_not() {
    let folder = folder(&[
        ("b.yaml", "b"),
        ("a.yml", "a"),
        ("sub/deep/c.json", "c"),
        ("readme.md", "x"),
        (".hidden.yaml", "x"),
        (".git/config.yaml", "x"),
        ("a.yml~", "x"),
        ("#b.yaml#", "x"),
    ]);
    let sight = scan(&mut manifests(&folder));
    let expected = [("a.yml", "a"), ("b.yaml", "b"), ("sub/deep/c.json", "c")];
    assert_eq!(
        texts(&sight, &folder),
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    assert_eq!(sight.lost, []);
}

#[test]
fn a_root_may_be_a_file() {
    let folder = folder(&[("only.conf", "x")]);
    let root = folder.path().join("only.conf");
    let mut scanner = Scanner::new(Roots {
        manifests: vec![root],
        credentials: Vec::new(),
    });
    assert_eq!(texts(&scan(&mut scanner), &folder).len(), 1);
}

#[test]
fn each_folder_is_gone_through_once_whatever_leads_to_it() {
    let folder = folder(&[("a/x.yaml", "x")]);
    symlink("a", folder.path().join("b")).unwrap();
    symlink("..", folder.path().join("a/up")).unwrap();
    let roots = vec![folder.path().to_owned(), folder.path().join("a")];
    let mut scanner = Scanner::new(Roots {
        manifests: roots,
        credentials: Vec::new(),
    });
    assert_eq!(scan(&mut scanner).files.len(), 1);
}

#[test]
fn of_several_ways_to_a_folder_its_own_path_counts_then_the_first_link() {
    let parent = folder(&[("elsewhere/x.yaml", "x"), ("conf/m/y.yaml", "y")]);
    let conf = parent.path().join("conf");
    // Made in an order that is none of the alphabet.
    for name in ["c", "a", "e", "b", "d"] {
        symlink("../elsewhere", conf.join(name)).unwrap();
        symlink("m", conf.join(format!("{name}m"))).unwrap();
    }
    let mut scanner = Scanner::new(Roots {
        manifests: vec![conf],
        credentials: Vec::new(),
    });
    let found = texts(&scan(&mut scanner), &parent);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["conf/a/x.yaml", "conf/m/y.yaml"]);
}

#[test]
fn a_folder_link_that_leads_nowhere_is_lost_until_it_leads_somewhere() {
    let parent = folder(&[
        ("real/a.yaml", "a"),
        ("mounts/ns/cred/k", "v"),
        ("conf/b.yaml", "b"),
    ]);
    let (conf, real) = (parent.path().join("conf"), parent.path().join("real"));
    symlink("../real", conf.join("sub")).unwrap();
    symlink("../real/a.yaml", conf.join("file.yaml")).unwrap();
    symlink("mounts", parent.path().join("credentials")).unwrap();
    symlink("../../real", parent.path().join("mounts/ns/linked")).unwrap();
    let mut scanner = Scanner::new(Roots {
        manifests: vec![conf.clone()],
        credentials: vec![parent.path().join("credentials")],
    });
    let sight = scan(&mut scanner);
    assert_eq!(
        (sight.files.len(), sight.mounts.len(), sight.lost.len()),
        (3, 2, 0)
    );
    assert!(
        sight.watch.covers(&real.canonicalize().unwrap()),
        "it may be swapped"
    );

    fs::rename(&real, parent.path().join("gone")).unwrap();
    let sight = scan(&mut scanner);
    let linked = parent.path().join("credentials/ns/linked");
    let lost: Vec<_> = sight.lost.iter().map(|lost| lost.path.clone()).collect();
    assert_eq!(lost, [conf.join("sub"), linked]);
    assert_eq!(
        sight.lost[0].reason,
        "the link leads to ../real, which does not exist"
    );
    assert_eq!(
        sight.files.len(),
        2,
        "a manifest that leads nowhere is an unreadable one"
    );
    assert!(
        sight.watch.watched().contains(parent.path()),
        "it may come back"
    );

    fs::rename(parent.path().join("gone"), &real).unwrap();
    let sight = scan(&mut scanner);
    assert_eq!(
        (sight.files.len(), sight.mounts.len(), sight.lost.len()),
        (3, 2, 0)
    );
}

#[test]
fn an_edit_of_the_same_length_is_seen_at_once() {
    let folder = folder(&[("a.yaml", "one")]);
    let mut scanner = manifests(&folder);
    let first = scan(&mut scanner);
    assert!(first.unsettled, "it was written just now");
    for text in ["two", "six", "ten"] {
        write(&folder, "a.yaml", text);
        assert_eq!(texts(&scan(&mut scanner), &folder)[0].1, text);
    }
}

#[test]
fn an_unchanged_file_keeps_its_memory() {
    let folder = folder(&[("a.yaml", "one")]);
    let mut scanner = manifests(&folder);
    let (first, second) = (scan(&mut scanner), scan(&mut scanner));
    let bytes = |sight: &Sight| match sight.files.values().next() {
        Some(Reading::Bytes(bytes)) => std::sync::Arc::as_ptr(bytes),
        other => panic!("{other:?}"),
    };
    assert_eq!(bytes(&first), bytes(&second));
}

#[test]
fn a_file_that_is_being_written_is_taken_as_it_was() {
    let folder = folder(&[("old.yaml", "whole")]);
    let mut scanner = manifests(&folder);
    scan(&mut scanner);
    write(&folder, "old.yaml", "ha");
    write(&folder, "new.yaml", "ha");
    let busy = |patience| -> BeingWritten {
        let file = |name| (folder.path().join(name), patience);
        ["old.yaml", "new.yaml"].map(file).into_iter().collect()
    };
    let lost = ["new.yaml", "old.yaml"].map(|name| folder.path().join(name));
    let cases = [(Patience::Unstrained, 0), (Patience::Strained, 2)];
    for (patience, told) in cases {
        let held = scanner.scan(&busy(patience));
        let expected = [("old.yaml".to_owned(), "whole".to_owned())];
        assert_eq!(texts(&held, &folder), expected, "{patience:?}");
        let mut found: Vec<_> = held.lost.into_iter().map(|lost| lost.path).collect();
        found.sort();
        assert_eq!(found, lost[..told], "{patience:?}");
    }
    let read = scanner.scan(&busy(Patience::Over));
    assert_eq!((texts(&read, &folder).len(), read.lost.len()), (2, 2));
    let closed = scan(&mut scanner);
    assert_eq!((texts(&closed, &folder).len(), closed.lost.len()), (2, 0));
}

#[test]
fn a_file_that_is_being_written_is_known_through_a_link() {
    let parent = folder(&[("real/a.yaml", "whole")]);
    fs::create_dir(parent.path().join("conf")).unwrap();
    symlink("../real/a.yaml", parent.path().join("conf/a.yaml")).unwrap();
    let mut scanner = Scanner::new(Roots {
        manifests: vec![parent.path().join("conf")],
        credentials: Vec::new(),
    });
    scan(&mut scanner);
    write(&parent, "real/a.yaml", "");
    let busy = (parent.path().join("real/a.yaml"), Patience::Unstrained);
    let held = scanner.scan(&[busy].into_iter().collect());
    assert_eq!(texts(&held, &parent)[0].1, "whole");
}

#[test]
fn what_is_no_readable_file_is_said_to_be_so() {
    let folder = folder(&[]);
    symlink("nowhere", folder.path().join("link.yaml")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket.yaml"));
    let found = texts(&scan(&mut manifests(&folder)), &folder);
    let said: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        said,
        [
            "unreadable: the link leads to nowhere, which does not exist",
            "unreadable: not a regular file",
        ]
    );
    drop(socket);
}

#[test]
fn a_root_that_is_gone_is_lost_until_there_are_files_again() {
    let folder = folder(&[("conf/a.yaml", "a")]);
    let root = folder.path().join("conf");
    let mut scanner = Scanner::new(Roots {
        manifests: vec![root.clone()],
        credentials: Vec::new(),
    });
    assert_eq!(scan(&mut scanner).lost, []);
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(scan(&mut scanner).lost[0].path, root);
    fs::create_dir(&root).unwrap();
    assert_eq!(
        scan(&mut scanner).lost[0].reason,
        "was gone, and is back but empty"
    );
    write(&folder, "conf/b.yaml", "b");
    let sight = scan(&mut scanner);
    assert_eq!((sight.lost.len(), sight.files.len()), (0, 1));
}

#[test]
fn emptying_a_folder_is_not_losing_it() {
    let folder = folder(&[("a.yaml", "a")]);
    let mut scanner = manifests(&folder);
    scan(&mut scanner);
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    let sight = scan(&mut scanner);
    assert_eq!((sight.lost.len(), sight.files.len()), (0, 0));
}

#[test]
fn links_on_the_way_and_their_targets_are_watched() {
    let folder = folder(&[("v1/conf/a.yaml", "a"), ("elsewhere/b", "b")]);
    symlink("v1", folder.path().join("current")).unwrap();
    symlink(
        folder.path().join("elsewhere/b"),
        folder.path().join("v1/conf/b.yaml"),
    )
    .unwrap();
    let root = folder.path().join("current/conf");
    let mut scanner = Scanner::new(Roots {
        manifests: vec![root.clone()],
        credentials: Vec::new(),
    });
    let watch = scan(&mut scanner).watch;
    assert!(watch.covers(&root.join("new.yaml")));
    assert!(
        watch.covers(&folder.path().join("current")),
        "the link may be swapped"
    );
    assert!(watch.covers(&folder.path().join("elsewhere/b").canonicalize().unwrap()));
    assert!(!watch.covers(&folder.path().join("elsewhere/c")));
}

#[test]
fn what_files_hold_does_not_show_when_printed() {
    let folder = folder(&[("a.yaml", "*"), ("empty.yaml", "")]);
    let said = format!("{:?}", scan(&mut manifests(&folder)).files);
    assert!(said.contains("Bytes(1 bytes)"), "{said}");
}

#[test]
fn mounted_secrets_are_read_through_their_data_link() {
    let folder = folder(&[
        ("ns/cred/..2026_1/tls.crt", "old"),
        ("ns/cred/..2026_2/tls.crt", "new"),
        ("ns/plain/cert", "plain"),
    ]);
    let mount = folder.path().join("ns/cred");
    symlink("..2026_1", mount.join("..data")).unwrap();
    symlink("..data/tls.crt", mount.join("tls.crt")).unwrap();
    let mut scanner = credentials(&folder);
    let value = |sight: &Sight, name: &str, key: &str| {
        let (_, mount) = sight
            .mounts
            .iter()
            .find(|(it, _)| *it.name == *name)
            .unwrap();
        mount.keys[key].clone()
    };
    let bytes = |text: &str| Reading::Bytes(text.as_bytes().into());
    let sight = scan(&mut scanner);
    assert_eq!(value(&sight, "cred", "tls.crt"), bytes("old"));
    assert_eq!(value(&sight, "plain", "cert"), bytes("plain"));
    assert!(sight.watch.covers(&mount.join("..data")));

    symlink("..2026_2", mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    fs::remove_dir_all(mount.join("..2026_1")).unwrap();
    assert_eq!(value(&scan(&mut scanner), "cred", "tls.crt"), bytes("new"));
}
