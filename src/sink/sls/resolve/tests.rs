//! A scripted resolver before a server on loopback: no name is looked up.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;

use super::*;
use crate::listen::Looking;
use crate::sink::sls::Client;
use crate::sink::sls::tests::hasty;
use crate::sink::sls::tests::put;
use crate::sink::sls::tests::send;
use crate::sink::sls::tests::server::Server;
use crate::sink::sls::tests::server::Step;

/// What one look-up comes to.
enum Fate {
    Found(IpAddr),
    Nothing,
    Refused,
    Hangs,
}

/// Says what stands in its script, and then that it does not know.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    fates: VecDeque<Fate>,
    names: Vec<String>,
}

impl Script {
    fn of(fates: impl IntoIterator<Item = Fate>) -> Self {
        let asked = Asked {
            fates: fates.into_iter().collect(),
            names: Vec::new(),
        };
        Self(Arc::new(Mutex::new(asked)))
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().names.clone()
    }
}

impl Lookup for Script {
    fn look_up(&self, name: &str) -> Looking {
        let mut asked = self.0.lock().unwrap();
        asked.names.push(name.to_owned());
        let fate = asked.fates.pop_front().unwrap_or(Fate::Refused);
        Box::pin(async move {
            match fate {
                Fate::Found(address) => Ok(vec![address]),
                Fate::Nothing => Ok(Vec::new()),
                Fate::Refused => Err(io::Error::other("no such name")),
                Fate::Hangs => std::future::pending().await,
            }
        })
    }
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NAME: &str = "flow-proj.sls.test";

fn resolver(script: &Script) -> Resolver {
    Resolver::new(script.clone(), Duration::from_mins(1))
}

async fn resolve(resolver: &Resolver) -> Result<Vec<IpAddr>, String> {
    let found = resolver.clone().addresses(NAME.to_owned()).await;
    found.map_err(|why| why.to_string())
}

#[tokio::test]
async fn a_name_that_does_not_resolve_any_more_is_reached_all_the_same() {
    // Each answer ends its connection: the next request resolves anew.
    let bye = "HTTP/1.1 200 OK\r\nx-log-requestid: 6A\r\nconnection: close\r\n\
               content-length: 0\r\n\r\n";
    let server = Server::new(vec![Step::Raw(bye.to_owned()); 3]).await;
    let script = Script::of([Fate::Found(HERE), Fate::Refused, Fate::Found(HERE)]);
    let client = Client::resolving(&hasty(), resolver(&script)).unwrap();
    let request = put(&format!("http://sls.test:{}", server.port), 0..4);
    let mut troubles = Vec::new();
    for _ in 0..3 {
        assert_eq!(send(&client, &request).await.unwrap().status, 200);
        troubles.push(client.unresolved(request.url()));
    }
    assert_eq!(troubles, [None, Some("no such name".to_owned()), None]);
    assert_eq!(script.names(), [NAME; 3]);
    let connections = server.seen().into_iter().map(|seen| seen.connection);
    assert_eq!(connections.collect::<Vec<_>>(), [0, 1, 2]);
}

#[tokio::test]
async fn a_name_that_never_resolved_is_an_error_of_the_resolver() {
    let script = Script::default();
    let client = Client::resolving(&hasty(), resolver(&script)).unwrap();
    let request = put("http://sls.test:1", 0..4);
    let error = send(&client, &request).await.unwrap_err();
    assert_eq!(error.label(), "resolve");
    assert_eq!(error.to_string(), "resolving: no such name");
    assert_eq!(client.unresolved(request.url()), None);
}

#[tokio::test]
async fn an_answer_of_a_stranger_does_not_make_its_address_good() {
    let script = Script::of([Fate::Found(HERE)]);
    let server = Server::new([Step::Raw(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
    )])
    .await;
    let client = Client::resolving(&hasty(), resolver(&script)).unwrap();
    let request = put(&format!("http://sls.test:{}", server.port), 0..4);
    assert_eq!(send(&client, &request).await.unwrap().status, 200);
    let error = send(&client, &request).await.unwrap_err();
    assert_eq!(error.label(), "resolve");
}

#[tokio::test]
async fn a_resolver_that_hangs_is_not_waited_for_where_there_is_a_choice() {
    let script = Script::of([Fate::Found(HERE), Fate::Hangs]);
    let resolver = Resolver::new(script.clone(), Duration::from_millis(20));
    assert_eq!(resolve(&resolver).await, Ok(vec![HERE]));
    resolver.worked(HERE);
    for _ in 0..3 {
        assert_eq!(resolve(&resolver).await, Ok(vec![HERE]));
        let trouble = resolver.trouble(NAME);
        assert_eq!(trouble.as_deref(), Some("the resolver does not answer"));
    }
    // All of them wait for the same look-up.
    assert_eq!(script.names().len(), 2);
}

#[tokio::test]
async fn all_who_ask_at_once_share_a_look_up() {
    let script = Script::of([Fate::Found(HERE)]);
    let resolver = resolver(&script);
    let (one, other) = tokio::join!(resolve(&resolver), resolve(&resolver));
    assert_eq!((one, other), (Ok(vec![HERE]), Ok(vec![HERE])));
    assert_eq!(script.names(), [NAME]);
}

#[tokio::test]
async fn a_name_without_addresses_does_not_resolve() {
    let script = Script::of([Fate::Nothing, Fate::Found(HERE)]);
    let resolver = resolver(&script);
    assert_eq!(resolve(&resolver).await, Err("no address".to_owned()));
    assert_eq!(resolve(&resolver).await, Ok(vec![HERE]));
}
