//! Every row of the error table (spec sls.md §2) through the whole sender.

use super::*;
use crate::sink::sls::Limits;
use crate::sink::sls::Response;

/// Delivers four rows of one flow log to a server with a script.
async fn deliver(script: impl IntoIterator<Item = Step>) -> (Bench, Server) {
    let server = Server::new(script).await;
    let mut bench = Bench::new(&server);
    bench.settings.limits = Limits::new(1 << 20, 4096, 0);
    append_four(&bench);
    bench.start();
    bench.until_delivered().await;
    (bench, server)
}

fn append_four(bench: &Bench) {
    let body = flow::to_ipc(&crate::sink::sls::testing::flows(4)).unwrap();
    bench.append_body(FLOWS, 4, Kind::Flows, body.into());
}

#[tokio::test]
async fn what_may_pass_later_is_sent_again_and_not_too_soon() {
    for (status, code, label, least_s) in [
        (401, "Unauthorized", "credentials", 15),
        (401, "InvalidAccessKeyId", "credentials", 15),
        (401, "SignatureNotMatch", "credentials", 15),
        (403, "WriteQuotaExceed", "throttled-project", 0),
        (403, "ShardWriteQuotaExceed", "throttled-logstore", 0),
        (403, "ExceedQuota", "throttled-project", 0),
        (403, "ReadQuotaExceed", "throttled-project", 0),
        (403, "MetaOperationQpsLimitExceeded", "throttled-project", 0),
        (429, "TooManyRequests", "throttled-project", 0),
        (403, "ProjectForbidden", "hold-arrears", 15),
        (404, "ProjectNotExist", "hold-project", 15),
        (404, "LogStoreNotExist", "hold-logstore", 15),
        (302, "", "hold-not-the-service", 15),
        (500, "InternalServerError", "retry", 0),
        (500, "RequestTimeout", "retry", 0),
        (503, "ServerBusy", "retry", 0),
    ] {
        let (bench, server) = deliver([Step::refused(status, code, "")]).await;
        let seen = server.seen();
        let rows: Vec<_> = seen.iter().map(seqs).collect();
        assert_eq!(rows, [[1, 2, 3, 4], [1, 2, 3, 4]], "{status} {code}");
        assert!(times(&seen)[1] >= least_s, "{code} {:?}", times(&seen));
        let stats = bench.outlet(ID);
        let expected = BTreeMap::from([(label, 1), ("delivered", 1)]);
        assert_eq!(stats.verdicts, expected, "{status} {code}");
        assert_eq!(
            (stats.sent, stats.retried, stats.acked),
            (2, 1, 1),
            "{code}"
        );
        assert_eq!(bench.of(ID).amounts.acked.records, 4);
        assert!(bench.letters().is_empty());
    }
}

#[tokio::test]
async fn a_malformed_request_is_put_aside_and_not_sent_again() {
    for code in [
        "InvalidRequestTime",
        "InvalidHost",
        "InvalidContentType",
        "ParameterInvalid",
        "MissingParameter",
        "InvalidMethod",
    ] {
        let (bench, server) = deliver([Step::refused(400, code, "why")]).await;
        assert_eq!(server.seen().len(), 1, "{code}");
        let letters = bench.letters();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!((letter.first_seq, letter.rows, letter.status), (1, 4, 400));
        assert_eq!(letter.error_code.as_deref(), Some(code));
        assert_eq!(letter.body, server.seen()[0].body);
        let stats = bench.outlet(ID);
        assert_eq!((stats.dead_lettered, stats.dead_lettered_rows), (1, 4));
        assert_eq!(bench.of(ID).low_water, 5);
    }
}

#[tokio::test]
async fn poison_is_found_by_halves_and_the_rest_arrives() {
    for code in [
        "PostBodyInvalid",
        "InvalidTimestamp",
        "InvalidEncoding",
        "InvalidKey",
        "PostBodyUncompressError",
    ] {
        let poison = Step::refused(400, code, "");
        let (bench, server) = deliver([poison.clone(), poison.clone(), poison]).await;
        let rows: Vec<_> = server.seen().iter().map(seqs).collect();
        let expected: [&[u64]; 5] = [&[1, 2, 3, 4], &[1, 2], &[1], &[2], &[3, 4]];
        assert_eq!(rows, expected, "{code}");
        let letters = bench.letters();
        assert_eq!((letters[0].first_seq, letters[0].rows), (1, 1));
        let stats = bench.outlet(ID);
        assert_eq!(
            (stats.split, stats.dead_lettered_rows, stats.acked_rows),
            (2, 1, 3)
        );
    }
}

#[tokio::test]
async fn what_is_too_large_is_split() {
    let (bench, server) = deliver([Step::refused(413, "PostBodyTooLarge", "")]).await;
    let rows: Vec<_> = server.seen().iter().map(seqs).collect();
    let expected: [&[u64]; 3] = [&[1, 2, 3, 4], &[1, 2], &[3, 4]];
    assert_eq!(rows, expected);
    assert_eq!(bench.outlet(ID).acked_rows, 4);
}

#[tokio::test]
async fn times_outside_the_window_are_clamped_once() {
    let window = "The post data time is out of range";
    let (bench, server) = deliver([Step::refused(499, "PostBodyInvalid", window)]).await;
    assert_eq!(server.seen().len(), 2);
    let earliest = u32::try_from(NOON).unwrap() - 7 * 86_400;
    let logs = group(&server.seen()[1]).logs;
    assert!(logs.iter().all(|log| log.time > earliest));
    assert_eq!(bench.outlet(ID).clamped_rows, 4);
}

#[tokio::test]
async fn a_clock_twenty_minutes_off_costs_one_request() {
    let server_time = NOON + 20 * 60;
    let headers = format!("x-log-requestid: 6A\r\nx-log-time: {server_time}\r\n");
    let body = r#"{"errorCode":"RequestTimeExpired","errorMessage":""}"#.to_owned();
    let (_bench, server) = deliver([Step::Answer(400, headers, body)]).await;
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(times(&seen), [0, 1200]);
}

/// Nobody knows whether the rows are stored, so they are sent again.
#[tokio::test]
async fn an_answer_that_does_not_come_whole_is_none() {
    let head = "HTTP/1.1 200 OK\r\nx-log-requestid: 6A\r\n";
    let cut = format!("{head}content-length: 100\r\n\r\nhalf of it");
    for (fault, label) in [
        (Step::Raw(cut.clone()), "broken"),
        (Step::Reset(cut.clone()), "broken"),
        (Step::Stall(cut), "timeout"),
        (Step::Drip, "timeout"),
        (
            Step::body(200, &"x".repeat(Response::BODY_MAX + 1)),
            "too-large",
        ),
    ] {
        let (bench, server) = deliver([fault]).await;
        let rows: Vec<_> = server.seen().iter().map(seqs).collect();
        assert_eq!(rows, [[1, 2, 3, 4], [1, 2, 3, 4]], "{label}");
        let expected = BTreeMap::from([(label, 1), ("delivered", 1)]);
        assert_eq!(bench.outlet(ID).verdicts, expected);
    }
}

/// A destination that is refused for hours asks as often as an operator may
/// want, whatever the reason, and keeps its rows.
#[tokio::test]
async fn a_long_trouble_is_no_hot_loop() {
    for (step, least_s, most) in [
        (Step::refused(404, "LogStoreNotExist", ""), 15, 60),
        (Step::refused(401, "Unauthorized", ""), 15, 60),
        (Step::refused(403, "WriteQuotaExceed", ""), 0, 60),
        (Step::refused(503, "ServerBusy", ""), 0, 60),
        (Step::refused(400, "RequestTimeExpired", ""), 0, 60),
    ] {
        let server = Server::new(vec![step.clone(); 40]).await;
        let mut bench = Bench::new(&server);
        bench.settings.limits = Limits::new(1 << 20, 4096, 0);
        append_four(&bench);
        bench.start();
        bench.until(|_| server.seen().len() >= 30).await;
        let stats = bench.outlet(ID);
        assert!(stats.trouble.is_some());
        assert_eq!((bench.pending(ID), bench.of(ID).low_water), (4, 1));
        let times = times(&server.seen());
        let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // A clock that seems off is asked once more at once.
        let is_slow = |wait: &&i64| **wait >= least_s;
        assert_eq!(
            waits.iter().filter(is_slow).count(),
            waits.len(),
            "{step:?} {waits:?}"
        );
        assert!(
            waits.iter().all(|wait| *wait <= most + 10),
            "{step:?} {waits:?}"
        );
        assert!(times[29] >= 100, "{step:?} {times:?}");
        // And then all arrives.
        bench.until_delivered().await;
        assert_eq!(bench.outlet(ID).trouble, None);
    }
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_written_holds_its_rows() {
    let server = Server::new(vec![Step::refused(400, "InvalidHost", ""); 2]).await;
    let mut bench = Bench::new(&server);
    bench.settings.limits = Limits::new(1 << 20, 4096, 0);
    // Not even a letter without its body fits.
    bench.settings.dead_letter_octets_max = 10;
    append_four(&bench);
    bench.start();
    bench.until(|_| server.seen().len() == 2).await;
    assert_eq!(bench.pending(ID), 4);
    let trouble = bench.outlet(ID).trouble.unwrap();
    assert_eq!(trouble.label, "dead-letters");
    assert!(times(&server.seen())[1] >= 15);
}

#[tokio::test]
async fn what_is_no_flow_is_put_aside() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.append_body(FLOWS, 2, Kind::Flows, Bytes::from_static(b"no rows"));
    bench.append_body(FLOWS, 3, Kind::LogGroup, Bytes::from_static(b"a group"));
    let short = flow::to_ipc(&flows(1)).unwrap();
    bench.append_body(FLOWS, 2, Kind::Flows, short.into());
    bench.append(FLOWS, 1);
    bench.start();
    bench.until_delivered().await;
    assert_eq!(all_seqs(&server.seen()), [8]);
    let letters = bench.letters();
    let rows: Vec<_> = letters
        .iter()
        .map(|letter| (letter.first_seq, letter.rows, letter.status))
        .collect();
    assert_eq!(rows, [(1, 2, 0), (3, 3, 0), (6, 2, 0)]);
    assert_eq!(letters[1].body, "a group");
}

#[tokio::test]
async fn other_keys_are_used_once_they_are_there() {
    let server = Server::new([Step::refused(401, "InvalidAccessKeyId", "")]).await;
    let mut bench = Bench::new(&server);
    bench.append(FLOWS, 1);
    bench.start();
    // Looked up before, replaced since.
    bench.keeper.credentials(NOON - 60).await.unwrap();
    write_keys(&bench.folder, "LTAIother");
    bench.until_delivered().await;
    let seen = server.seen();
    let signers = seen
        .iter()
        .map(|seen| seen.header("authorization").unwrap());
    let signers: Vec<_> = signers.map(|by| by.contains("LTAIother")).collect();
    assert_eq!(signers, [false, true]);
}

#[tokio::test]
async fn without_keys_nothing_is_sent_until_there_are_some() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    std::fs::remove_file(bench.folder.path().join("keys")).unwrap();
    bench.append(FLOWS, 1);
    bench.start();
    let is_troubled = |bench: &Bench| bench.outlet(ID).trouble.is_some();
    bench.until(is_troubled).await;
    assert_eq!(bench.outlet(ID).trouble.unwrap().label, "no-credentials");
    assert_eq!(server.seen().len(), 0);
    write_keys(&bench.folder, "LTAIfake");
    bench.until_delivered().await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_does_not_exist_is_created_once() {
    let script = [
        Step::refused(404, "ProjectNotExist", ""),
        Step::taken(),
        Step::refused(400, "LogStoreAlreadyExist", ""),
        Step::taken(),
    ];
    let server = Server::new(script).await;
    let mut bench = Bench::new(&server);
    bench.settings.create = true;
    bench.append(FLOWS, 1);
    bench.start();
    bench.until_delivered().await;
    let seen = server.seen();
    let lines: Vec<_> = seen
        .iter()
        .map(|seen| seen.head.lines().next().unwrap().to_owned())
        .collect();
    let expected = [
        "POST /logstores/flows/shards/lb HTTP/1.1",
        "POST / HTTP/1.1",
        "POST /logstores HTTP/1.1",
        "POST /logstores/flows/index HTTP/1.1",
        "POST /logstores/flows/shards/lb HTTP/1.1",
    ];
    assert_eq!(lines, expected);
    let project: serde_json::Value = serde_json::from_slice(&seen[1].body).unwrap();
    assert_eq!(project["projectName"], "flow-proj");
    let index: serde_json::Value = serde_json::from_slice(&seen[3].body).unwrap();
    assert_eq!(index["keys"]["bytes"]["type"], "long");
    assert!(times(&seen)[4] <= 4);
}

#[tokio::test]
async fn what_cannot_be_created_is_asked_for_slowly() {
    let missing = Step::refused(404, "LogStoreNotExist", "");
    let script = [
        missing.clone(),
        Step::refused(403, "Unauthorized", "not yours"),
        missing.clone(),
        missing,
    ];
    let server = Server::new(script).await;
    let mut bench = Bench::new(&server);
    bench.settings.create = true;
    bench.append(FLOWS, 1);
    bench.start();
    bench.until_delivered().await;
    let seen = server.seen();
    let creations = seen
        .iter()
        .filter(|seen| seen.head.starts_with("POST /logstores HTTP"));
    assert_eq!((seen.len(), creations.count()), (5, 1));
    assert!(times(&seen)[4] >= 45);
}
