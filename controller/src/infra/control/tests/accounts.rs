use portcullis_ir::ObjectKey;
use serde_json::json;

use super::{Cluster, gateway, id, made};
use crate::infra::resource::ResourceKind;
use crate::serve::identity::ServiceAccount;

fn accounts(cluster: &Cluster) -> Vec<(&str, &ObjectKey)> {
    let accounts = cluster.accounts.iter();
    let accounts = accounts.map(|(account, gateway)| {
        let ServiceAccount { namespace, name } = account;
        assert_eq!(&**namespace, "default");
        (&**name, gateway)
    });
    accounts.collect()
}

/// Followers tell it too: they are to be ready when they lead.
fn follow(mut cluster: Cluster, name: &str) -> Cluster {
    let (key, infra) = gateway("portcullis", 80);
    let key = ObjectKey::new(key.namespace, name);
    cluster.sync();
    cluster.want([(key, infra)]);
    cluster.settle();
    cluster
}

#[test]
fn a_gateways_service_account_is_told_when_it_is_made_and_when_it_is_gone() {
    let mut cluster = Cluster::empty();
    cluster.sync();
    cluster.lead_and_trust();
    let (key, infra) = gateway("portcullis", 80);
    cluster.want([(key.clone(), infra)]);
    assert_eq!(accounts(&cluster), []);
    cluster.settle();
    assert_eq!(accounts(&cluster), [("web-portcullis", &key)]);
    cluster.want([]);
    cluster.settle();
    assert_eq!(accounts(&cluster), []);
}

#[test]
fn a_new_leader_knows_the_service_accounts_from_the_start() {
    let cluster = follow(Cluster::of(made()), "web");
    let key = ObjectKey::new("default", "web");
    assert_eq!(accounts(&cluster), [("web-portcullis", &key)]);
}

#[test]
fn an_account_of_the_right_name_is_not_enough() {
    let account = id(ResourceKind::ServiceAccount);
    let mut earlier = made();
    earlier.get_mut(&account).unwrap()["metadata"]["ownerReferences"][0]["uid"] = json!("earlier");
    assert_eq!(accounts(&follow(Cluster::of(earlier), "web")), []);
    let mut unlabelled = made();
    unlabelled.get_mut(&account).unwrap()["metadata"]["labels"] = json!({});
    assert_eq!(accounts(&follow(Cluster::of(unlabelled), "web")), []);
    // Another Gateway, whose name and class come to the same.
    assert_eq!(accounts(&follow(Cluster::of(made()), "other")), []);
}
