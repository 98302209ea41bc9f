//! Folders that go away.

use std::fs;

use crate::{Scene, good, route};

#[test]
fn deleted_folder_keeps_what_worked_until_it_is_back() {
    let scene = Scene::new();
    let path = scene.folder.path();
    scene
        .folder
        .write("more.yaml", &route("more", "more.example.com", "/"));
    scene.until_status("more.example.com", "/", 200);
    fs::remove_dir_all(&path).unwrap();
    let folder = path.display().to_string();
    scene
        .process
        .until_said(&["ERROR", &folder, "No such file or directory"]);
    scene
        .process
        .until_said(&["WARN", &folder, "of the last good version"]);
    scene.until_status("more.example.com", "/", 200);

    fs::create_dir(&path).unwrap();
    scene
        .process
        .until_said(&["ERROR", &folder, "is back but empty"]);
    scene.until_status("more.example.com", "/", 200);

    let new = scene.folder.above().join("new.yaml");
    fs::write(
        &new,
        good(crate::backend()) + "---\n" + &route("again", "again.example.com", "/"),
    )
    .unwrap();
    fs::rename(new, path.join("good.yaml")).unwrap();
    scene.process.until_said(&[&folder, "mended"]);
    scene.until_status("again.example.com", "/", 200);
    scene.until_status("more.example.com", "/", 404);
    scene.end();
}

#[test]
fn deleted_file_takes_its_routes_along() {
    let scene = Scene::new();
    scene
        .folder
        .write("more.yaml", &route("more", "more.example.com", "/"));
    scene.until_status("more.example.com", "/", 200);
    scene.folder.remove("more.yaml");
    scene.until_status("more.example.com", "/", 404);
    scene
        .process
        .until_said(&["INFO", "HTTPRoute default/more: deleted"]);
    scene.end();
}

#[test]
fn folder_behind_a_link_is_swapped_at_once() {
    let scene = Scene::new();
    let path = scene.folder.path();
    let (first, second) = (
        scene.folder.above().join("v1"),
        scene.folder.above().join("v2"),
    );
    for (folder, host) in [(&first, "v1.example.com"), (&second, "v2.example.com")] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("route.yaml"), route("linked", host, "/")).unwrap();
    }
    std::os::unix::fs::symlink(&first, path.join("linked")).unwrap();
    scene.until_status("v1.example.com", "/", 200);
    std::os::unix::fs::symlink(&second, path.join("next")).unwrap();
    fs::rename(path.join("next"), path.join("linked")).unwrap();
    scene.until_status("v2.example.com", "/", 200);
    scene.until_status("v1.example.com", "/", 404);
    scene.end();
}
