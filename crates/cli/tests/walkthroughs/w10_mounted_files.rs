use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::certificates::{Authority, Pair};
use crate::client::{Answer, Curl};
use crate::gateway::{Running, Setup};

const HOST: &str = "httpbin.example.com";

#[test]
fn w10_mounted_credential_is_served_and_rotated_by_symlink_swap() {
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::new(&folder.path().join("example_certs1"), "example.com");
    let second = Authority::new(&folder.path().join("example_certs2"), "example.com");
    let mounts = folder.path().join("credentials");
    let mount = mounts.join("istio-system/httpbin-credential");
    publish(&mount, "..2026_11_21_10_00_00.1", &first.issue(HOST));
    for file in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(file), mount.join(file)).unwrap();
    }
    let gateway = Setup::new()
        .sample("secure-gateway")
        .argument("--credentials")
        .argument(mounts.to_str().unwrap())
        .start();
    assert_eq!(ask(&gateway, &first).status, 418);
    assert_ne!(ask(&gateway, &second).exit, 0);

    publish(&mount, "..2026_11_21_11_00_00.2", &second.issue(HOST));
    gateway.until("the new CA verifies", || {
        ask(&gateway, &second).status == 418
    });
    assert_ne!(ask(&gateway, &first).exit, 0);
}

fn ask(gateway: &Running, authority: &Authority) -> Answer {
    Curl::new("https", HOST, gateway.port(443), "/status/418")
        .trusting(&authority.certificate())
        .run()
}

/// Publishes files as kubelet does: a new folder, then one rename of the link `..data` to it; the
/// old folder goes afterwards.
fn publish(mount: &Path, version: &str, pair: &Pair) {
    let new = mount.join(version);
    fs::create_dir_all(&new).unwrap();
    fs::copy(&pair.certificate, new.join("tls.crt")).unwrap();
    fs::copy(&pair.key, new.join("tls.key")).unwrap();
    let data = mount.join("..data");
    let old = fs::read_link(&data).ok();
    symlink(version, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), data).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(mount.join(old)).unwrap();
    }
}
