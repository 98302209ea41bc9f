use tonic::Code;

use super::*;

/// What an API server says of a data plane's token.
fn genuine() -> TokenReviewStatus {
    TokenReviewStatus {
        audiences: Some(vec![AUDIENCE.to_owned()]),
        authenticated: Some(true),
        error: None,
        user: Some(UserInfo {
            username: Some("system:serviceaccount:default:g-portcullis".to_owned()),
            extra: Some(
                [
                    (POD_NAME.to_owned(), vec!["g-portcullis-1".to_owned()]),
                    (POD_UID.to_owned(), vec!["uid".to_owned()]),
                ]
                .into(),
            ),
            ..UserInfo::default()
        }),
    }
}

fn user(change: impl FnOnce(&mut UserInfo)) -> TokenReviewStatus {
    let mut status = genuine();
    change(status.user.as_mut().unwrap());
    status
}

fn accounts() -> Accounts {
    let account = ServiceAccount {
        namespace: "default".into(),
        name: "g-portcullis".into(),
    };
    [(account, ObjectKey::new("default", "g"))].into()
}

#[test]
fn a_bound_token_of_a_gateways_account_is_that_gateways_pod() {
    let pod = pod(&bearer(genuine()).unwrap(), &accounts()).unwrap();
    assert_eq!(pod.gateway, ObjectKey::new("default", "g"));
    assert_eq!((&*pod.name, &*pod.uid), ("g-portcullis-1", "uid"));
}

#[test]
fn other_tokens_are_refused_with_the_reason() {
    for (status, text) in [
        (
            TokenReviewStatus {
                authenticated: Some(false),
                error: Some("expired".to_owned()),
                ..genuine()
            },
            "the token is not valid: expired",
        ),
        (
            TokenReviewStatus {
                audiences: None,
                ..genuine()
            },
            "the token is not valid: its audience is not portcullis",
        ),
        (
            TokenReviewStatus {
                audiences: Some(vec!["https://kubernetes.default.svc".to_owned()]),
                ..genuine()
            },
            "the token is not valid: its audience is not portcullis",
        ),
        (TokenReviewStatus::default(), "the token is not valid: "),
        (
            user(|user| user.username = Some("admin".to_owned())),
            "\"admin\" is no service account",
        ),
        (
            user(|user| user.extra = None),
            "the token is not bound to a pod",
        ),
        (
            user(|user| {
                let extra = user.extra.as_mut().unwrap();
                extra.remove(POD_UID);
            }),
            "the token is not bound to a pod",
        ),
    ] {
        assert_eq!(bearer(status).unwrap_err().to_string(), text);
    }
}

#[test]
fn an_account_of_no_gateway_is_refused() {
    let other = user(|user| user.username = Some("system:serviceaccount:x:default".to_owned()));
    let refusal = pod(&bearer(other).unwrap(), &accounts()).unwrap_err();
    let text = "service account x/default is of no Gateway's data planes";
    assert_eq!(refusal.to_string(), text);
    assert_eq!(Status::from(refusal).code(), Code::PermissionDenied);
}

#[test]
fn the_token_is_the_bearers_and_is_never_printed() {
    let with = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        headers
    };
    let shown = token(&with("Bearer s3cret")).unwrap();
    assert_eq!(shown.reveal(), "s3cret");
    assert_eq!(format!("{shown:?}"), "[token]");
    let long = format!("Bearer {}", "x".repeat(MAX_TOKEN + 1));
    for bad in ["Bearer ", "Basic s3cret", "s3cret", &long] {
        let refusal = token(&with(bad)).unwrap_err();
        assert_eq!(Status::from(refusal).code(), Code::Unauthenticated);
    }
    assert!(token(&HeaderMap::new()).is_err());
}
