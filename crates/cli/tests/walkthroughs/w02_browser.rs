use std::fs;
use std::path::Path;
use std::process::Command;

use crate::client::Curl;
use crate::gateway::{Setup, sample_file};

/// Names the browser goes by.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chromium-headless-shell",
];

#[test]
fn w2_browser_sees_a_route_of_the_wildcard_host_once_it_is_added() {
    let gateway = Setup::new()
        .sample_without("http-wildcard", "route.yaml")
        .start();
    let headers = || Curl::new("http", "anything.example", gateway.port(80), "/headers").run();
    assert_eq!(headers().status, 404);

    gateway.write("route.yaml", &sample_file("http-wildcard/route.yaml"));
    gateway.until("the route is served", || headers().status == 200);

    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}/headers", gateway.port(80));
    let page = browse(folder.path(), &["--dump-dom", &url]);
    assert!(
        page.contains("User-Agent") && page.contains("Chrome"),
        "{page}"
    );
    let picture = folder.path().join("headers.png");
    browse(
        folder.path(),
        &[&format!("--screenshot={}", picture.display()), &url],
    );
    assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}

fn browse(profile: &Path, arguments: &[&str]) -> String {
    let found = BROWSERS.iter().find_map(|browser| {
        let mut command = Command::new(browser);
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(arguments);
        command.output().ok()
    });
    let done = found.expect("a browser is installed (make deps)");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}
