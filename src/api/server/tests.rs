//! The listener with a daemon that has nothing to tell.

use axum::body::Body;

use super::*;

#[test]
fn our_own_paths_are_never_those_of_another_api() {
    for (target, is_own) in [
        ("/metrics", true),
        ("/api/v1/query", true),
        ("http://flow-proj.sls.local/healthz", true),
        ("/logstores", false),
        ("/", false),
        ("/v2/index.php", false),
        ("http://flow-proj.sls.local:80/logstores/api", false),
    ] {
        let request = Request::builder().uri(target);
        let request = request.header("x-log-apiversion", "0.6.0");
        let request = request.body(Body::empty()).unwrap();
        assert_eq!(is_ours(&request), is_own, "{target}");
    }
}
